#include "consumers/plugins/notifier/subscriptions.h"

#include "consumers/plugins/notifier/link.h"
#include "consumers/plugins/notifier/templates.h"

#include "common/json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 64 /* a power of two */ };

/* Owns its texts and its filter. */
struct entry {
    struct weir_subscription public;
    char *id, *collection, *template, *version;
    struct weir_filter *filter;
};

/* `entries` is dense, for the walk over all; `slots` finds one by its id: an index into entries plus 1, 0 for
 * none. `left` are those that were taken out, the last of them at left_until_ms. */
struct weir_subscriptions {
    struct entry **entries;
    size_t count;
    uint32_t *slots;
    size_t slot_count;
    struct entry **left;
    size_t left_count;
    int64_t left_until_ms;
};

struct weir_subscriptions *weir_subscriptions_new(void)
{
    struct weir_subscriptions *subscriptions = calloc(1, sizeof(*subscriptions));

    if (subscriptions == NULL)
        return NULL;
    subscriptions->slot_count = FIRST_SLOTS;
    subscriptions->slots = calloc(FIRST_SLOTS, sizeof(*subscriptions->slots));
    subscriptions->entries = calloc(FIRST_SLOTS / 2, sizeof(struct entry *));
    if (subscriptions->slots != NULL && subscriptions->entries != NULL)
        return subscriptions;
    weir_subscriptions_free(subscriptions);
    return NULL;
}

static void entry_free(struct entry *entry)
{
    if (entry == NULL)
        return;
    weir_filter_free(entry->filter);
    free(entry->id);
    free(entry->collection);
    free(entry->template);
    free(entry->version);
    free(entry);
}

void weir_subscriptions_free(struct weir_subscriptions *subscriptions)
{
    if (subscriptions == NULL)
        return;
    for (size_t i = 0; i < subscriptions->count; i++)
        entry_free(subscriptions->entries[i]);
    weir_subscriptions_forget(subscriptions, INT64_MAX);
    free(subscriptions->left);
    free(subscriptions->entries);
    free(subscriptions->slots);
    free(subscriptions);
}

/* FNV-1a. */
static uint64_t hash_of(struct weir_bytes id)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.data[i]) * 0x100000001b3;
    return hash;
}

/* The slot of the id, or the empty one where it belongs. */
static size_t slot_of(const struct weir_subscriptions *subscriptions, struct weir_bytes id)
{
    size_t at = (size_t)hash_of(id) & (subscriptions->slot_count - 1);

    while (subscriptions->slots[at] != 0 &&
           !weir_bytes_is(id, subscriptions->entries[subscriptions->slots[at] - 1]->id))
        at = (at + 1) & (subscriptions->slot_count - 1);
    return at;
}

static void fill_slots(struct weir_subscriptions *subscriptions)
{
    for (size_t i = 0; i < subscriptions->count; i++)
        subscriptions->slots[slot_of(subscriptions, weir_bytes_str(subscriptions->entries[i]->id))] =
            (uint32_t)i + 1;
}

/* Half of the slots stay empty. */
static int make_room(struct weir_subscriptions *subscriptions, struct weir_error *err)
{
    if (subscriptions->count < subscriptions->slot_count / 2)
        return 0;
    size_t slot_count = 2 * subscriptions->slot_count;
    struct entry **entries = reallocarray(subscriptions->entries, slot_count / 2, sizeof(struct entry *));
    if (entries != NULL)
        subscriptions->entries = entries;
    uint32_t *slots = entries != NULL ? calloc(slot_count, sizeof(*slots)) : NULL;
    if (slots == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    free(subscriptions->slots);
    subscriptions->slots = slots;
    subscriptions->slot_count = slot_count;
    fill_slots(subscriptions);
    return 0;
}

/* Closes the gap in the run of slots behind `hole`: each one that would not be found across it moves into it.
 */
static void close_gap(struct weir_subscriptions *subscriptions, size_t hole)
{
    size_t mask = subscriptions->slot_count - 1;

    subscriptions->slots[hole] = 0;
    for (size_t at = (hole + 1) & mask; subscriptions->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t moved = subscriptions->slots[at];
        subscriptions->slots[at] = 0;
        subscriptions->slots[slot_of(subscriptions, weir_bytes_str(subscriptions->entries[moved - 1]->id))] =
            moved;
    }
}

/* The entry of that id, which is the caller's then; NULL when there is none. */
static struct entry *take_out(struct weir_subscriptions *subscriptions, struct weir_bytes id)
{
    size_t slot = slot_of(subscriptions, id);
    if (subscriptions->slots[slot] == 0)
        return NULL;
    size_t index = subscriptions->slots[slot] - 1, last = subscriptions->count - 1;
    struct entry *gone = subscriptions->entries[index];
    close_gap(subscriptions, slot);
    if (index != last) {
        struct entry *moved = subscriptions->entries[last];
        subscriptions->slots[slot_of(subscriptions, weir_bytes_str(moved->id))] = (uint32_t)index + 1;
        subscriptions->entries[index] = moved;
    }
    subscriptions->count--;
    return gone;
}

/* Takes the entry. Without memory it is forgotten: its mails are not sent either way. */
static void remember(struct weir_subscriptions *subscriptions, struct entry *gone, int64_t until_ms)
{
    struct entry **left =
        reallocarray(subscriptions->left, subscriptions->left_count + 1, sizeof(struct entry *));
    if (left == NULL) {
        entry_free(gone);
        return;
    }
    subscriptions->left = left;
    left[subscriptions->left_count++] = gone;
    gone->public.until_ms = until_ms;
    if (until_ms > subscriptions->left_until_ms)
        subscriptions->left_until_ms = until_ms;
}

static int put_in(struct weir_subscriptions *subscriptions, struct entry *entry, struct weir_error *err)
{
    int code = make_room(subscriptions, err);
    if (code < 0)
        return code;
    size_t slot = slot_of(subscriptions, weir_bytes_str(entry->id));
    subscriptions->entries[subscriptions->count++] = entry;
    subscriptions->slots[slot] = (uint32_t)subscriptions->count;
    return 0;
}

static struct weir_bytes text_of(const json_t *document, const char *name)
{
    const json_t *value = json_object_get(document, name);
    return json_is_string(value) ? weir_bytes(json_string_value(value), json_string_length(value))
                                 : WEIR_BYTES_NULL;
}

static bool reads_filter(struct entry *entry, const json_t *document)
{
    json_t *policy = json_object_get(document, "filter");
    return policy == NULL || json_is_null(policy) ||
           weir_filter_parse(policy, &entry->filter, NULL, NULL) == 0;
}

/* False: the document is none that gets mails. */
static bool read_document(struct entry *entry, const json_t *document)
{
    struct weir_bytes endpoint = text_of(document, "endpoint"), collection = text_of(document, "collection"),
                      template = text_of(document, "template");

    if (!weir_bytes_is(text_of(document, "status"), "CONFIRMED") || endpoint.data == NULL ||
        collection.data == NULL || weir_mailbox_ascii(endpoint, entry->public.endpoint, NULL) < 0 ||
        !reads_filter(entry, document))
        return false;
    entry->collection = weir_bytes_dup(collection);
    entry->template = weir_bytes_dup(template.data != NULL ? template : weir_bytes_str(WEIR_TEMPLATE_CHANGE));
    return true;
}

static int make_entry(
    struct weir_bytes key, const json_t *event, struct entry **ret_entry, struct weir_error *err)
{
    struct entry *entry = calloc(1, sizeof(*entry));

    *ret_entry = NULL;
    if (entry == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (key.len > WEIR_LINK_ID_BYTES || !read_document(entry, json_object_get(event, "after"))) {
        entry_free(entry);
        return 0;
    }
    struct weir_bytes version = text_of(event, "request");
    entry->id = weir_bytes_dup(key);
    entry->version = weir_bytes_dup(version.data != NULL ? version : weir_bytes_str(""));
    if (entry->id == NULL || entry->version == NULL || entry->collection == NULL || entry->template == NULL) {
        entry_free(entry);
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    entry->public.id = entry->id;
    entry->public.version = entry->version;
    entry->public.since_ms = json_integer_value(json_object_get(event, "ts_ms"));
    entry->public.rule = (struct weir_rule){.name = entry->id,
        .collection = entry->collection,
        .filter = entry->filter,
        .template = entry->template};
    *ret_entry = entry;
    return 0;
}

int weir_subscriptions_apply(struct weir_subscriptions *subscriptions, struct weir_bytes key,
    struct weir_bytes event, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *root = NULL;
    struct entry *entry = NULL;

    if (weir_key_check(key, NULL) < 0)
        return 0;
    if (event.data != NULL && weir_json_parse_event(event, &root, NULL) == 0) {
        int code = make_entry(key, root, &entry, err);
        if (code < 0)
            return code;
    }
    struct entry *former = take_out(subscriptions, key);
    if (former != NULL && entry == NULL) {
        remember(subscriptions, former, json_integer_value(json_object_get(root, "ts_ms")));
        return 0;
    }
    if (former != NULL)
        entry->public.since_ms = former->public.since_ms;
    entry_free(former);
    int code = entry != NULL ? put_in(subscriptions, entry, err) : 0;
    if (code < 0)
        entry_free(entry);
    return code;
}

size_t weir_subscriptions_count(const struct weir_subscriptions *subscriptions)
{
    return subscriptions->count;
}

const struct weir_subscription *weir_subscriptions_at(
    const struct weir_subscriptions *subscriptions, size_t i)
{
    return &subscriptions->entries[i]->public;
}

static struct entry *find(const struct weir_subscriptions *subscriptions, struct weir_bytes id)
{
    size_t slot = slot_of(subscriptions, id);
    return subscriptions->slots[slot] != 0 ? subscriptions->entries[subscriptions->slots[slot] - 1] : NULL;
}

const struct weir_subscription *weir_subscriptions_find(
    const struct weir_subscriptions *subscriptions, struct weir_bytes id)
{
    const struct entry *entry = find(subscriptions, id);
    return entry != NULL ? &entry->public : NULL;
}

const struct weir_subscription *weir_subscriptions_next_left(
    const struct weir_subscriptions *subscriptions, int64_t at_ms, size_t *at)
{
    while (at_ms < subscriptions->left_until_ms && *at < subscriptions->left_count) {
        const struct weir_subscription *left = &subscriptions->left[(*at)++]->public;
        if (left->since_ms <= at_ms && at_ms < left->until_ms &&
            weir_subscriptions_find(subscriptions, weir_bytes_str(left->id)) == NULL)
            return left;
    }
    return NULL;
}

void weir_subscriptions_forget(struct weir_subscriptions *subscriptions, int64_t before_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < subscriptions->left_count; i++) {
        if (subscriptions->left[i]->public.until_ms < before_ms)
            entry_free(subscriptions->left[i]);
        else
            subscriptions->left[kept++] = subscriptions->left[i];
    }
    subscriptions->left_count = kept;
}

const struct weir_subscription *weir_subscriptions_note(
    struct weir_subscriptions *subscriptions, struct weir_bytes id, const char *event_id, bool refused)
{
    struct entry *entry = find(subscriptions, id);
    if (entry == NULL)
        return NULL;
    struct weir_refusals *refusals = &entry->public.refusals;
    if (refused ? strcmp(refusals->event, event_id) == 0 : refusals->count == 0)
        return NULL;
    refusals->count = refused ? refusals->count + 1 : 0;
    snprintf(refusals->event, sizeof(refusals->event), "%s", refused ? event_id : "");
    return &entry->public;
}

void weir_subscriptions_recall(
    struct weir_subscriptions *subscriptions, struct weir_bytes id, const struct weir_refusals *refusals)
{
    struct entry *entry = find(subscriptions, id);
    if (entry != NULL)
        entry->public.refusals = *refusals;
}
