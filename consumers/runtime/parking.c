#include "consumers/runtime/parking.h"

#include "common/error.h"
#include "consumers/runtime/keys.h"

#include <stdlib.h>

enum { TABLE_LEAST = 64 };

static const size_t nowhere = SIZE_MAX; /* not in the heap */

struct weir_chain {
    uint64_t hash;
    struct weir_chain *next_in_bucket;
    struct weir_chain *next_taken;
    struct weir_parked *first, *last;
    struct weir_parked *cursor; /* the next to be taken; NULL: all are */
    size_t in_heap;             /* index, or nowhere */
    bool keyed;                 /* in the table of keys */
    size_t key_len;
    char key[];
};

/* Offsets of different partitions say nothing about each other: records from elsewhere come first, as what
 * was redriven is older than what is parked; any order will do as long as it stays the same. */
static int origin_order(
    const struct weir_parking *parking, const struct weir_origin *a, const struct weir_origin *b)
{
    bool a_local = weir_parking_is_local(parking, a), b_local = weir_parking_is_local(parking, b);
    if (a_local != b_local)
        return a_local ? 1 : -1;
    size_t shorter = a->topic.len < b->topic.len ? a->topic.len : b->topic.len;
    int topics = a_local || shorter == 0 ? 0 : memcmp(a->topic.data, b->topic.data, shorter);
    if (topics != 0)
        return topics;
    if (a->topic.len != b->topic.len)
        return a->topic.len < b->topic.len ? -1 : 1;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

bool weir_parking_is_local(const struct weir_parking *parking, const struct weir_origin *origin)
{
    return origin->partition == parking->partition && weir_bytes_is(origin->topic, parking->topic);
}

static uint64_t origin_hash(const struct weir_origin *origin)
{
    struct {
        uint64_t topic;
        int64_t partition, offset;
    } parts = {weir_keys_hash(origin->topic), origin->partition, origin->offset};
    return weir_keys_hash(weir_bytes(&parts, sizeof(parts)));
}

/* ---- the table of origins */

static struct weir_parked **origin_slot(
    const struct weir_parking *parking, const struct weir_origin *origin, uint64_t hash)
{
    struct weir_parked **slot = &parking->origins[hash & (parking->origin_capacity - 1)];
    while (*slot != NULL &&
           ((*slot)->hash != hash || origin_order(parking, &(*slot)->state.origin, origin) != 0))
        slot = &(*slot)->next_in_bucket;
    return slot;
}

static void origins_add(struct weir_parking *parking, struct weir_parked *parked)
{
    struct weir_parked **bucket = &parking->origins[parked->hash & (parking->origin_capacity - 1)];
    parked->next_in_bucket = *bucket;
    *bucket = parked;
}

/* ---- the table of tickets */

static struct weir_parked **ticket_slot(const struct weir_parking *parking, uint64_t ticket)
{
    struct weir_parked **slot = &parking->tickets[ticket & (parking->origin_capacity - 1)];
    while (*slot != NULL && (*slot)->state.ticket != ticket)
        slot = &(*slot)->next_of_tickets;
    return slot;
}

static void tickets_add(struct weir_parking *parking, struct weir_parked *parked)
{
    if (parked->state.ticket == 0)
        return;
    struct weir_parked **bucket = &parking->tickets[parked->state.ticket & (parking->origin_capacity - 1)];
    parked->next_of_tickets = *bucket;
    *bucket = parked;
}

static void tickets_remove(struct weir_parking *parking, struct weir_parked *parked)
{
    if (parked->state.ticket != 0)
        *ticket_slot(parking, parked->state.ticket) = parked->next_of_tickets;
}

static int origins_reserve(struct weir_parking *parking)
{
    if (parking->origin_count < parking->origin_capacity)
        return 0;
    size_t capacity = parking->origin_capacity > 0 ? 2 * parking->origin_capacity : TABLE_LEAST;
    struct weir_parked **origins = calloc(capacity, sizeof(struct weir_parked *));
    struct weir_parked **tickets = calloc(capacity, sizeof(struct weir_parked *));
    if (origins == NULL || tickets == NULL) {
        free(origins);
        free(tickets);
        return WEIR_E_INTERNAL;
    }
    free(parking->origins);
    free(parking->tickets);
    parking->origins = origins;
    parking->tickets = tickets;
    parking->origin_capacity = capacity;
    const struct weir_parked_list *lists[] = {&parking->live, &parking->ghosts};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        for (struct weir_parked *each = lists[i]->first; each != NULL; each = each->next) {
            origins_add(parking, each);
            tickets_add(parking, each);
        }
    }
    return 0;
}

/* ---- the table of keys */

static struct weir_chain **chain_slot(
    const struct weir_parking *parking, struct weir_bytes key, uint64_t hash)
{
    struct weir_chain **slot = &parking->keys[hash & (parking->key_capacity - 1)];
    while (*slot != NULL &&
           ((*slot)->hash != hash || !weir_bytes_equal(weir_bytes((*slot)->key, (*slot)->key_len), key)))
        slot = &(*slot)->next_in_bucket;
    return slot;
}

static struct weir_chain *find_chain(const struct weir_parking *parking, struct weir_bytes key)
{
    if (!parking->by_key || key.data == NULL || parking->key_count == 0)
        return NULL;
    return *chain_slot(parking, key, weir_keys_hash(key));
}

static int keys_reserve(struct weir_parking *parking)
{
    if (parking->key_count < parking->key_capacity)
        return 0;
    size_t capacity = parking->key_capacity > 0 ? 2 * parking->key_capacity : TABLE_LEAST;
    struct weir_chain **grown = calloc(capacity, sizeof(struct weir_chain *));
    if (grown == NULL)
        return WEIR_E_INTERNAL;
    for (size_t i = 0; i < parking->key_capacity; i++) {
        for (struct weir_chain *each = parking->keys[i], *next; each != NULL; each = next) {
            next = each->next_in_bucket;
            struct weir_chain **bucket = &grown[each->hash & (capacity - 1)];
            each->next_in_bucket = *bucket;
            *bucket = each;
        }
    }
    free(parking->keys);
    parking->keys = grown;
    parking->key_capacity = capacity;
    return 0;
}

/* ---- the heap of chains */

static int64_t due_of(const struct weir_chain *chain)
{
    return chain->first->state.not_before_ms;
}

static void heap_put(struct weir_parking *parking, size_t at, struct weir_chain *chain)
{
    parking->heap[at] = chain;
    chain->in_heap = at;
}

static void heap_up(struct weir_parking *parking, size_t at, struct weir_chain *chain)
{
    for (; at > 0 && due_of(chain) < due_of(parking->heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap_put(parking, at, parking->heap[(at - 1) / 2]);
    heap_put(parking, at, chain);
}

static void heap_down(struct weir_parking *parking, size_t at, struct weir_chain *chain)
{
    for (size_t child; (child = 2 * at + 1) < parking->heap_count; at = child) {
        if (child + 1 < parking->heap_count &&
            due_of(parking->heap[child + 1]) < due_of(parking->heap[child]))
            child++;
        if (due_of(chain) <= due_of(parking->heap[child]))
            break;
        heap_put(parking, at, parking->heap[child]);
    }
    heap_put(parking, at, chain);
}

static void heap_add(struct weir_parking *parking, struct weir_chain *chain)
{
    heap_up(parking, parking->heap_count++, chain);
}

/* To be called before the chain's due time changes, or it goes. */
static void heap_remove(struct weir_parking *parking, struct weir_chain *chain)
{
    size_t at = chain->in_heap;
    struct weir_chain *last = parking->heap[--parking->heap_count];
    chain->in_heap = nowhere;
    if (last == chain)
        return;
    heap_down(parking, at, last);
    heap_up(parking, last->in_heap, last);
}

static int heap_reserve(struct weir_parking *parking)
{
    if (parking->chain_count < parking->heap_capacity)
        return 0;
    size_t capacity = parking->heap_capacity > 0 ? 2 * parking->heap_capacity : TABLE_LEAST;
    struct weir_chain **grown = reallocarray(parking->heap, capacity, sizeof(struct weir_chain *));
    if (grown == NULL)
        return WEIR_E_INTERNAL;
    parking->heap = grown;
    parking->heap_capacity = capacity;
    return 0;
}

/* ---- lists in the order of offsets */

static void list_insert(struct weir_parked_list *list, struct weir_parked *parked)
{
    struct weir_parked *before = list->last;
    while (before != NULL && before->state.offset > parked->state.offset)
        before = before->previous;
    parked->previous = before;
    parked->next = before != NULL ? before->next : list->first;
    *(parked->next != NULL ? &parked->next->previous : &list->last) = parked;
    *(before != NULL ? &before->next : &list->first) = parked;
}

static void list_remove(struct weir_parked_list *list, struct weir_parked *parked)
{
    *(parked->next != NULL ? &parked->next->previous : &list->last) = parked->previous;
    *(parked->previous != NULL ? &parked->previous->next : &list->first) = parked->next;
}

/* ---- chains */

static void chain_insert(
    const struct weir_parking *parking, struct weir_chain *chain, struct weir_parked *parked)
{
    struct weir_parked *ahead = chain->last;
    while (ahead != NULL && origin_order(parking, &ahead->state.origin, &parked->state.origin) > 0)
        ahead = ahead->ahead;
    parked->ahead = ahead;
    parked->behind = ahead != NULL ? ahead->behind : chain->first;
    *(parked->behind != NULL ? &parked->behind->ahead : &chain->last) = parked;
    *(ahead != NULL ? &ahead->behind : &chain->first) = parked;
    parked->chain = chain;
    chain->cursor = chain->first;
}

static void chain_free(struct weir_parking *parking, struct weir_chain *chain)
{
    if (chain->keyed) {
        *chain_slot(parking, weir_bytes(chain->key, chain->key_len), chain->hash) = chain->next_in_bucket;
        parking->key_count--;
    }
    parking->chain_count--;
    free(chain);
}

static void chain_remove(struct weir_parking *parking, struct weir_parked *parked)
{
    struct weir_chain *chain = parked->chain;
    heap_remove(parking, chain);
    *(parked->behind != NULL ? &parked->behind->ahead : &chain->last) = parked->ahead;
    *(parked->ahead != NULL ? &parked->ahead->behind : &chain->first) = parked->behind;
    chain->cursor = chain->first;
    if (chain->first != NULL)
        heap_add(parking, chain);
    else
        chain_free(parking, chain);
}

/* Found, or made without a record; memory for it is reserved. */
static struct weir_chain *chain_for(struct weir_parking *parking, struct weir_bytes key)
{
    struct weir_chain *chain = find_chain(parking, key);
    if (chain != NULL)
        return chain;
    bool keyed = parking->by_key && key.data != NULL;
    size_t key_len = keyed ? key.len : 0;
    chain = calloc(1, sizeof(*chain) + key_len);
    if (chain == NULL)
        return NULL;
    chain->in_heap = nowhere;
    parking->chain_count++;
    if (!keyed)
        return chain;
    memcpy(chain->key, key.data, key_len);
    chain->key_len = key_len;
    chain->hash = weir_keys_hash(key);
    struct weir_chain **bucket = &parking->keys[chain->hash & (parking->key_capacity - 1)];
    chain->next_in_bucket = *bucket;
    *bucket = chain;
    chain->keyed = true;
    parking->key_count++;
    return chain;
}

/* ---- records */

static size_t text_bytes(const struct weir_state *state)
{
    size_t bytes = state->origin.topic.len + state->key.len + state->value.len;
    for (size_t i = 0; i < state->header_count; i++)
        bytes += strlen(state->headers[i].name) + 1 + state->headers[i].value.len;
    return bytes;
}

static struct weir_bytes copy(char **at, struct weir_bytes from)
{
    struct weir_bytes to = {from.data != NULL ? *at : NULL, from.len};
    if (from.data != NULL)
        memcpy(*at, from.data, from.len);
    *at += from.len;
    return to;
}

/* One piece of memory for all of a record, or for a ghost's origin. */
static struct weir_parked *parked_new(const struct weir_state *state)
{
    struct weir_state kept = *state;
    if (kept.done)
        kept = (struct weir_state){.origin = kept.origin, .offset = kept.offset, .done = true};
    size_t bytes =
        sizeof(struct weir_parked) + kept.header_count * sizeof(struct weir_header) + text_bytes(&kept);
    struct weir_parked *parked = malloc(bytes);
    if (parked == NULL)
        return NULL;
    struct weir_header *headers = (struct weir_header *)(parked + 1);
    char *at = (char *)(headers + kept.header_count);
    *parked = (struct weir_parked){.state = kept, .hash = origin_hash(&kept.origin), .bytes = bytes};
    parked->state.origin.topic = copy(&at, kept.origin.topic);
    parked->state.key = copy(&at, kept.key);
    parked->state.value = copy(&at, kept.value);
    parked->state.headers = kept.header_count > 0 ? headers : NULL;
    for (size_t i = 0; i < kept.header_count; i++) {
        struct weir_bytes name = weir_bytes(kept.headers[i].name, strlen(kept.headers[i].name) + 1);
        headers[i].name = copy(&at, name).data;
        headers[i].value = copy(&at, kept.headers[i].value);
    }
    return parked;
}

static void insert(struct weir_parking *parking, struct weir_parked *parked, struct weir_chain *chain)
{
    origins_add(parking, parked);
    tickets_add(parking, parked);
    parking->origin_count++;
    list_insert(chain != NULL ? &parking->live : &parking->ghosts, parked);
    if (chain == NULL)
        return;
    if (chain->in_heap != nowhere)
        heap_remove(parking, chain);
    chain_insert(parking, chain, parked);
    heap_add(parking, chain);
    parking->count++;
    parking->bytes += parked->bytes;
}

static void drop(struct weir_parking *parking, struct weir_parked *parked)
{
    struct weir_parked **slot = &parking->origins[parked->hash & (parking->origin_capacity - 1)];
    while (*slot != parked)
        slot = &(*slot)->next_in_bucket;
    *slot = parked->next_in_bucket;
    tickets_remove(parking, parked);
    parking->origin_count--;
    list_remove(parked->chain != NULL ? &parking->live : &parking->ghosts, parked);
    if (parked->chain != NULL) {
        chain_remove(parking, parked);
        parking->count--;
        parking->bytes -= parked->bytes;
    }
    free(parked);
}

static struct weir_parked *find(const struct weir_parking *parking, const struct weir_origin *origin)
{
    return parking->origin_count > 0 ? *origin_slot(parking, origin, origin_hash(origin)) : NULL;
}

/* The new state's bytes may lie in the one that it replaces: that one goes last. */
int weir_parking_apply(struct weir_parking *parking, const struct weir_state *state)
{
    struct weir_parked *known = find(parking, &state->origin);
    if (known != NULL && known->state.offset >= state->offset)
        return 0;
    if (origins_reserve(parking) < 0 || keys_reserve(parking) < 0 || heap_reserve(parking) < 0)
        return WEIR_E_INTERNAL;
    struct weir_parked *parked = parked_new(state);
    struct weir_chain *chain = parked != NULL && !state->done ? chain_for(parking, state->key) : NULL;
    if (parked == NULL || (chain == NULL && !state->done)) {
        free(parked);
        return WEIR_E_INTERNAL;
    }
    insert(parking, parked, chain);
    if (known != NULL)
        drop(parking, known);
    return 0;
}

void weir_parking_read_to(struct weir_parking *parking, int64_t position)
{
    if (position > parking->position)
        parking->position = position;
    while (parking->ghosts.first != NULL && parking->ghosts.first->state.offset < parking->position)
        drop(parking, parking->ghosts.first);
}

/* ---- handing out */

static void begin_chain(struct weir_parking *parking, struct weir_chain *chain)
{
    heap_remove(parking, chain);
    chain->next_taken = parking->taken;
    parking->taken = parking->taking = chain;
}

struct weir_parked *weir_parking_take(struct weir_parking *parking, int64_t now_ms)
{
    struct weir_chain *chain = parking->taking;
    if (chain == NULL || chain->cursor == NULL || chain->cursor->state.not_before_ms > now_ms) {
        if (parking->heap_count == 0 || due_of(parking->heap[0]) > now_ms)
            return NULL;
        begin_chain(parking, chain = parking->heap[0]);
    }
    struct weir_parked *parked = chain->cursor;
    chain->cursor = parked->behind;
    return parked;
}

void weir_parking_untake(struct weir_parking *parking)
{
    for (struct weir_chain *chain = parking->taken; chain != NULL; chain = chain->next_taken) {
        for (struct weir_parked *parked = chain->first; parked != NULL; parked = parked->behind)
            parked->leaving = false;
        chain->cursor = chain->first;
        heap_add(parking, chain);
    }
    parking->taken = parking->taking = NULL;
}

bool weir_parking_blocks(const struct weir_parking *parking, struct weir_bytes key)
{
    const struct weir_chain *chain = find_chain(parking, key);
    return chain != NULL && chain->cursor != NULL;
}

void weir_parking_wake(struct weir_parking *parking, const uint64_t *tickets, size_t count)
{
    for (size_t i = 0; i < count && parking->count > 0; i++) {
        struct weir_parked *parked = *ticket_slot(parking, tickets[i]);
        if (parked == NULL)
            continue;
        heap_remove(parking, parked->chain);
        parked->state.not_before_ms = 0;
        heap_add(parking, parked->chain);
    }
}

int64_t weir_parking_low(const struct weir_parking *parking)
{
    const struct weir_parked *lowest = parking->live.first;
    while (lowest != NULL && lowest->leaving)
        lowest = lowest->next;
    return lowest != NULL && lowest->state.offset < parking->position ? lowest->state.offset
                                                                      : parking->position;
}

int64_t weir_parking_due_ms(const struct weir_parking *parking)
{
    return parking->heap_count > 0 ? due_of(parking->heap[0]) : INT64_MAX;
}

int64_t weir_parking_oldest_ms(const struct weir_parking *parking)
{
    int64_t oldest_ms = INT64_MAX;
    for (const struct weir_parked *parked = parking->live.first; parked != NULL; parked = parked->next)
        if (parked->state.timestamp_ms < oldest_ms)
            oldest_ms = parked->state.timestamp_ms;
    return oldest_ms;
}

static void free_list(struct weir_parked *parked)
{
    for (struct weir_parked *next; parked != NULL; parked = next) {
        next = parked->next;
        free(parked);
    }
}

void weir_parking_clear(struct weir_parking *parking)
{
    weir_parking_untake(parking);
    while (parking->heap_count > 0)
        free(parking->heap[--parking->heap_count]);
    free_list(parking->live.first);
    free_list(parking->ghosts.first);
    free(parking->origins);
    free(parking->tickets);
    free(parking->keys);
    free(parking->heap);
    *parking = (struct weir_parking){
        .by_key = parking->by_key, .topic = parking->topic, .partition = parking->partition};
}
