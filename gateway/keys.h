/* Who may do what: access keys and names of client certificates from a file, one a line:
 *
 *     # name   SHA-256 of the key (64 hexadecimal digits)   scopes
 *     portal   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08   orders:create,orders:read
 *     ops      60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752   *:*
 *     # name   a name in the client's certificate   scopes
 *     shop     dns=shop.example.org                 orders:create
 *
 * The name in a certificate is cn= (common name), dns=, uri= or email= (alternative names); of several lines
 * that fit one certificate the first counts. A scope is a collection's name and what may be done there:
 * create, replace, merge, adjust, delete, read; either may be *. Dead letters are no collection, and * does
 * not stand for them: their scopes are dlq:read, dlq:redrive and dlq:*. The file never holds a key itself;
 * `openssl rand -hex 32` makes one, `printf %s KEY | sha256sum` its digest. */
#ifndef WEIR_GATEWAY_KEYS_H
#define WEIR_GATEWAY_KEYS_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdbool.h>

struct weir_keys;

enum { WEIR_KEYS_NAME_BYTES = 64 };

/* Reads the file. certificates: whether clients may show any; else a line with one is refused.
 * WEIR_E_CONFIG, WEIR_E_NOT_FOUND: the text names file and line. */
int weir_keys_open(const char *path, bool certificates, struct weir_keys **ret_keys, struct weir_error *err);
/* Reads it again; after an error the keys stay as they were. Threads: one at a time, beside any that ask. */
int weir_keys_reload(struct weir_keys *keys, struct weir_error *err);
/* Accepts NULL. */
void weir_keys_close(struct weir_keys *keys);

enum weir_access_verdict {
    WEIR_ACCESS_GRANTED,
    WEIR_ACCESS_UNKNOWN, /* no credential, or none that is known */
    WEIR_ACCESS_DENIED,
};

/* What a client shows of itself. */
struct weir_proof {
    struct weir_bytes authorization; /* value of the header; data NULL: none came, and only then … */
    struct weir_bytes names; /* … the names in its certificate count: one a line, each with its end */
};

/* Whether the proof, `Bearer` and a key or a certificate's name, is known, and its scopes hold `verb` (NULL:
 * any) on `collection`. *ret_name is the line's name, also of one that is denied. How long it takes tells
 * nothing about the keys. Threads: any. */
enum weir_access_verdict weir_keys_ask(struct weir_keys *keys, const struct weir_proof *proof,
    struct weir_bytes collection, const char *verb, char ret_name[static WEIR_KEYS_NAME_BYTES]);

#endif
