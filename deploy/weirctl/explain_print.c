#include "common/http.h"
#include "deploy/weirctl/explain.h"
#include "deploy/weirctl/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { WAITS_SHOWN = 8 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static void append(struct weir_buffer *out, const char *before, const char *text)
{
    weir_buffer_append_str(out, before);
    text_append_safe(out, weir_bytes_str(text), false);
}

static void append_problem(struct weir_buffer *out, const json_t *problem)
{
    const json_t *error;
    size_t index;

    append(out, "  refused    ", text_of(problem, "detail"));
    weir_buffer_append_str(out, "\n");
    json_array_foreach(json_object_get(problem, "errors"), index, error)
    {
        append(out, "             at \"", text_of(error, "pointer"));
        append(out, "\": ", text_of(error, "detail"));
        weir_buffer_append_str(out, "\n");
    }
}

static void append_request(struct weir_buffer *out, const struct explain *explain)
{
    const json_t *request = explain->request;
    int64_t status = number_of(request, "status");

    append(out, "", explain->method);
    append(out, " ", explain->path);
    if (status != 0)
        weir_buffer_printf(out, ": %" PRId64 " %s", status, weir_http_reason((unsigned)status));
    append(out, "\n  route      ", text_of(request, "route")[0] != '\0' ? text_of(request, "route") : "none");
    if (text_of(request, "scope")[0] != '\0')
        append(out, ", for keys with ", text_of(request, "scope"));
    weir_buffer_append_str(out, "\n");
    if (json_is_object(json_object_get(request, "problem")))
        append_problem(out, json_object_get(request, "problem"));
    if (text_of(request, "operation")[0] != '\0' && status == 202) {
        append(out, "  command    ", text_of(request, "operation"));
        append(out, " of ", text_of(request, "collection"));
        append(out, ", request ", text_of(request, "request"));
        weir_buffer_append_str(out, "\n");
    }
    if (json_object_get(request, "partition") != NULL) {
        append(out, "  record     ", text_of(request, "topic"));
        weir_buffer_printf(out, "/%" PRId64 " of %" PRId64 " partitions", number_of(request, "partition"),
            number_of(request, "partitions"));
        append(out, ", key ", text_of(request, "key"));
        weir_buffer_append_str(out, " (murmur2)\n");
    }
    if (status == 202) {
        append(out, "  change     ", text_of(request, "changes"));
        weir_buffer_printf(out, "/%" PRId64 "\n", number_of(request, "partition"));
    }
}

static void append_waits(struct weir_buffer *out, const json_t *service)
{
    const json_t *waits = json_object_get(service, "waits_ms");
    size_t count = json_array_size(waits);

    weir_buffer_printf(out, "  executes it %" PRId64 " times at most", number_of(service, "executions"));
    for (size_t i = 0; i < count && i < WAITS_SHOWN; i++)
        weir_buffer_printf(out, "%s%.10g s", i == 0 ? ", waits up to " : ", ",
            (double)json_integer_value(json_array_get(waits, i)) / 1000);
    if (count > WAITS_SHOWN)
        weir_buffer_printf(
            out, ", … %.10g s", (double)json_integer_value(json_array_get(waits, count - 1)) / 1000);
    weir_buffer_printf(out, "%s\n",
        strcmp(text_of(service, "order"), "key") == 0 ? "; later records of its key wait behind it" : "");
}

static void append_recipients(struct weir_buffer *out, const json_t *mail)
{
    const json_t *to;
    size_t index;

    json_array_foreach(json_object_get(mail, "to"), index, to)
        append(out, index > 0 ? ", " : "", json_string_value(to));
    if (json_array_size(json_object_get(mail, "to")) == 0)
        weir_buffer_append_str(out, "nobody");
}

static void append_mail(struct weir_buffer *out, const json_t *mail)
{
    const char *rule = text_of(mail, "rule");
    bool own = rule[0] == '\0';

    if (!json_is_true(json_object_get(mail, "matches"))) {
        append(out, "  no mail by [notify ", rule);
        weir_buffer_append_str(out, "]: the change is none of those that it is for\n");
        return;
    }
    weir_buffer_append_str(out, "  mails ");
    append_recipients(out, mail);
    append(out, own ? " by notifier.to" : " by [notify ", rule);
    append(out, own ? ", template " : "], template ", text_of(mail, "template"));
    if (text_of(mail, "subject")[0] != '\0')
        append(out, ": ", text_of(mail, "subject"));
    weir_buffer_append_str(out, "\n");
    if (text_of(mail, "fault")[0] != '\0') {
        append(out, "    but ", text_of(mail, "fault"));
        weir_buffer_append_str(out, "\n");
    }
}

static void append_service(struct weir_buffer *out, const struct explain *explain, const json_t *service)
{
    const json_t *mails = json_object_get(service, "mails"), *mail;
    size_t index;

    append(out, "\nservice ", text_of(service, "service"));
    append(out, " (", text_of(service, "plugin"));
    append(out, ") reads ", text_of(service, "topic"));
    weir_buffer_printf(out, "/%" PRId64, number_of(service, "partition"));
    append(out, " as group ", text_of(service, "group"));
    weir_buffer_append_str(out, "\n");
    append_waits(out, service);
    append(out, "  parks it in ", text_of(service, "retry"));
    append(out, ", gives up into ", text_of(service, "dead_letters"));
    weir_buffer_append_str(out, "\n");
    json_array_foreach(mails, index, mail) append_mail(out, mail);
    if (mails != NULL && explain->ctl->deployment->subscriptions != NULL)
        weir_buffer_append_str(out, "  and those of the documents in subscriptions that are for it\n");
}

static int print_json(const struct explain *explain, struct weir_error *err)
{
    json_object_set(explain->request, "services", explain->services);
    char *text = json_dumps(explain->request, JSON_COMPACT | JSON_ENCODE_ANY);

    if (text == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    puts(text);
    free(text);
    return 0;
}

static int print_text(const struct explain *explain, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    const json_t *service;
    size_t index;

    append_request(&out, explain);
    json_array_foreach(explain->services, index, service) append_service(&out, explain, service);
    if (out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}

int explain_print(const struct explain *explain, struct weir_error *err)
{
    int code = (explain->ctl->arguments->json ? print_json : print_text)(explain, err);
    return code == 0 && number_of(explain->request, "status") >= 400 ? EX_DATAERR : code;
}
