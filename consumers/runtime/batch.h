/* A batch: the records that are handed to the plugin together, their verdicts, and what was emitted for them
 * until the transaction. Knows nothing of Kafka, so that it is tested, and plugins are, without one. Not
 * thread-safe. */
#ifndef WEIR_RUNTIME_BATCH_H
#define WEIR_RUNTIME_BATCH_H

#include "consumers/runtime/arena.h"
#include "consumers/runtime/crash_note.h"
#include "consumers/runtime/keys.h"
#include "consumers/runtime/partition.h"

#include <weir/plugin.h>

#define WEIR_DISPOSITION_INVALID "invalid"
#define WEIR_DISPOSITION_MAX_ATTEMPTS "max-attempts"
#define WEIR_DISPOSITION_CRASHED "crashed"
#define WEIR_DISPOSITION_TOO_LARGE "too-large"

enum weir_slot_state {
    WEIR_SLOT_PENDING, /* not handed out */
    WEIR_SLOT_HANDED,  /* handed out, no verdict */
    WEIR_SLOT_DONE,
    WEIR_SLOT_DEAD, /* to the dead-letter topic */
    WEIR_SLOT_RETRY,
    WEIR_SLOT_WAIT,
    WEIR_SLOT_FOLLOWER, /* behind a parked record of its key, whatever else was said of it */
    WEIR_SLOT_STATES,
};

/* A record of the batch with what became of it. */
struct weir_slot {
    struct weir_record record; /* first: a plugin's pointer to the record is one to the slot */
    struct weir_partition *partition;
    struct weir_parked *parked; /* NULL: a record of the source */
    void *message;              /* owns the bytes of a record of the source */
    struct weir_reason why;
    size_t output_count;
    enum weir_slot_state state;
    bool deferred; /* RETRY by defer(): not before limit_ms, or its ticket is woken */
    int64_t limit_ms;
    uint64_t ticket;
    bool
        finished; /* settled: with the batch its offset is committed, or its parked state ended or replaced */
};

static inline struct weir_origin weir_slot_origin(const struct weir_slot *slot)
{
    if (slot->parked != NULL)
        return slot->parked->state.origin;
    return (struct weir_origin){
        weir_bytes_str(slot->record.topic), slot->record.partition, slot->record.offset};
}

/* Whether its next state goes to the retry topic. */
static inline bool weir_slot_parks(const struct weir_slot *slot)
{
    return slot->finished && (slot->state == WEIR_SLOT_RETRY || slot->state == WEIR_SLOT_FOLLOWER);
}

/* A topic that records are emitted to. */
struct weir_target {
    char *name;
    size_t limit_bytes; /* of one record, WEIR_RECORD_OVERHEAD_BYTES included */
    void *handle;       /* the producer's */
};

/* What Kafka adds around key, value and headers, at most: batch header and a record's varints. */
enum { WEIR_RECORD_OVERHEAD_BYTES = 128, WEIR_HEADER_OVERHEAD_BYTES = 10 };

/* A record to be produced. */
struct weir_emitted {
    struct weir_slot *cause;
    struct weir_target *target;
    struct weir_bytes key, value;
    struct weir_header *headers;
    size_t header_count;
    bool dropped; /* its record failed; gone after settle */
    bool placed;  /* on partition `to`; else on its cause's */
    int32_t to;
};

static inline int32_t weir_emitted_partition(const struct weir_emitted *record)
{
    return record->placed ? record->to : record->cause->record.partition;
}

/* What the batch asks of its surroundings. */
struct weir_batch_port {
    void *context;
    /* Decodes the headers of slot->message into slot->record; memory from arena. 0, or WEIR_E_INVALID. */
    int (*decode)(void *context, struct weir_slot *slot, struct weir_arena *arena);
    void (*release)(void *context, void *message);
    /* The target of that name, made at the first call; NULL when memory is out. */
    struct weir_target *(*target)(void *context, const char *topic);
    /* The partition if it is owned and its records are handed out, else NULL. */
    struct weir_partition *(*partition)(void *context, uint32_t source, int32_t partition);
    /* How long a record waits after that many executions, in ms. */
    int64_t (*delay_ms)(void *context, int32_t executions);
};

struct weir_batch {
    struct weir_batch_port port;
    int32_t attempts; /* executions before a record is dead-lettered */
    size_t capacity;  /* records */
    size_t bytes_max;
    struct weir_crash_note *note; /* borrowed; may be NULL */
    uint32_t singles; /* records still to be handed out one a batch: one of them ended the last process */

    struct weir_slot *slots;
    size_t count, bytes;
    size_t cursor;    /* of next() */
    uint32_t handed;  /* records that next() answered */
    uint32_t pending; /* of them without a verdict */
    bool any_dropped; /* before settle: some of emitted are */
    bool burying;     /* between handle and the transaction: emit() is for dead letters */
    bool ticking;     /* the plugin's tick() runs: emit_at() only */

    struct weir_keys waiting; /* keys that had RETRY */
    uint64_t last_ticket;     /* of defer() */

    struct weir_emitted *emitted;
    struct weir_output *outputs; /* same index as emitted */
    size_t emitted_count, emitted_capacity;
    size_t plugin_count; /* of them the plugin's; the host's own letters follow */
    struct weir_arena arena;
};

int weir_batch_init(struct weir_batch *batch, size_t capacity, size_t bytes_max, int32_t attempts,
    const struct weir_batch_port *port);
/* Releases what it still holds. */
void weir_batch_done(struct weir_batch *batch);

bool weir_batch_full(const struct weir_batch *batch);
/* A place for one more record, to be filled by the caller; the batch must not be full. */
struct weir_slot *weir_batch_add(struct weir_batch *batch, struct weir_partition *partition, void *message);
/* Takes what the partition has parked and is due, at most `most` records and half of the batch's room: a key
 * that fails with many behind it does not hold up the others. To be called before records of the source are
 * added. Answers how many they are. */
size_t weir_batch_add_parked(
    struct weir_batch *batch, struct weir_partition *partition, int64_t now_ms, size_t most);
/* Records of the partition leave the batch, before it is handled. */
void weir_batch_drop_partition(struct weir_batch *batch, const struct weir_partition *partition);
/* Before handle: nothing handed out, no verdicts, nothing emitted. */
void weir_batch_begin(struct weir_batch *batch);

/* The empty batch takes what tick() emits, until weir_batch_end_tick: answers how much that is. */
void weir_batch_begin_tick(struct weir_batch *batch);
size_t weir_batch_end_tick(struct weir_batch *batch);

/* The host table's functions: <weir/plugin.h>. */
const struct weir_record *weir_batch_next(struct weir_batch *batch);
void weir_batch_record_done(struct weir_batch *batch, const struct weir_record *record);
void weir_batch_record_fail(struct weir_batch *batch, const struct weir_record *record,
    enum weir_verdict verdict, const struct weir_reason *why);
int weir_batch_emit(struct weir_batch *batch, const struct weir_record *cause, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err);

int weir_batch_emit_at(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err);

int weir_batch_emit_to(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
    int32_t to, struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers,
    size_t header_count, struct weir_error *err);

int weir_batch_emit_across(struct weir_batch *batch, const struct weir_record *cause, const char *topic,
    int32_t to, struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers,
    size_t header_count, struct weir_error *err);

int weir_batch_defer(
    struct weir_batch *batch, const struct weir_record *record, int64_t limit_ms, uint64_t *ret_ticket);

/* After handle: decides per record whether it is finished, sets each partition's `next`, drops what was
 * emitted for records that are not done. A record whose key waits for one ahead of it is parked behind that
 * one; behind WAIT, and behind a record of the source that was not reached, nothing of the partition is
 * finished. Answers how many are. */
size_t weir_batch_settle(struct weir_batch *batch);
/* The same with no record finished: handle failed. */
void weir_batch_settle_none(struct weir_batch *batch);

/* Queues a record of the host's own, nothing copied; the caller keeps it in the batch's arena. */
int weir_batch_emit_own(struct weir_batch *batch, const struct weir_emitted *record);

size_t weir_batch_record_bytes(
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count);

/* Ends it: finished records are released, the others go back to the front of what their partition holds, or
 * stay parked. */
void weir_batch_end(struct weir_batch *batch, bool committed);

#endif
