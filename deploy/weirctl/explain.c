#include "deploy/weirctl/explain.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/topic.h"
#include "deploy/weirctl/mails.h"

#include <inttypes.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* ---- the change event */

/* The document after the command, as far as it can be told without the store; data NULL: there is none, or it
 * can't. */
static struct weir_bytes write_after(
    const struct explain *explain, const struct weir_collection *collection, struct weir_buffer *out)
{
    const char *operation = text_of(explain->request, "operation");
    struct weir_bytes body = weir_buffer_bytes(&explain->body);
    WEIR_CLEANUP(buffer) struct weir_buffer key = {0};

    if (strcmp(operation, "merge") == 0)
        weir_json_merge(weir_buffer_bytes(&explain->before), body, out);
    if (strcmp(operation, "create") != 0 && strcmp(operation, "replace") != 0)
        return weir_buffer_bytes(out);
    weir_buffer_append_json_string(&key, weir_bytes_str(text_of(explain->request, "key")));
    if (weir_json_member(body, collection->key_field).data != NULL)
        weir_buffer_append_bytes(out, body);
    else
        weir_json_splice_first(body, collection->key_field, weir_buffer_bytes(&key), out);
    return weir_buffer_bytes(out);
}

static const char *op_of(const struct explain *explain)
{
    if (strcmp(text_of(explain->request, "operation"), "delete") == 0)
        return "d";
    return explain->before.len > 0 ? "u" : "c";
}

/* False: what comes of the command depends on the stored document. */
static bool write_event(
    const struct explain *explain, const struct weir_collection *collection, struct weir_buffer *out)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    WEIR_CLEANUP(json) json_t *parsed = NULL;
    struct weir_bytes after = write_after(explain, collection, &text);
    const char *op = op_of(explain);

    if (op[0] != 'd' && weir_json_parse_object(after, &parsed, NULL) < 0)
        return false;
    weir_buffer_printf(out, "{\"op\":\"%s\",\"collection\":\"%s\",\"key\":", op, collection->name);
    weir_buffer_append_json_string(out, weir_bytes_str(text_of(explain->request, "key")));
    weir_buffer_printf(out, ",\"version\":%d,\"request\":\"%s\",\"ts_ms\":%" PRId64, op[0] == 'c' ? 1 : 2,
        text_of(explain->request, "request"), weir_clock_wall_ms());
    if (explain->before.len > 0 && collection->changes_view == WEIR_VIEW_NEW_AND_OLD_IMAGES) {
        weir_buffer_append_str(out, ",\"before\":");
        weir_buffer_append_bytes(out, weir_buffer_bytes(&explain->before));
    }
    if (op[0] != 'd') {
        weir_buffer_append_str(out, ",\"after\":");
        weir_buffer_append_bytes(out, after);
    }
    weir_buffer_append_str(out, "}");
    return !out->failed;
}

/* ---- the services */

/* The longest wait before each further execution: exponential, with full jitter below it. */
static json_t *waits_of(const struct weir_service *service)
{
    json_t *waits = json_array();
    int64_t wait_ms = service->retry_backoff_ms;

    for (int64_t i = 1; i < service->attempts; i++) {
        if (wait_ms > service->retry_backoff_max_ms)
            wait_ms = service->retry_backoff_max_ms;
        json_array_append_new(waits, json_integer(wait_ms));
        wait_ms *= 2;
    }
    return waits;
}

/* NULL: the service mails nobody, or what it would say can't be told. */
static int add_mails(const struct explain *explain, const struct weir_service *service,
    const struct weir_buffer *event, json_t *told, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer mails = {0};
    json_t *list = NULL;

    if (event->len == 0 || !mails_is_notifier(service))
        return 0;
    int code = mails_write(explain->ctl->deployment, service, weir_buffer_bytes(event), &mails, err);
    if (code == 0)
        code = weir_json_parse(weir_buffer_bytes(&mails), &list, err);
    if (code == 0)
        json_object_set_new(told, "mails", list);
    return code < 0 ? weir_error_prefix(err, "service %s", service->name) : 0;
}

static int add_own_topic(json_t *told, const char *name, const char *source,
    const struct weir_service *service, const char *suffix, struct weir_error *err)
{
    char topic[WEIR_TOPIC_NAME_BYTES];

    int code = weir_topic_of_service(source, service->name, suffix, topic, err);
    return code < 0 ? code : json_object_set_new(told, name, json_string(topic));
}

static int add_service(struct explain *explain, const struct weir_service *service, const char *source,
    const struct weir_buffer *event, struct weir_error *err)
{
    json_t *told = json_pack("{s:s, s:s, s:s, s:O, s:s, s:I, s:s, s:o}", "service", service->name, "plugin",
        service->plugin, "topic", source, "partition", json_object_get(explain->request, "partition"),
        "group", service->group, "executions", (json_int_t)service->attempts, "order",
        service->retry_order == WEIR_RETRY_ORDER_KEY ? "key" : "none", "waits_ms", waits_of(service));

    if (told == NULL || json_array_append_new(explain->services, told) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = add_own_topic(told, "retry", source, service, "retry", err);
    if (code == 0)
        code = add_own_topic(told, "dead_letters", source, service, "dlq", err);
    return code == 0 ? add_mails(explain, service, event, told, err) : code;
}

static int add_readers(
    struct explain *explain, const char *topic, const struct weir_buffer *event, struct weir_error *err)
{
    const struct weir_deployment *deployment = explain->ctl->deployment;
    int code = 0;

    for (size_t i = 0; i < deployment->service_count; i++)
        for (char **source = deployment->services[i].source_topics; *source != NULL && code == 0; source++)
            if (strcmp(*source, topic) == 0)
                code = add_service(explain, &deployment->services[i], topic, event, err);
    return code;
}

int explain_follow(struct explain *explain, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer event = {0};
    const struct weir_buffer none = {0};
    const struct weir_collection *collection =
        weir_deployment_collection(explain->ctl->deployment, text_of(explain->request, "collection"));

    explain->services = json_array();
    if (json_integer_value(json_object_get(explain->request, "status")) != 202 || collection == NULL)
        return 0;
    json_object_set_new(explain->request, "changes", json_string(collection->changes_topic));
    if (!write_event(explain, collection, &event))
        weir_buffer_clear(&event);
    int code = add_readers(explain, collection->command_topic, &none, err);
    return code == 0 ? add_readers(explain, collection->changes_topic, &event, err) : code;
}
