/* Every program's own view of the configuration: each is asked with --check-config, with what its unit on
 * this machine has. */
#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "deploy/weirctl/program.h"
#include "deploy/weirctl/text.h"
#include "deploy/weirctl/unit.h"
#include "deploy/weirctl/weirctl.h"

#include <stdio.h>
#include <string.h>

enum { EXIT_BAD = 78 };

struct check {
    const struct arguments *arguments;
    const struct weir_deployment *deployment;
    int64_t deadline_ms;
    struct weir_buffer json;
    struct text_table table;
    size_t bad, absent;
};

static const char *word_of(int status)
{
    return status == 0 ? "good" : status == PROGRAM_ABSENT ? "not installed here" : "bad";
}

/* The last line is the reason, behind the program's name; what is before it may be a log. */
static struct weir_bytes reason_of(const char *program, const struct weir_buffer *told)
{
    struct weir_bytes text = weir_buffer_bytes(told);
    size_t len = strlen(program);

    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
        text.len--;
    const char *line = text.len > 0 ? memrchr(text.data, '\n', text.len) : NULL;
    if (line != NULL)
        text = weir_bytes(line + 1, (size_t)(text.data + text.len - line - 1));
    if (text.len > len + 2 && memcmp(text.data, program, len) == 0 && memcmp(text.data + len, ": ", 2) == 0)
        text = weir_bytes(text.data + len + 2, text.len - len - 2);
    return text;
}

static void note(
    struct check *check, const char *program, const char *service, int status, const struct weir_buffer *told)
{
    struct weir_bytes why =
        status == 0 || status == PROGRAM_ABSENT ? weir_bytes_str("") : reason_of(program, told);
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0};

    check->bad += status != 0 && status != PROGRAM_ABSENT;
    check->absent += status == PROGRAM_ABSENT;
    weir_buffer_printf(
        &check->json, "%s{\"program\":\"%s\",\"service\":", check->json.len > 0 ? ",\n " : "", program);
    if (service[0] != '\0')
        weir_buffer_append_json_string(&check->json, weir_bytes_str(service));
    else
        weir_buffer_append_str(&check->json, "null");
    weir_buffer_printf(&check->json, ",\"ok\":%s,\"reason\":",
        status == 0                ? "true"
        : status == PROGRAM_ABSENT ? "null"
                                   : "false");
    weir_buffer_append_json_string(&check->json, why);
    weir_buffer_append_str(&check->json, "}");
    weir_buffer_printf(&name, "%s%s%s", program, service[0] != '\0' ? " " : "", service);
    text_table_add(&check->table, weir_buffer_bytes(&name));
    text_table_add(&check->table, weir_bytes_str(word_of(status)));
    text_table_add(&check->table, why);
}

static int ask(struct check *check, const char *program, const char *service, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer told = {0};
    const char *flag = service[0] != '\0' ? "--service" : NULL;
    const char *const arguments[] = {
        program, "--config", check->arguments->config_path, "--check-config", flag, service, NULL};
    struct unit unit;
    int status = 0;

    int code =
        unit_enter(UNIT_ENVIRONMENT, UNIT_CREDENTIALS, service[0] != '\0' ? service : "gateway", &unit, err);
    if (code < 0)
        return code;
    code = program_run((char *const *)(uintptr_t)arguments, check->deadline_ms, &told, &told, &status, err);
    unit_leave(&unit);
    if (code == 0)
        note(check, program, service, status, &told);
    return code;
}

static int ask_all(struct check *check, struct weir_error *err)
{
    int code = ask(check, "weir-gateway", "", err);

    for (size_t i = 0; i < check->deployment->service_count && code == 0; i++)
        code = ask(check, "weir-consumer", check->deployment->services[i].name, err);
    return code;
}

/* What weirctl itself can't read nobody else can: they are asked only when it is good. */
static int check_all(struct check *check, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    WEIR_CLEANUP(buffer) struct weir_buffer told = {0};
    struct weir_error why = {0};

    int code = weir_deployment_load(check->arguments->config_path, &deployment, &why);
    if (code == 0)
        code = weir_kafka_check_version(deployment, &why);
    weir_buffer_append_str(&told, why.text);
    note(check, "weirctl", "", weir_code_exit_status(code), &told);
    check->deployment = deployment;
    return code == 0 ? ask_all(check, err) : 0;
}

int config_check_run(struct weirctl *ctl, struct weir_error *err)
{
    struct check check = {.arguments = ctl->arguments,
        .deadline_ms = weir_clock_ms() + ctl->arguments->timeout_ms,
        .table = {.columns = 3}};

    int code = check_all(&check, err);
    if (code == 0 && (check.json.failed || check.table.cells.failed))
        code = weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code == 0 && ctl->arguments->json)
        printf("{\"ok\":%s,\"programs\":[%s]}\n", check.bad == 0 ? "true" : "false", check.json.data);
    else if (code == 0)
        text_table_print(&check.table, stdout);
    weir_buffer_done(&check.json);
    text_table_done(&check.table);
    return code == 0 && check.bad > 0 ? EXIT_BAD : code;
}
