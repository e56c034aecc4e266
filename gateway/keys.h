/* Who may do what: the access keys and names of client certificates of keys.file (common/key_file), and who
 * is asked about. Of several lines that fit one certificate the first counts. `openssl rand -hex 32` makes a
 * key, `printf %s KEY | sha256sum` its digest; `weirctl key add` does both. */
#ifndef WEIR_GATEWAY_KEYS_H
#define WEIR_GATEWAY_KEYS_H

#include "common/bytes.h"
#include "common/error.h"
#include "common/key_file.h"

#include <stdbool.h>

struct weir_keys;

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
