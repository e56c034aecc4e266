#include "gateway/journey_mails.h"

#include "common/json.h"
#include "gateway/read_job.h"

#include <string.h>

enum { MAILS_MAX = 20 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* Hidden, it tells whose address it is only who knows it: a***@example.org. */
static void append_address(struct weir_buffer *out, const char *address, bool hides)
{
    WEIR_CLEANUP(buffer) struct weir_buffer shown = {0};
    const char *at = strrchr(address, '@');
    size_t first = at != NULL && at > address ? weir_utf8_next(weir_bytes_str(address)) : 0;
    if (hides)
        weir_buffer_printf(&shown, "%.*s***%s", (int)first, address, at != NULL ? at : "");
    else
        weir_buffer_append_str(&shown, address);
    weir_buffer_append_json_string(out, weir_buffer_bytes(&shown));
}

static void append_text(struct weir_buffer *out, const json_t *delivery, const char *name)
{
    weir_buffer_printf(out, ",\"%s\":", name);
    weir_buffer_append_json_string(out, weir_bytes_str(text_of(delivery, name)));
}

/* A server's reply may repeat the address. */
static void append_mail(struct weir_buffer *out, const json_t *delivery, bool hides)
{
    weir_buffer_printf(
        out, "{\"ts_ms\":%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(delivery, "ts_ms")));
    append_text(out, delivery, "status");
    append_text(out, delivery, "subscription");
    if (!hides)
        append_text(out, delivery, "reply");
    weir_buffer_append_str(out, ",\"recipient\":");
    append_address(out, text_of(delivery, "recipient"), hides);
    weir_buffer_append_str(out, "}");
}

/* As an array; NULL when memory is out. */
static json_t *mails_of(const json_t *deliveries, const char *request, bool hides)
{
    WEIR_CLEANUP(buffer) struct weir_buffer mails = {0};
    json_t *delivery, *array = NULL;
    size_t index, count = 0;
    weir_buffer_append_str(&mails, "[");
    json_array_foreach(deliveries, index, delivery)
    {
        if (count == MAILS_MAX || strcmp(text_of(delivery, "request"), request) != 0)
            continue;
        weir_buffer_append_str(&mails, count++ > 0 ? "," : "");
        append_mail(&mails, delivery, hides);
    }
    weir_buffer_append_str(&mails, "]");
    return mails.failed || weir_json_parse(weir_buffer_bytes(&mails), &array, NULL) < 0 ? NULL : array;
}

static bool made_a_change(const json_t *request)
{
    return strcmp(text_of(json_object_get(request, "ended"), "outcome"), "stored") == 0;
}

size_t weir_journey_write_changes(const json_t *journey, struct weir_buffer *out)
{
    size_t index, count = 0;
    json_t *request;
    json_array_foreach(json_object_get(journey, "requests"), index, request)
    {
        if (!made_a_change(request))
            continue;
        weir_buffer_append_str(out, count++ > 0 ? "%20" : "");
        weir_read_append_escaped(out, weir_bytes_str(text_of(request, "request")));
    }
    return count;
}

bool weir_journey_add_mails(json_t *journey, struct weir_bytes answer, bool hides)
{
    WEIR_CLEANUP(json) json_t *told = NULL;
    json_t *request;
    size_t index;
    if (weir_json_parse_object(answer, &told, NULL) < 0)
        return false;
    json_array_foreach(json_object_get(journey, "requests"), index, request)
    {
        if (!made_a_change(request))
            continue;
        json_t *mails = mails_of(json_object_get(told, "deliveries"), text_of(request, "request"), hides);
        if (mails == NULL || json_object_set_new(request, "mails", mails) < 0)
            return false;
    }
    return true;
}
