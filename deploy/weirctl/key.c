#include "deploy/weirctl/key.h"

#include "common/file.h"
#include "deploy/weirctl/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const struct weir_option rows[] = {
    {.key = "--scope",
        .type = WEIR_OPTION_LIST,
        .offset = offsetof(struct key_flags, scopes),
        .help = "COLLECTION:VERB: what it may do, e.g. orders:create or *:read; may be repeated"},
    {.key = "--certificate",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct key_flags, certificate),
        .help = "NAME: no key, but a name in clients' certificates, e.g. dns=shop.example.org"},
    {.key = "--file",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct key_flags, file),
        .help = "FILE: instead of keys.file of [gateway], e.g. one that becomes a Kubernetes Secret"},
};

static const char *const verbs[] = {"add", "add", "add list revoke"};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == sizeof(verbs) / sizeof(verbs[0]), "a row has its verbs");

const struct flag_table key_flags = {rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct key_flags)};

static int find_path(struct keys *keys, struct weir_error *err)
{
    WEIR_CLEANUP(gateway_settings) struct gateway_settings gateway = {0};

    int code = gateway_settings_read(keys->ctl->deployment, &gateway, err);
    if (code < 0)
        return code;
    const char *path = keys->flags->file != NULL ? keys->flags->file : gateway.keys_file;
    keys->certificates = gateway.tls_client_ca != NULL || keys->flags->file != NULL;
    if (path == NULL)
        return weir_error_set(err, WEIR_E_CONFIG,
            "[gateway] has no keys.file: set `auth = keys` and `keys.file = /etc/weir/keys` there, or name a "
            "file, --file FILE");
    keys->path = strdup(path);
    return keys->path != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* The folder is locked, because the file is replaced by another one. */
static int lock_folder(struct keys *keys, struct weir_error *err)
{
    char *copy = strdup(keys->path);
    if (copy == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    keys->lock = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (keys->lock < 0 || flock(keys->lock, LOCK_EX | LOCK_NB) < 0)
        return weir_error_set(err, errno == EWOULDBLOCK ? WEIR_E_BUSY : WEIR_E_CONFIG, "%s: %s", keys->path,
            errno == EWOULDBLOCK ? "another weirctl is changing it" : strerrordesc_np(errno));
    return 0;
}

static int read_text(struct keys *keys, bool may_be_absent, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer copy = {0};

    int code = weir_file_read(keys->path, WEIR_KEY_FILE_BYTES_MAX, &keys->text, NULL, err);
    keys->is_new = code == WEIR_E_NOT_FOUND;
    if (keys->is_new && may_be_absent)
        return 0;
    if (code < 0)
        return code == WEIR_E_NOT_FOUND ? WEIR_E_CONFIG : code;
    weir_buffer_append_bytes(&copy, weir_buffer_bytes(&keys->text));
    if (copy.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    code = weir_key_file_parse(keys->path, &copy, keys->certificates, &keys->now, err);
    return keys->now.count == 0 && may_be_absent
               ? 0
               : code; /* what is wrong with it is told when it is replaced */
}

int keys_open(
    struct weirctl *ctl, bool lock, bool may_be_absent, struct keys *ret_keys, struct weir_error *err)
{
    struct keys *keys = ret_keys;

    *keys = (struct keys){.ctl = ctl, .flags = ctl->arguments->settings, .lock = -1};
    int code = find_path(keys, err);
    if (code == 0 && lock)
        code = lock_folder(keys, err);
    return code == 0 ? read_text(keys, may_be_absent, err) : code;
}

void keys_close(struct keys *keys)
{
    if (keys->lock >= 0)
        close(keys->lock);
    weir_key_file_done(&keys->now);
    weir_buffer_done(&keys->text);
    free(keys->path);
}

/* A new file is for the gateway's user, which is in the group of the packages; without one it is left alone.
 */
static void give_to_group(const struct keys *keys)
{
    const struct group *group = getgrnam("weir");

    if (group != NULL && chown(keys->path, (uid_t)-1, group->gr_gid) < 0)
        fprintf(stderr, "weirctl: %s stays as it is: the group weir can't be given it: %s\n", keys->path,
            strerrordesc_np(errno));
}

int keys_replace(struct keys *keys, struct weir_bytes text, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer copy = {0};
    WEIR_CLEANUP(key_file) struct weir_key_file parsed = {0};

    weir_buffer_append_bytes(&copy, text);
    if (copy.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = weir_key_file_parse(keys->path, &copy, keys->certificates, &parsed, err);
    if (code == 0)
        code = weir_file_replace(keys->path, text, err);
    if (code == 0 && keys->is_new)
        give_to_group(keys);
    return code;
}

void keys_tell_reload(const struct keys *keys)
{
    if (!keys->ctl->arguments->json && keys->flags->file == NULL)
        fprintf(stderr, "weirctl: a gateway that runs reads %s at `systemctl reload weir-gateway` (SIGHUP)\n",
            keys->path);
}

int key_operand(const struct weirctl *ctl, const char **ret_name, struct weir_error *err)
{
    if (ctl->arguments->operand_count != 1)
        return weir_error_set(
            err, WEIR_E_USAGE, "name one key: weirctl %s NAME", command_name(ctl->arguments->command));
    *ret_name = ctl->arguments->operands[0];
    return 0;
}

const struct weir_key *key_find(const struct keys *keys, const char *name)
{
    for (size_t i = 0; i < keys->now.count; i++)
        if (strcmp(keys->now.list[i].name, name) == 0)
            return &keys->now.list[i];
    return NULL;
}

struct weir_bytes keys_line(const struct keys *keys, size_t number)
{
    struct weir_bytes rest = weir_buffer_bytes(&keys->text);

    for (size_t i = 1; rest.len > 0; i++) {
        const char *end = memchr(rest.data, '\n', rest.len);
        size_t len = end != NULL ? (size_t)(end - rest.data) + 1 : rest.len;
        if (i == number)
            return weir_bytes(rest.data, len);
        rest = weir_bytes(rest.data + len, rest.len - len);
    }
    return WEIR_BYTES_NULL;
}

bool key_created(struct weir_bytes line, const char *name, struct weir_bytes *ret_when)
{
    char head[WEIR_KEYS_NAME_BYTES + 32];
    size_t len = (size_t)snprintf(head, sizeof(head), "# %s " KEY_CREATED " ", name);

    if (line.len <= len || memcmp(line.data, head, len) != 0)
        return false;
    *ret_when = weir_bytes(line.data + len, line.len - len - (line.data[line.len - 1] == '\n'));
    return true;
}
