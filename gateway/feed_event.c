#include "gateway/feed_event.h"

#include "common/json.h"

#include <stdlib.h>
#include <string.h>

struct weir_feed_event *weir_feed_event_new(int32_t partition, int64_t offset, struct weir_bytes value)
{
    WEIR_CLEANUP(json) json_t *parsed = NULL;
    if (value.data == NULL || weir_json_parse_event(value, &parsed, NULL) < 0)
        return NULL;
    struct weir_feed_event *event = malloc(sizeof(*event) + value.len);
    if (event == NULL)
        return NULL;
    atomic_init(&event->references, 1);
    event->partition = partition;
    event->offset = offset;
    event->len = value.len;
    memcpy(event->value, value.data, value.len);
    return event;
}

struct weir_feed_event *weir_feed_event_ref(struct weir_feed_event *event)
{
    atomic_fetch_add_explicit(&event->references, 1, memory_order_relaxed);
    return event;
}

void weir_feed_event_unref(struct weir_feed_event *event)
{
    if (event != NULL && atomic_fetch_sub_explicit(&event->references, 1, memory_order_acq_rel) == 1)
        free(event);
}

bool weir_feed_view_read(const char *name, enum weir_feed_view *ret_view)
{
    static const char *const names[] = {"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_view = (enum weir_feed_view)i;
            return true;
        }
    }
    return false;
}

bool weir_feed_view_is_held(enum weir_feed_view view, const struct weir_collection *collection)
{
    return view == WEIR_FEED_KEYS_ONLY || view == WEIR_FEED_NEW_IMAGE ||
           collection->changes_view == WEIR_VIEW_NEW_AND_OLD_IMAGES;
}

void weir_feed_event_write(
    const struct weir_feed_event *event, enum weir_feed_view view, struct weir_buffer *out)
{
    static const struct {
        const char *name;
        unsigned views; /* a bit for each that shows it */
    } members[] = {{"op", 15}, {"collection", 15}, {"key", 15}, {"version", 15}, {"request", 15},
        {"ts_ms", 15}, {"reason", 15},
        {"before", 1U << WEIR_FEED_OLD_IMAGE | 1U << WEIR_FEED_NEW_AND_OLD_IMAGES},
        {"after", 1U << WEIR_FEED_NEW_IMAGE | 1U << WEIR_FEED_NEW_AND_OLD_IMAGES}};
    const struct weir_bytes value = weir_bytes(event->value, event->len);
    const char *separator = "{";
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        struct weir_bytes member = weir_json_member(value, members[i].name);
        if (member.data == NULL || (members[i].views & 1U << view) == 0)
            continue;
        weir_buffer_printf(out, "%s\"%s\":", separator, members[i].name);
        weir_buffer_append_bytes(out, member);
        separator = ",";
    }
    weir_buffer_append_str(out, separator[0] == '{' ? "{}" : "}");
}
