/* The file that says who may do what: access keys and names of client certificates, one a line:
 *
 *     # name   SHA-256 of the key (64 hexadecimal digits)   scopes
 *     portal   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08   orders:create,orders:read
 *     ops      60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752   *:*
 *     # name   a name in the client's certificate   scopes
 *     shop     dns=shop.example.org                 orders:create
 *
 * The name in a certificate is cn= (common name), dns=, uri= or email= (alternative names). A scope is a
 * collection's name and what may be done there: create, replace, merge, adjust, delete, read; either may be
 * *. Dead letters are no collection, and * does not stand for them: their scopes are dlq:read, dlq:redrive
 * and dlq:*. The file never holds a key itself. The gateway reads it, weirctl writes it. Threads: any. */
#ifndef WEIR_COMMON_KEY_FILE_H
#define WEIR_COMMON_KEY_FILE_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { WEIR_KEYS_NAME_BYTES = 64, WEIR_KEY_DIGEST_BYTES = 32, WEIR_KEY_FILE_BYTES_MAX = 1024 * 1024 };

struct weir_key_scope {
    char *collection; /* or "*" */
    const char *verb; /* static: "create", …, or "*" */
};

struct weir_key {
    char name[WEIR_KEYS_NAME_BYTES];
    unsigned char digest[WEIR_KEY_DIGEST_BYTES];
    char *certificate; /* "dns=shop.example.org"; NULL: it is a key with that digest */
    struct weir_key_scope *scopes;
    size_t scope_count;
    size_t line; /* in the file, from 1 */
};

struct weir_key_file {
    struct weir_key *list;
    size_t count;
};

/* Reads text, which is taken apart in place; `path` stands for it in errors, which name the line.
 * certificates: whether clients may show any; else a line with one is refused. A file without a single key is
 * refused: it would let nobody in. WEIR_E_CONFIG. The caller ends it with weir_key_file_done() in any case.
 */
int weir_key_file_parse(const char *path, struct weir_buffer *text, bool certificates,
    struct weir_key_file *ret_file, struct weir_error *err);
/* The same of the file itself. WEIR_E_NOT_FOUND, too. */
int weir_key_file_read(
    const char *path, bool certificates, struct weir_key_file *ret_file, struct weir_error *err);
void weir_key_file_done(struct weir_key_file *file);

static inline void weir_cleanup_key_file(struct weir_key_file *file)
{
    weir_key_file_done(file);
}

/* Whether a line may have it: a name (1 to 63 letters, digits, dots, _ or -), a name in a certificate
 * (dns=shop.example.org), a scope (orders:create). */
bool weir_key_sound_name(const char *name);
bool weir_key_sound_certificate(const char *certificate);
bool weir_key_sound_scope(struct weir_bytes scope);

/* Whether a line's certificate is the name. Case does not matter in names of hosts. */
bool weir_key_is_name(const char *certificate, struct weir_bytes name);

#endif
