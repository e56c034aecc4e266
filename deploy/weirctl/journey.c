/* Where is my order? What became of a document's commands, asked of the gateway and drawn as lines. */
#include "common/clock.h"
#include "common/json.h"
#include "deploy/weirctl/http_client.h"
#include "deploy/weirctl/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_NOT_THERE = 4 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* Text of others, made safe, between words of our own. */
static void append(struct weir_buffer *out, const char *before, const char *text, const char *behind)
{
    if (text[0] == '\0')
        return;
    weir_buffer_append_str(out, before);
    text_append_safe(out, weir_bytes_str(text), false);
    weir_buffer_append_str(out, behind);
}

static void append_time(struct weir_buffer *out, const json_t *object)
{
    char time[WEIR_CLOCK_RFC3339_BYTES];
    const json_t *ts = json_object_get(object, "ts_ms");

    if (json_is_integer(ts))
        weir_buffer_printf(out, "  %s", weir_clock_rfc3339(json_integer_value(ts), time));
}

static const char *const operations[][2] = {{"c", "created"}, {"u", "updated"}, {"d", "deleted"}};

static const char *operation_of(const json_t *ended)
{
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        if (strcmp(operations[i][0], text_of(ended, "op")) == 0)
            return operations[i][1];
    return "";
}

static void append_errors(struct weir_buffer *out, const json_t *ended)
{
    const json_t *error;
    size_t index;

    append(out, "│       ", text_of(ended, "detail"), "\n");
    json_array_foreach(json_object_get(ended, "errors"), index, error)
    {
        append(out, "│       at \"", text_of(error, "pointer"), "\": ");
        append(out, "", text_of(error, "detail"), "");
        weir_buffer_append_str(out, "\n");
    }
}

static void append_letter(struct weir_buffer *out, const json_t *ended)
{
    const json_t *letter = json_object_get(ended, "letter");

    if (letter == NULL)
        return;
    append(out, "│       the letter lies in ", text_of(letter, "topic"), "");
    weir_buffer_printf(
        out, ", partition %" PRId64 ": weirctl dlq list --key …\n", number_of(letter, "partition"));
}

static void append_end(struct weir_buffer *out, const json_t *request)
{
    const json_t *ended = json_object_get(request, "ended"), *accepted = json_object_get(request, "accepted");
    int64_t executions = number_of(request, "executions");

    if (ended == NULL) {
        weir_buffer_append_str(out, "├─ … not ended yet\n");
        return;
    }
    append(out, "├─ ", text_of(ended, "outcome"), "");
    append(out, ", ", operation_of(ended), "");
    if (json_object_get(ended, "version") != NULL)
        weir_buffer_printf(out, " as version %" PRId64, number_of(ended, "version"));
    append(out, ": ", text_of(ended, "error"), "");
    append(out, "  ", text_of(ended, "change"), "");
    append_time(out, ended);
    if (json_object_get(accepted, "ts_ms") != NULL)
        weir_buffer_printf(
            out, "  after %" PRId64 " ms", number_of(ended, "ts_ms") - number_of(accepted, "ts_ms"));
    if (executions > 1)
        weir_buffer_printf(out, ", executed %" PRId64 " times", executions);
    weir_buffer_append_str(out, "\n");
    append_errors(out, ended);
    append_letter(out, ended);
}

static void append_mails(struct weir_buffer *out, const json_t *request)
{
    const json_t *mail;
    size_t index;

    json_array_foreach(json_object_get(request, "mails"), index, mail)
    {
        append(out, "│   └─ mail ", text_of(mail, "status"), "");
        append(out, " to ", text_of(mail, "recipient"), "");
        append(out, " by ", text_of(mail, "subscription"), "");
        append(out, ", \"", text_of(mail, "reply"), "\"");
        append_time(out, mail);
        weir_buffer_append_str(out, "\n");
    }
}

static void append_request(struct weir_buffer *out, const json_t *request)
{
    const json_t *accepted = json_object_get(request, "accepted");

    append(out, "│\n● accepted  ", text_of(accepted, "at"), "");
    append_time(out, accepted);
    append(out, "  request ", text_of(request, "request"), "\n");
    append_end(out, request);
    append_mails(out, request);
}

static void append_document(struct weir_buffer *out, const json_t *journey)
{
    const json_t *document = json_object_get(journey, "document");

    append(out, "│\n○ ", text_of(journey, "collection"), "");
    append(out, "/", text_of(journey, "key"), "");
    if (json_is_object(document)) {
        weir_buffer_printf(out, " is version %" PRId64 ", changed", number_of(document, "version"));
        append_time(out, document);
    } else {
        weir_buffer_append_str(out, " is not there");
    }
    append(out, "\n  commands behind these wait: ", text_of(journey, "waiting"), "");
    weir_buffer_append_str(out, "\n");
}

/* Answered is the newest first; drawn in the order in which things happened. */
static int draw(const json_t *journey, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    const json_t *requests = json_object_get(journey, "requests");

    weir_buffer_append_str(
        &out, json_is_true(json_object_get(journey, "more")) ? "… older ones are left out\n" : "");
    for (size_t i = json_array_size(requests); i > 0; i--)
        append_request(&out, json_array_get(requests, i - 1));
    append_document(&out, journey);
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}

static int refuse(const struct http_answer *answer)
{
    WEIR_CLEANUP(buffer) struct weir_buffer told = {0};

    http_answer_tell(answer, &told);
    fprintf(stderr, "weirctl: %s\n", told.data != NULL ? told.data : "");
    return (int)(answer->status / 100);
}

static int take_answer(const struct weirctl *ctl, const struct http_answer *answer, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *journey = NULL;
    struct weir_error invalid;

    if (answer->status != 200)
        return refuse(answer);
    if (weir_json_parse_object(weir_buffer_bytes(&answer->body), &journey, &invalid) < 0)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "the gateway's answer is no JSON: %s", invalid.text);
    if (!ctl->arguments->json)
        return draw(journey, err);
    text_print_json(weir_buffer_bytes(&answer->body), stdout);
    puts("");
    return 0;
}

static int ask(struct weirctl *ctl, struct http_client *client, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer path = {0};
    struct http_answer answer = {0};
    const char *key = ctl->arguments->operands[1];
    char *escaped = curl_easy_escape(client->easy, key, (int)strlen(key));

    weir_buffer_printf(
        &path, "/v1/%s/%s:journey", ctl->arguments->operands[0], escaped != NULL ? escaped : "");
    curl_free(escaped);
    const struct http_request request = {.method = "GET", .path = path.data};
    int code = http_client_call(client, &request, &answer, err);
    if (code == 0)
        code = take_answer(ctl, &answer, err);
    http_answer_done(&answer);
    return code;
}

int journey_run(struct weirctl *ctl, struct weir_error *err)
{
    struct http_client client;

    if (ctl->arguments->operand_count != 2 || strpbrk(ctl->arguments->operands[0], "/?#:% ") != NULL)
        return weir_error_set(err, WEIR_E_USAGE, "say whose journey: weirctl journey COLLECTION KEY");
    int code = http_client_open(ctl, ctl->arguments->settings, &client, err);
    if (code == 0)
        code = ask(ctl, &client, err);
    http_client_close(&client);
    return code;
}
