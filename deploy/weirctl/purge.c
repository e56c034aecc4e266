#include "deploy/weirctl/purge.h"

#include "common/kafka.h"
#include "deploy/weirctl/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { EXIT_LEFT = 1, ANSWER_BYTES = 256 };

static const struct weir_option rows[] = {
    {.key = "--dry-run",
        .type = WEIR_OPTION_BOOL,
        .offset = offsetof(struct purge_flags, dry_run),
        .help = "only say what there is to be removed"},
    {.key = "--yes",
        .type = WEIR_OPTION_BOOL,
        .offset = offsetof(struct purge_flags, yes),
        .help = "do not ask: CLUSTER is named on the command line"},
    {.key = "--keep-data",
        .type = WEIR_OPTION_BOOL,
        .offset = offsetof(struct purge_flags, keep_data),
        .help = "leave folders and units of this machine alone"},
};

static const char *const verbs[] = {"purge", "purge", "purge"};

const struct flag_table purge_flags = {
    rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct purge_flags)};

static const struct {
    const char *one, *many;
} kinds[] = {
    [PURGE_UNIT] = {"unit", "units"},
    [PURGE_TOPIC] = {"topic", "topics"},
    [PURGE_GROUP] = {"group", "groups"},
    [PURGE_ACL] = {"acl", "acls"},
    [PURGE_FOLDER] = {"folder", "folders"},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

struct purge_thing *purge_add(struct purge *purge, enum purge_kind kind, const char *name)
{
    struct purge_thing *grown = reallocarray(purge->things, purge->count + 1, sizeof(*grown));

    if (grown == NULL)
        return NULL;
    purge->things = grown;
    struct purge_thing *thing = &grown[purge->count];
    *thing = (struct purge_thing){.kind = kind, .name = strdup(name)};
    purge->count += thing->name != NULL;
    return thing->name != NULL ? thing : NULL;
}

size_t purge_count(const struct purge *purge, enum purge_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < purge->count; i++)
        count += purge->things[i].kind == kind && purge->things[i].why[0] == '\0';
    return count;
}

static void done(struct purge *purge)
{
    progress_end(&purge->progress);
    for (size_t i = 0; i < purge->count; i++) {
        if (purge->things[i].handle != NULL)
            rd_kafka_AclBinding_destroy(purge->things[i].handle);
        free(purge->things[i].name);
    }
    free(purge->things);
    if (purge->cluster != NULL)
        rd_kafka_mem_free(purge->ctl->kafka, purge->cluster);
}

/* ---- what is told */

static void write_json(const struct purge *purge, bool removed, struct weir_buffer *out)
{
    size_t left = 0;

    weir_buffer_printf(out, "{\"cluster\":\"%s\",\"removed\":%s", purge->cluster, removed ? "true" : "false");
    for (size_t kind = 0; kind < KINDS; kind++) {
        const char *separator = "";
        weir_buffer_printf(out, ",\"%s\":[", kinds[kind].many);
        for (size_t i = 0; i < purge->count; i++) {
            if (purge->things[i].kind != (enum purge_kind)kind)
                continue;
            weir_buffer_append_str(out, separator);
            weir_buffer_append_json_string(out, weir_bytes_str(purge->things[i].name));
            separator = ",";
        }
        weir_buffer_append_str(out, "]");
    }
    weir_buffer_append_str(out, ",\"left\":[");
    for (size_t i = 0; i < purge->count; i++) {
        if (purge->things[i].why[0] == '\0')
            continue;
        weir_buffer_append_str(out, left++ > 0 ? ",{\"name\":" : "{\"name\":");
        weir_buffer_append_json_string(out, weir_bytes_str(purge->things[i].name));
        weir_buffer_append_str(out, ",\"why\":");
        weir_buffer_append_json_string(out, weir_bytes_str(purge->things[i].why));
        weir_buffer_append_str(out, "}");
    }
    weir_buffer_append_str(out, "]}\n");
}

static void write_text(const struct purge *purge, bool removed, struct weir_buffer *out)
{
    for (size_t i = 0; i < purge->count; i++) {
        const struct purge_thing *thing = &purge->things[i];
        weir_buffer_printf(out, "%s %s ",
            removed ? thing->why[0] == '\0' ? "removed" : "LEFT" : "would remove", kinds[thing->kind].one);
        text_append_safe(out, weir_bytes_str(thing->name), false);
        if (thing->why[0] != '\0') {
            weir_buffer_append_str(out, ": ");
            text_append_safe(out, weir_bytes_str(thing->why), false);
        }
        weir_buffer_append_str(out, "\n");
    }
    if (purge->count == 0)
        weir_buffer_append_str(out, "there is nothing of this deployment\n");
}

static int print(const struct purge *purge, bool removed, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    (purge->ctl->arguments->json ? write_json : write_text)(purge, removed, &out);
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    fwrite(out.data != NULL ? out.data : "", 1, out.len, stdout);
    return 0;
}

/* ---- whether it is meant */

static int ask(const struct purge *purge, struct weir_error *err)
{
    char answer[ANSWER_BYTES] = "";

    if (!isatty(STDIN_FILENO))
        return weir_error_set(err, WEIR_E_USAGE,
            "nothing was removed: there is nobody to ask; if it is meant: weirctl purge --yes %s",
            purge->cluster);
    fprintf(stderr, "All of this is lost for ever. If it is meant, type the id of the cluster at %s, %s: ",
        purge->ctl->deployment->kafka.bootstrap_servers, purge->cluster);
    if (fgets(answer, sizeof(answer), stdin) != NULL)
        answer[strcspn(answer, "\r\n")] = '\0';
    return strcmp(answer, purge->cluster) == 0
               ? 0
               : weir_error_set(err, WEIR_E_USAGE, "nothing was removed: that is another cluster's id");
}

/* The name is looked at before anything is, so that a command that was meant for another cluster ends here.
 */
static int check_name(const struct purge *purge, struct weir_error *err)
{
    const struct arguments *arguments = purge->ctl->arguments;

    if (arguments->operand_count > 1)
        return weir_error_set(err, WEIR_E_USAGE, "name one cluster: weirctl purge --yes CLUSTER");
    if (purge->flags->yes && arguments->operand_count == 0)
        return weir_error_set(err, WEIR_E_USAGE,
            "--yes wants the id of the cluster, which --dry-run tells: weirctl purge --yes CLUSTER");
    if (arguments->operand_count == 1 && strcmp(arguments->operands[0], purge->cluster) != 0)
        return weir_error_set(err, WEIR_E_USAGE, "nothing was removed: the cluster at %s is %s, not %s",
            purge->ctl->deployment->kafka.bootstrap_servers, purge->cluster, arguments->operands[0]);
    return 0;
}

/* ---- doing it */

static int find(struct purge *purge, struct weir_error *err)
{
    int code = weirctl_connect(purge->ctl, err);

    if (code < 0)
        return code;
    purge->cluster = rd_kafka_clusterid(purge->ctl->kafka, weirctl_left_ms(purge->ctl));
    if (purge->cluster == NULL)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "the cluster does not tell its id");
    code = check_name(purge, err);
    if (code == 0 && !purge->flags->keep_data)
        code = purge_find_host(purge, err);
    return code == 0 ? purge_find_kafka(purge, err) : code;
}

/* What writes comes first, what is read last: nothing makes a topic or a folder again behind our back. */
static int remove_all(struct purge *purge, struct weir_error *err)
{
    int code = purge_stop_units(purge, err);

    if (code == 0)
        code = purge_await_stopped(purge, err);
    if (code == 0)
        code = purge_remove_kafka(purge, err);
    if (code == 0)
        purge_remove_folders(purge);
    return code;
}

static bool is_left(const struct purge *purge)
{
    for (size_t i = 0; i < purge->count; i++)
        if (purge->things[i].why[0] != '\0')
            return true;
    return false;
}

static int run(struct purge *purge, struct weir_error *err)
{
    int code = find(purge, err);

    progress_end(&purge->progress);
    if (code < 0)
        return code;
    if (purge->flags->dry_run)
        return print(purge, false, err);
    if (!purge->flags->yes && purge->count > 0) {
        if (!purge->ctl->arguments->json)
            print(purge, false, err);
        code = ask(purge, err);
    }
    if (code == 0)
        code = remove_all(purge, err);
    progress_end(&purge->progress);
    if (code == 0)
        code = print(purge, true, err);
    return code == 0 && is_left(purge) ? EXIT_LEFT : code;
}

int purge_run(struct weirctl *ctl, struct weir_error *err)
{
    struct purge purge = {.ctl = ctl, .flags = ctl->arguments->settings};

    if (ctl->deployment->kafka.dev)
        return weir_error_set(err, WEIR_E_UNSUPPORTED,
            "the dev broker forgets everything when it ends, and so do its services: nothing to purge");
    progress_begin(&purge.progress);
    int code = run(&purge, err);
    done(&purge);
    return code;
}
