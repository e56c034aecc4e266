#include "deploy/weirctl/acl.h"

#include <stdio.h>
#include <string.h>

struct acl_settings {
    char *principal, *command_config, *strimzi;
};

static const struct weir_option rows[] = {
    {.key = "--principal",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct acl_settings, principal),
        .fallback = "User:{}",
        .help = "TEXT: how principals are called; {} is the program's or service's name"},
    {.key = "--command-config",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct acl_settings, command_config),
        .fallback = "admin.properties",
        .help = "FILE: of the administrator who runs kafka-acls.sh"},
    {.key = "--strimzi",
        .type = WEIR_OPTION_STRING,
        .offset = offsetof(struct acl_settings, strimzi),
        .help = "CLUSTER: instead, a KafkaUser for each, of this Strimzi cluster"},
};

static const char *const verbs[] = {"plan", "plan", "plan"};

const struct flag_table acl_flags = {
    rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct acl_settings)};

/* Each kind of resource as kafka-acls.sh, Strimzi and the JSON form call it. */
static const struct {
    const char *flag, *name;
} resources[] = {
    [ACL_TOPIC] = {"--topic", "topic"},
    [ACL_GROUP] = {"--group", "group"},
    [ACL_TRANSACTIONAL_ID] = {"--transactional-id", "transactionalId"},
};

static const char place_of_name[] = "{}";

static void write_principal(const char *pattern, const char *program, struct weir_buffer *out)
{
    const char *place = strstr(pattern, place_of_name);

    weir_buffer_printf(
        out, "%.*s%s%s", (int)(place - pattern), pattern, program, place + strlen(place_of_name));
}

/* One word for a shell, whatever is in it. */
static void write_quoted(const char *text, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "'");
    for (; *text != '\0'; text++)
        if (*text == '\'')
            weir_buffer_append_str(out, "'\\''");
        else
            weir_buffer_append_bytes(out, weir_bytes(text, 1));
    weir_buffer_append_str(out, "'");
}

static void write_command(const struct weirctl *ctl, const struct acl *acl, struct weir_buffer *out)
{
    const struct acl_settings *settings = ctl->arguments->settings;
    WEIR_CLEANUP(buffer) struct weir_buffer principal = {0};

    write_principal(settings->principal, acl->program, &principal);
    weir_buffer_append_str(out, "kafka-acls.sh --bootstrap-server ");
    write_quoted(ctl->deployment->kafka.bootstrap_servers, out);
    weir_buffer_append_str(out, " --command-config ");
    write_quoted(settings->command_config, out);
    weir_buffer_append_str(out, " --add --allow-principal ");
    write_quoted(principal.data != NULL ? principal.data : "", out);
    for (size_t i = 0; i < ACL_OPERATIONS; i++)
        if ((acl->operations & 1U << i) != 0)
            weir_buffer_printf(out, " --operation %s", acl_operation_names[i]);
    weir_buffer_printf(out, "%s %s ", acl->prefixed ? " --resource-pattern-type prefixed" : "",
        resources[acl->resource].flag);
    write_quoted(acl->name, out);
    weir_buffer_append_str(out, "\n");
    out->failed |= principal.failed;
}

static void write_operations(const struct acl *acl, const char *quote, struct weir_buffer *out)
{
    const char *separator = "";

    for (size_t i = 0; i < ACL_OPERATIONS; i++) {
        if ((acl->operations & 1U << i) == 0)
            continue;
        weir_buffer_printf(out, "%s%s%s%s", separator, quote, acl_operation_names[i], quote);
        separator = ", ";
    }
}

/* Names are quoted: YAML takes some for numbers, or for nothing. */
static void write_user(const struct acl_settings *settings, const char *program, struct weir_buffer *out)
{
    weir_buffer_printf(out,
        "---\napiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaUser\nmetadata:\n  name: \"%s\"\n"
        "  labels: {strimzi.io/cluster: \"%s\"}\nspec:\n  authentication: {type: tls}\n"
        "  authorization:\n    type: simple\n    acls:\n",
        program, settings->strimzi);
}

static void write_rule(const struct acl *acl, struct weir_buffer *out)
{
    weir_buffer_printf(out,
        "      - resource: {type: %s, name: \"%s\", patternType: %s}\n        operations: [",
        resources[acl->resource].name, acl->name, acl->prefixed ? "prefix" : "literal");
    write_operations(acl, "", out);
    weir_buffer_append_str(out, "]\n");
}

static void write_json(const struct acl *acl, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "{\"program\":");
    weir_buffer_append_json_string(out, weir_bytes_str(acl->program));
    weir_buffer_printf(out, ",\"resource\":\"%s\",\"name\":", resources[acl->resource].name);
    weir_buffer_append_json_string(out, weir_bytes_str(acl->name));
    weir_buffer_printf(out, ",\"prefixed\":%s,\"operations\":[", acl->prefixed ? "true" : "false");
    write_operations(acl, "\"", out);
    weir_buffer_append_str(out, "]}");
}

static void write_plan(const struct weirctl *ctl, const struct acl_plan *plan, struct weir_buffer *out)
{
    const struct acl_settings *settings = ctl->arguments->settings;
    const char *program = "";

    for (size_t i = 0; i < plan->count; i++) {
        const struct acl *acl = &plan->list[i];
        bool other = strcmp(program, acl->program) != 0;
        program = acl->program;
        if (ctl->arguments->json) {
            weir_buffer_append_str(out, i == 0 ? "[" : ",\n ");
            write_json(acl, out);
        } else if (settings->strimzi != NULL) {
            if (other)
                write_user(settings, program, out);
            write_rule(acl, out);
        } else {
            if (other)
                weir_buffer_printf(out, "%s# %s\n", i > 0 ? "\n" : "", program);
            write_command(ctl, acl, out);
        }
    }
    weir_buffer_append_str(out, ctl->arguments->json ? "]\n" : "");
}

int acl_plan_run(struct weirctl *ctl, struct weir_error *err)
{
    WEIR_CLEANUP(acl_plan) struct acl_plan plan = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    const char *principal = ((const struct acl_settings *)ctl->arguments->settings)->principal;

    if (strstr(principal, place_of_name) == NULL)
        return weir_error_set(err, WEIR_E_USAGE,
            "--principal %s: all programs would be one to Kafka; write {} where their names go, e.g. "
            "User:CN={}",
            principal);
    int code = acl_plan_make(ctl->deployment, &plan, err);
    if (code < 0)
        return code;
    write_plan(ctl, &plan, &out);
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}
