/* What a configuration does with one request: its route, its record, who handles it, and who is mailed.
 * Nothing is written and nobody is asked but the gateway's own program. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/topic.h"
#include "deploy/weirctl/explain.h"
#include "deploy/weirctl/program.h"
#include "deploy/weirctl/weirctl.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BODY_BYTES_MAX = 32 << 20 };

static const struct weir_option rows[] = {
    {.key = "--body",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct explain_flags, body),
        .help = "FILE: the request's body; - is standard input"},
    {.key = "--before",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct explain_flags, before),
        .help = "FILE: the document as it is before, for what changes one that is there"},
};

static const char *const verbs[] = {"explain", "explain"};

const struct flag_table explain_flags = {
    rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct explain_flags)};

static int read_file(const char *path, struct weir_buffer *out, struct weir_error *err)
{
    if (path == NULL)
        return 0;
    int code = weir_file_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, BODY_BYTES_MAX, out, NULL, err);
    return code == WEIR_E_NOT_FOUND ? WEIR_E_USAGE : code;
}

static int check_before(const struct explain *explain, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *document = NULL;

    if (explain->flags->before == NULL)
        return 0;
    return weir_json_parse_object(weir_buffer_bytes(&explain->before), &document, err) < 0
               ? weir_error_prefix(err, "--before %s", explain->flags->before)
               : 0;
}

/* The body goes on to the gateway's program by a file that only exists in memory. */
static int make_body_file(const struct explain *explain, char path[static 64], struct weir_error *err)
{
    int fd = memfd_create("body", 0);
    size_t done = 0;
    ssize_t put = 0;

    for (; fd >= 0 && put >= 0 && done<explain->body.len; done += put> 0 ? (size_t)put : 0)
        put = write(fd, explain->body.data + done, explain->body.len - done);
    if (fd < 0 || put < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "no memory for the body");
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static int take_answer(struct explain *explain, int status, const struct weir_buffer *out,
    const struct weir_buffer *told, struct weir_error *err)
{
    struct weir_error invalid;

    if (status == PROGRAM_ABSENT)
        return weir_error_set(err, WEIR_E_UNSUPPORTED,
            "weir-gateway is not installed here, and it alone knows its routes: apt-get install "
            "weir-gateway");
    if (weir_json_parse_object(weir_buffer_bytes(out), &explain->request, &invalid) == 0)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG, "weir-gateway --try: %.*s", (int)told->len,
        told->data != NULL ? told->data : "no answer");
}

static int ask_gateway(struct explain *explain, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer line = {0}, out = {0}, told = {0};
    const struct arguments *arguments = explain->ctl->arguments;
    bool has_body = explain->flags->body != NULL;
    char path[64];
    int status = 0;

    weir_buffer_printf(&line, "%s %s", explain->method, explain->path);
    WEIR_CLEANUP(fd) int fd = has_body ? make_body_file(explain, path, err) : -1;
    if (has_body && fd < 0)
        return fd;
    const char *const words[] = {"weir-gateway", "--config", arguments->config_path, "--try", line.data,
        has_body ? "--body" : NULL, path, NULL};
    int code =
        program_run((char *const *)(uintptr_t)words, explain->ctl->deadline_ms, &out, &told, &status, err);
    return code < 0 ? code : take_answer(explain, status, &out, &told, err);
}

static int read_operands(struct explain *explain, struct weir_error *err)
{
    const struct arguments *arguments = explain->ctl->arguments;
    int count = arguments->operand_count;

    if (count < 1 || count > 2 || arguments->operands[count - 1][0] != '/')
        return weir_error_set(err, WEIR_E_USAGE,
            "say which request, e.g. weirctl config explain POST /v1/orders --body order.json");
    explain->path = arguments->operands[count - 1];
    explain->method = count == 2 ? arguments->operands[0] : explain->flags->body != NULL ? "POST" : "GET";
    int code = read_file(explain->flags->body, &explain->body, err);
    if (code == 0)
        code = read_file(explain->flags->before, &explain->before, err);
    return code == 0 ? check_before(explain, err) : code;
}

static int run(struct explain *explain, struct weir_error *err)
{
    int code = read_operands(explain, err);

    if (code == 0)
        code = ask_gateway(explain, err);
    if (code == 0)
        code = explain_follow(explain, err);
    return code == 0 ? explain_print(explain, err) : code;
}

int config_explain_run(struct weirctl *ctl, struct weir_error *err)
{
    struct explain explain = {.ctl = ctl, .flags = ctl->arguments->settings};

    int code = run(&explain, err);
    json_decref(explain.request);
    json_decref(explain.services);
    weir_buffer_done(&explain.body);
    weir_buffer_done(&explain.before);
    return code;
}
