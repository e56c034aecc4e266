/* What the key subcommands share: their flags, which file is meant, and changing it. */
#ifndef WEIR_DEPLOY_WEIRCTL_KEY_H
#define WEIR_DEPLOY_WEIRCTL_KEY_H

#include "common/key_file.h"
#include "deploy/weirctl/weirctl.h"

struct key_flags {
    char **scopes;
    char *certificate, *file;
};

/* What stands before a key's line in the file when weirctl wrote it: "# portal created 2026-11-26T…Z by …".
 */
#define KEY_CREATED "created"

struct keys {
    struct weirctl *ctl;
    const struct key_flags *flags;
    char *path;               /* owned */
    bool certificates;        /* of clients are asked for */
    int lock;                 /* on the file's folder; -1: none */
    bool is_new;              /* there is none */
    struct weir_buffer text;  /* of the file, whole; empty when there is none */
    struct weir_key_file now; /* what stands in it */
};

/* Finds and reads the file; one that is not there is empty with `may_be_absent`. `lock`: nobody else changes
 * it until keys_close(), which is due in any case. */
int keys_open(
    struct weirctl *ctl, bool lock, bool may_be_absent, struct keys *ret_keys, struct weir_error *err);
void keys_close(struct keys *keys);

/* Puts text in the place of the file's, if the gateway would take it. */
int keys_replace(struct keys *keys, struct weir_bytes text, struct weir_error *err);

/* Tells a person, on stderr, when the gateway will know. */
void keys_tell_reload(const struct keys *keys);

/* The one operand, a key's name. */
int key_operand(const struct weirctl *ctl, const char **ret_name, struct weir_error *err);

/* The key of that name; NULL: none. */
const struct weir_key *key_find(const struct keys *keys, const char *name);

/* The line of that number (from 1) with its end; data NULL beyond the last. */
struct weir_bytes keys_line(const struct keys *keys, size_t number);

/* Whether the line says when the key `name` was created; *ret_when: what stands behind the word. */
bool key_created(struct weir_bytes line, const char *name, struct weir_bytes *ret_when);

#endif
