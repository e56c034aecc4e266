/* Who may do what: access keys from a file, one a line:
 *
 *     # name   SHA-256 of the key (64 hexadecimal digits)   scopes
 *     portal   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08   orders:create,orders:read
 *     ops      60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752   *:*
 *
 * A scope is a collection's name and what may be done there: create, replace, merge, delete, read; either may
 * be *. The file never holds a key itself; `openssl rand -hex 32` makes one, `printf %s KEY | sha256sum` its
 * digest. */
#ifndef WEIR_GATEWAY_KEYS_H
#define WEIR_GATEWAY_KEYS_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdbool.h>

struct weir_keys;

enum { WEIR_KEYS_NAME_BYTES = 64 };

/* Reads the file. WEIR_E_CONFIG, WEIR_E_NOT_FOUND: the text names file and line. */
int weir_keys_open(const char *path, struct weir_keys **ret_keys, struct weir_error *err);
/* Reads it again; after an error the keys stay as they were. Threads: one at a time, beside any that ask. */
int weir_keys_reload(struct weir_keys *keys, struct weir_error *err);
/* Accepts NULL. */
void weir_keys_close(struct weir_keys *keys);

enum weir_access_verdict {
    WEIR_ACCESS_GRANTED,
    WEIR_ACCESS_UNKNOWN, /* no credential, or none that is known */
    WEIR_ACCESS_DENIED,
};

/* Whether the value of an Authorization header (data NULL: none came) is `Bearer` and a key whose scopes hold
 * `verb` (NULL: any) on `collection`. *ret_name is the key's name, also of one that is denied. How long it
 * takes tells nothing about the keys. Threads: any. */
enum weir_access_verdict weir_keys_ask(struct weir_keys *keys, struct weir_bytes authorization,
    struct weir_bytes collection, const char *verb, char ret_name[static WEIR_KEYS_NAME_BYTES]);

#endif
