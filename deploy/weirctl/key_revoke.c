/* Takes a key's line, and the one that says when it was made, out of the file. */
#include "deploy/weirctl/key.h"

#include <stdio.h>

static int cut(struct keys *keys, const struct weir_key *key, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    struct weir_bytes line, when;

    for (size_t number = 1; (line = keys_line(keys, number)).data != NULL; number++) {
        bool tells = number + 1 == key->line && key_created(line, key->name, &when);
        if (number != key->line && !tells)
            weir_buffer_append_bytes(&text, line);
    }
    if (text.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return keys_replace(keys, weir_buffer_bytes(&text), err);
}

static int take_away(struct keys *keys, const char *name, struct weir_error *err)
{
    const struct weir_key *key = key_find(keys, name);

    if (key == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "%s has no key %s", keys->path, name);
    if (keys->now.count == 1)
        return weir_error_set(err, WEIR_E_USAGE,
            "%s is the last key in %s: the gateway refuses an empty file and would go on with the old one; "
            "add "
            "another key first",
            name, keys->path);
    int code = cut(keys, key, err);
    if (code < 0)
        return code;
    if (keys->ctl->arguments->json)
        printf("{\"revoked\":\"%s\"}\n", name);
    else
        printf("revoked %s\n", name);
    keys_tell_reload(keys);
    return 0;
}

int key_revoke_run(struct weirctl *ctl, struct weir_error *err)
{
    struct keys keys;
    const char *name = NULL;

    int code = key_operand(ctl, &name, err);
    if (code < 0)
        return code;
    code = keys_open(ctl, true, false, &keys, err);
    if (code == 0)
        code = take_away(&keys, name, err);
    keys_close(&keys);
    return code;
}
