/* Who has a key, what it may do and when it was made. The file's digests stay where they are. */
#include "deploy/weirctl/key.h"
#include "deploy/weirctl/text.h"

#include <stdio.h>

static void append_scopes(struct weir_buffer *out, const struct weir_key *key)
{
    for (size_t i = 0; i < key->scope_count; i++)
        weir_buffer_printf(out, "%s%s:%s", i > 0 ? "," : "", key->scopes[i].collection, key->scopes[i].verb);
}

static struct weir_bytes created_of(const struct keys *keys, const struct weir_key *key)
{
    struct weir_bytes when = WEIR_BYTES_NULL;

    if (key->line > 1)
        key_created(keys_line(keys, key->line - 1), key->name, &when);
    return when;
}

static void write_json(const struct keys *keys, const struct weir_key *key, struct weir_buffer *out)
{
    struct weir_bytes created = created_of(keys, key);

    weir_buffer_printf(out, "%s{\"name\":\"%s\",\"scopes\":\"", out->len > 0 ? ",\n " : "", key->name);
    append_scopes(out, key);
    weir_buffer_append_str(out, "\",\"certificate\":");
    if (key->certificate != NULL)
        weir_buffer_append_json_string(out, weir_bytes_str(key->certificate));
    else
        weir_buffer_append_str(out, "null");
    weir_buffer_append_str(out, ",\"created\":");
    if (created.data != NULL)
        weir_buffer_append_json_string(out, created);
    else
        weir_buffer_append_str(out, "null");
    weir_buffer_append_str(out, "}");
}

static int print_json(const struct keys *keys, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    for (size_t i = 0; i < keys->now.count; i++)
        write_json(keys, &keys->now.list[i], &out);
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    printf("[%s]\n", out.len > 0 ? out.data : "");
    return 0;
}

static int print_text(const struct keys *keys, struct weir_error *err)
{
    struct text_table table = {.columns = 4};

    for (size_t i = 0; i < keys->now.count; i++) {
        const struct weir_key *key = &keys->now.list[i];
        WEIR_CLEANUP(buffer) struct weir_buffer scopes = {0};
        struct weir_bytes created = created_of(keys, key);
        append_scopes(&scopes, key);
        text_table_add(&table, weir_bytes_str(key->name));
        text_table_add(&table, weir_bytes_str(key->certificate != NULL ? key->certificate : "key"));
        text_table_add(&table, weir_buffer_bytes(&scopes));
        text_table_add(&table, created.data != NULL ? created : weir_bytes_str("-"));
    }
    bool failed = table.cells.failed;
    if (!failed)
        text_table_print(&table, stdout);
    text_table_done(&table);
    return failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}

int key_list_run(struct weirctl *ctl, struct weir_error *err)
{
    struct keys keys;

    int code = keys_open(ctl, false, false, &keys, err);
    if (code == 0)
        code = (ctl->arguments->json ? print_json : print_text)(&keys, err);
    keys_close(&keys);
    return code;
}
