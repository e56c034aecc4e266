#include "consumers/plugins/store/overlay.h"

#include "common/hash.h"

#include <stdlib.h>
#include <unistd.h>

enum { SLOTS_MIN = 1024, SPARSE = 16 };

struct weir_bytes weir_overlay_key(const struct weir_overlay *overlay, size_t index)
{
    const struct weir_overlay_entry *entry = &overlay->entries[index];
    return weir_bytes(overlay->bytes.data + entry->key_at, entry->key_len);
}

struct weir_bytes weir_overlay_value(const struct weir_overlay *overlay, size_t index)
{
    const struct weir_overlay_entry *entry = &overlay->entries[index];
    return entry->deleted ? WEIR_BYTES_NULL
                          : weir_bytes(overlay->bytes.data + entry->value_at, entry->value_len);
}

/* The slot of key: its entry's, or the free one where it would go. slot_count is not 0. */
static uint32_t *find_slot(const struct weir_overlay *overlay, uint64_t hash, struct weir_bytes key)
{
    for (size_t at = hash & (overlay->slot_count - 1);; at = (at + 1) & (overlay->slot_count - 1)) {
        uint32_t *slot = &overlay->slots[at];
        if (*slot == 0 || (overlay->entries[*slot - 1].hash == hash &&
                              weir_bytes_equal(weir_overlay_key(overlay, *slot - 1), key)))
            return slot;
    }
}

bool weir_overlay_find(
    const struct weir_overlay *overlay, struct weir_bytes key, struct weir_bytes *ret_value)
{
    if (overlay->count == 0)
        return false;
    uint32_t slot = *find_slot(overlay, weir_hash(overlay->seed, key), key);
    if (slot == 0)
        return false;
    *ret_value = weir_overlay_value(overlay, slot - 1);
    return true;
}

/* Puts every entry into slots that are all free. */
static void fill_slots(struct weir_overlay *overlay)
{
    for (size_t i = 0; i < overlay->count; i++) {
        size_t at = overlay->entries[i].hash & (overlay->slot_count - 1);
        while (overlay->slots[at] != 0)
            at = (at + 1) & (overlay->slot_count - 1);
        overlay->slots[at] = (uint32_t)i + 1;
    }
}

static bool grow_entries(struct weir_overlay *overlay, size_t capacity)
{
    struct weir_overlay_entry *entries = realloc(overlay->entries, capacity * sizeof(*entries));
    if (entries != NULL)
        overlay->entries = entries;
    uint32_t *order = realloc(overlay->order, capacity * sizeof(*order));
    if (order != NULL)
        overlay->order = order;
    return entries != NULL && order != NULL;
}

static bool grow(struct weir_overlay *overlay)
{
    size_t slot_count = overlay->slot_count > 0 ? overlay->slot_count * 2 : SLOTS_MIN;

    if (!grow_entries(overlay, slot_count / 2))
        return false;
    uint32_t *slots = calloc(slot_count, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(overlay->slots);
    overlay->slots = slots;
    overlay->slot_count = slot_count;
    if (overlay->seed == 0 && getentropy(&overlay->seed, sizeof(overlay->seed)) != 0)
        return false;
    fill_slots(overlay);
    return true;
}

static size_t append(struct weir_overlay *overlay, struct weir_bytes bytes)
{
    size_t at = overlay->bytes.len;
    weir_buffer_append_bytes(&overlay->bytes, bytes);
    return at;
}

size_t weir_overlay_put(struct weir_overlay *overlay, struct weir_bytes key, struct weir_bytes value)
{
    if (overlay->failed || (overlay->count * 2 >= overlay->slot_count && !grow(overlay))) {
        overlay->failed = true;
        return 0;
    }
    uint64_t hash = weir_hash(overlay->seed, key);
    uint32_t *slot = find_slot(overlay, hash, key);
    if (*slot == 0) {
        overlay->entries[overlay->count] =
            (struct weir_overlay_entry){.hash = hash, .key_at = append(overlay, key), .key_len = key.len};
        *slot = (uint32_t)++overlay->count;
    }
    struct weir_overlay_entry *entry = &overlay->entries[*slot - 1];
    entry->value_at = append(overlay, value);
    entry->value_len = value.len;
    entry->deleted = value.data == NULL;
    overlay->failed = overlay->bytes.failed;
    return *slot - 1;
}

void weir_overlay_patch(struct weir_overlay *overlay, size_t index, size_t at, struct weir_bytes bytes)
{
    if (!overlay->failed && index < overlay->count && at + bytes.len <= overlay->entries[index].value_len)
        memcpy(overlay->bytes.data + overlay->entries[index].value_at + at, bytes.data, bytes.len);
}

static int compare_keys(const void *left, const void *right, void *context)
{
    struct weir_bytes a = weir_overlay_key(context, *(const uint32_t *)left);
    struct weir_bytes b = weir_overlay_key(context, *(const uint32_t *)right);
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

const uint32_t *weir_overlay_sort(struct weir_overlay *overlay)
{
    for (size_t i = 0; i < overlay->count; i++)
        overlay->order[i] = (uint32_t)i;
    if (overlay->count > 1)
        qsort_r(overlay->order, overlay->count, sizeof(*overlay->order), compare_keys, overlay);
    return overlay->order;
}

/* After a large batch many small ones may come, so only the slots in use are freed. */
static void free_slots(struct weir_overlay *overlay)
{
    for (size_t i = 0; i < overlay->count; i++) {
        size_t at = overlay->entries[i].hash & (overlay->slot_count - 1);
        while (overlay->slots[at] != i + 1)
            at = (at + 1) & (overlay->slot_count - 1);
        overlay->slots[at] = 0;
    }
}

void weir_overlay_clear(struct weir_overlay *overlay)
{
    if (overlay->count * SPARSE < overlay->slot_count)
        free_slots(overlay);
    else if (overlay->slot_count > 0)
        memset(overlay->slots, 0, overlay->slot_count * sizeof(*overlay->slots));
    overlay->count = 0;
    overlay->failed = false;
    overlay->bytes.failed = false;
    weir_buffer_clear(&overlay->bytes);
}

void weir_overlay_done(struct weir_overlay *overlay)
{
    free(overlay->slots);
    free(overlay->order);
    free(overlay->entries);
    weir_buffer_done(&overlay->bytes);
    *overlay = (struct weir_overlay){0};
}
