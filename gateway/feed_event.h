/* A change event on its way to clients of the feed, in the view that a client asks for. */
#ifndef WEIR_GATEWAY_FEED_EVENT_H
#define WEIR_GATEWAY_FEED_EVENT_H

#include "common/bytes.h"
#include "common/deployment.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum weir_feed_view {
    WEIR_FEED_KEYS_ONLY,
    WEIR_FEED_NEW_IMAGE,
    WEIR_FEED_OLD_IMAGE,
    WEIR_FEED_NEW_AND_OLD_IMAGES,
};

/* Shared by all that send it. */
struct weir_feed_event {
    atomic_int references;
    int32_t partition;
    int64_t offset;
    size_t len;
    char value[]; /* JSON, an object */
};

/* A copy with one reference; NULL for what is no event: a tombstone, a record that somebody else wrote; or
 * when memory is out. Threads: any. */
struct weir_feed_event *weir_feed_event_new(int32_t partition, int64_t offset, struct weir_bytes value);
struct weir_feed_event *weir_feed_event_ref(struct weir_feed_event *event);
/* Accepts NULL. */
void weir_feed_event_unref(struct weir_feed_event *event);

/* The view of that name; false for none. */
bool weir_feed_view_read(const char *name, enum weir_feed_view *ret_view);
/* Whether events of the collection hold what the view shows. */
bool weir_feed_view_is_held(enum weir_feed_view view, const struct weir_collection *collection);

/* Appends the event's JSON in that view. */
void weir_feed_event_write(
    const struct weir_feed_event *event, enum weir_feed_view view, struct weir_buffer *out);

#endif
