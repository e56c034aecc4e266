/* A request to the gateway as a client would make it: what comes back, and how long it took. */
#include "common/file.h"
#include "common/http.h"
#include "deploy/weirctl/http_client.h"
#include "deploy/weirctl/progress.h"
#include "deploy/weirctl/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_BYTES_MAX = 32 << 20, STATUS_END = 600, EXIT_NOTHING = 69 };

struct send_flags {
    struct http_flags http; /* first: HTTP_FLAG_ROWS */
    char *body;
    char **headers;
    int64_t count;
};

static const struct weir_option rows[] = {
    HTTP_FLAG_ROWS,
    {.key = "--body",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct send_flags, body),
        .help = "FILE: the request's body; - is standard input"},
    {.key = "--header",
        .type = WEIR_OPTION_LIST,
        .offset = offsetof(struct send_flags, headers),
        .help = "NAME: VALUE: a header, e.g. 'Prefer: wait=5'; may be repeated"},
    {.key = "--count",
        .type = WEIR_OPTION_INTEGER,
        .offset = offsetof(struct send_flags, count),
        .fallback = "1",
        .min = 1,
        .max = 10000000,
        .help = "NUMBER: so many requests, one after the other on one connection"},
};

static const char *const verbs[] = {
    "send journey", "send journey", "send journey", "send journey", "send journey", "send", "send", "send"};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == sizeof(verbs) / sizeof(verbs[0]), "a row has its verbs");

const struct flag_table send_flags = {rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct send_flags)};

struct sending {
    struct http_client client;
    const struct send_flags *flags;
    struct http_request request;
    struct weir_buffer body;
    int64_t statuses[STATUS_END];
    int64_t *took_us;         /* of each answer */
    int64_t answers, silent;  /* silent: there was no answer */
    struct http_answer shown; /* the worst, else the last */
    struct weir_error why;    /* of the first without an answer */
};

static const struct {
    const char *method, *content_type;
} media_types[] = {
    {"POST", "application/json"}, {"PUT", "application/json"}, {"PATCH", "application/merge-patch+json"}};

static const char *media_type_of(const char *method)
{
    for (size_t i = 0; i < sizeof(media_types) / sizeof(media_types[0]); i++)
        if (strcmp(media_types[i].method, method) == 0)
            return media_types[i].content_type;
    return NULL;
}

static int read_body(struct sending *sending, struct weir_error *err)
{
    const char *path = sending->flags->body;

    if (path == NULL)
        return 0;
    int code = weir_file_read(
        strcmp(path, "-") == 0 ? "/dev/stdin" : path, BODY_BYTES_MAX, &sending->body, NULL, err);
    if (code < 0)
        return code == WEIR_E_NOT_FOUND ? WEIR_E_USAGE : code;
    sending->request.body =
        weir_bytes(sending->body.data != NULL ? sending->body.data : "", sending->body.len);
    sending->request.content_type = media_type_of(sending->request.method);
    return 0;
}

static bool is_method(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool is_control(char byte)
{
    return (unsigned char)byte < ' ' || byte == 0x7f;
}

/* RFC 9110, 5.1 and 5.5. curl itself leaves a header without a value out, and sends any byte of others. */
static int check_header(const char *header, struct weir_error *err)
{
    static const char name[] =
        "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *value = header + strspn(header, name);
    bool named = value > header && *value == ':';

    value += named;
    value += strspn(value, " \t");
    bool empty = *value == '\0';
    while (*value != '\0' && (!is_control(*value) || *value == '\t'))
        value++;
    if (named && !empty && *value == '\0')
        return 0;
    return weir_error_set(err, WEIR_E_USAGE,
        "--header %s: it is written NAME: VALUE, without control characters, e.g. 'Prefer: wait=5'", header);
}

/* What is behind a # is for who shows the answer: no server sees it. */
static int check_path(const char *path, struct weir_error *err)
{
    for (const char *at = path; *at != '\0'; at++)
        if (is_control(*at) || *at == ' ' || *at == '#')
            return weir_error_set(err, WEIR_E_USAGE,
                "%s: a space, # or control character of a path is written %%%02X", path, (unsigned)*at);
    return 0;
}

/* [METHOD] PATH; a body makes it a POST. */
static int read_operands(struct sending *sending, const struct weirctl *ctl, struct weir_error *err)
{
    int count = ctl->arguments->operand_count;
    char **operands = ctl->arguments->operands;

    if (count < 1 || count > 2 || operands[count - 1][0] != '/' || (count == 2 && !is_method(operands[0])))
        return weir_error_set(
            err, WEIR_E_USAGE, "say what to ask for, e.g. weirctl send POST /v1/orders --body order.json");
    int code = check_path(operands[count - 1], err);
    for (char **header = sending->flags->headers; header != NULL && *header != NULL && code == 0; header++)
        code = check_header(*header, err);
    if (code < 0)
        return code;
    sending->request.method = count == 2 ? operands[0] : sending->flags->body != NULL ? "POST" : "GET";
    sending->request.path = operands[count - 1];
    sending->request.headers = sending->flags->headers;
    return read_body(sending, err);
}

/* A request without an answer is none: that the key can't be read is an error, that nobody listens a result.
 */
static int send_once(struct sending *sending, struct http_answer *answer, struct weir_error *err)
{
    struct weir_error why = {0};

    int code = http_client_call(&sending->client, &sending->request, answer, &why);
    if (code == WEIR_E_UNAVAILABLE) {
        if (sending->silent++ == 0)
            sending->why = why;
        return 0;
    }
    if (code < 0) {
        *err = why;
        return code;
    }
    sending->took_us[sending->answers++] = answer->took_us;
    if (answer->status >= 0 && answer->status < STATUS_END)
        sending->statuses[answer->status]++;
    if (answer->status / 100 >= sending->shown.status / 100) {
        struct http_answer before = sending->shown;
        sending->shown = *answer;
        *answer = before;
    }
    return 0;
}

static int send_all(struct sending *sending, struct weir_error *err)
{
    struct http_answer answer = {0};
    struct progress progress;
    int code = 0;

    progress_begin(&progress);
    for (int64_t i = 0; i < sending->flags->count && code == 0; i++) {
        code = send_once(sending, &answer, err);
        progress_count(&progress, i + 1, sending->flags->count, "requests", "sending");
    }
    progress_end(&progress);
    http_answer_done(&answer);
    return code;
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static double percentile_ms(const struct sending *sending, int64_t percent)
{
    int64_t last = sending->answers - 1;
    return last < 0 ? 0 : (double)sending->took_us[last * percent / 100] / 1000;
}

static const struct {
    const char *name;
    int64_t percent;
} marks[] = {{"min", 0}, {"p50", 50}, {"p90", 90}, {"p99", 99}, {"max", 100}};

enum { MARKS = sizeof(marks) / sizeof(marks[0]) };

static void write_json(const struct sending *sending, struct weir_buffer *out)
{
    const char *separator = "";

    weir_buffer_append_str(out, "{\"method\":");
    weir_buffer_append_json_string(out, weir_bytes_str(sending->request.method));
    weir_buffer_append_str(out, ",\"url\":");
    weir_buffer_append_json_string(out, weir_buffer_bytes(&sending->client.base));
    out->len -= out->len > 0; /* the path goes within the quotes */
    WEIR_CLEANUP(buffer) struct weir_buffer path = {0};
    weir_buffer_append_json_string(&path, weir_bytes_str(sending->request.path));
    weir_buffer_append_str(out, path.data != NULL ? path.data + 1 : "\"");
    weir_buffer_printf(out, ",\"answers\":%" PRId64 ",\"silent\":%" PRId64 ",\"statuses\":{",
        sending->answers, sending->silent);
    for (int status = 0; status < STATUS_END; status++)
        if (sending->statuses[status] > 0) {
            weir_buffer_printf(out, "%s\"%d\":%" PRId64, separator, status, sending->statuses[status]);
            separator = ",";
        }
    weir_buffer_append_str(out, "},\"latency_ms\":{");
    for (size_t i = 0; i < MARKS; i++)
        weir_buffer_printf(
            out, "%s\"%s\":%.3f", i > 0 ? "," : "", marks[i].name, percentile_ms(sending, marks[i].percent));
    weir_buffer_printf(out, "},\"status\":%ld,\"headers\":", sending->shown.status);
    weir_buffer_append_json_string(out, weir_buffer_bytes(&sending->shown.headers));
    weir_buffer_append_str(out, ",\"body\":");
    weir_buffer_append_json_string(out, weir_buffer_bytes(&sending->shown.body));
    weir_buffer_append_str(out, "}\n");
}

static void write_summary(const struct sending *sending, struct weir_buffer *out)
{
    for (int status = 0; status < STATUS_END; status++)
        if (sending->statuses[status] > 0)
            weir_buffer_printf(out, "%d %s: %" PRId64 "\n", status, weir_http_reason((unsigned)status),
                sending->statuses[status]);
    if (sending->silent > 0)
        weir_buffer_printf(
            out, "no answer: %" PRId64 ", the first: %s\n", sending->silent, sending->why.text);
    for (size_t i = 0; i < MARKS && sending->answers > 0; i++)
        weir_buffer_printf(
            out, "%s%s %.1f ms", i > 0 ? ", " : "", marks[i].name, percentile_ms(sending, marks[i].percent));
    weir_buffer_append_str(out, sending->answers > 0 ? "\n" : "");
}

static void write_answer(const struct sending *sending, struct weir_buffer *out)
{
    const struct http_answer *shown = &sending->shown;

    weir_buffer_printf(out, "%ld %s in %.1f ms\n", shown->status, weir_http_reason((unsigned)shown->status),
        (double)shown->took_us / 1000);
    for (const char *line = shown->headers.data; line != NULL && *line != '\0';) {
        size_t len = strcspn(line, "\r\n");
        text_append_safe(out, weir_bytes(line, len), false);
        weir_buffer_append_str(out, "\n");
        line += len + strspn(line + len, "\r\n");
    }
    if (shown->body.len > 0) {
        weir_buffer_append_str(out, "\n");
        text_append_safe(out, weir_buffer_bytes(&shown->body), true);
        weir_buffer_append_str(out, "\n");
    }
}

/* By the worst class of status: 0 for 2xx, 3, 4 or 5 for the others. */
static int status_of(const struct sending *sending)
{
    if (sending->silent > 0)
        return EXIT_NOTHING;
    int class = (int)(sending->shown.status / 100);
    return class == 2 ? 0 : class;
}

static int print(struct sending *sending, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    qsort(sending->took_us, (size_t)sending->answers, sizeof(int64_t), by_size);
    if (sending->client.ctl->arguments->json)
        write_json(sending, &out);
    else if (sending->flags->count > 1)
        write_summary(sending, &out);
    if (!sending->client.ctl->arguments->json && sending->answers > 0 &&
        (sending->flags->count == 1 || sending->shown.status / 100 != 2))
        write_answer(sending, &out);
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (sending->client.ctl->arguments->json)
        text_print_json(weir_buffer_bytes(&out), stdout);
    else
        fwrite(out.data != NULL ? out.data : "", 1, out.len, stdout);
    if (sending->silent > 0 && !sending->client.ctl->arguments->json && sending->flags->count == 1)
        fprintf(stderr, "weirctl: %s\n", sending->why.text);
    return status_of(sending);
}

int send_run(struct weirctl *ctl, struct weir_error *err)
{
    struct sending sending = {.flags = ctl->arguments->settings};

    int code = http_client_open(ctl, &sending.flags->http, &sending.client, err);
    if (code == 0)
        code = read_operands(&sending, ctl, err);
    sending.took_us = calloc((size_t)sending.flags->count, sizeof(*sending.took_us));
    if (code == 0 && sending.took_us == NULL)
        code = weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code == 0)
        code = send_all(&sending, err);
    if (code == 0)
        code = print(&sending, err);
    free(sending.took_us);
    http_answer_done(&sending.shown);
    weir_buffer_done(&sending.body);
    http_client_close(&sending.client);
    return code;
}
