/* The plugin's instance and what its files share. One instance keeps the collections of one service.
 *
 * Threads: the loop's thread owns all of it. Threads of the reads (reads.c) look only at what is marked so.
 */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include "common/clock.h"
#include "common/deployment.h"
#include "common/marks.h"
#include "common/schema.h"
#include "common/topic.h"
#include "consumers/plugins/store/command.h"
#include "consumers/plugins/store/db.h"
#include "consumers/plugins/store/minimums.h"
#include "consumers/plugins/store/seen.h"
#include "consumers/plugins/store/settings.h"

#include <weir/plugin.h>

#include <limits.h>
#include <stdatomic.h>

/* Where a partition's documents stand for a reader. */
enum weir_partition_state {
    WEIR_PARTITION_FOREIGN,   /* another instance has it */
    WEIR_PARTITION_RESTORING, /* ours, not yet at the end of its change log */
    WEIR_PARTITION_SERVING,
    WEIR_PARTITION_STANDBY, /* another instance has it, we follow its change log */
};

/* The topics that the host reads for the store, as plugin.c lists them. */
enum weir_store_table { WEIR_STORE_CHANGES, WEIR_STORE_OUTCOMES, WEIR_STORE_TABLE_COUNT };

/* The last record of a change partition that is applied. */
struct weir_last_change {
    int64_t offset; /* -1: not known */
    uint64_t hash;  /* of its key and request */
};
#define WEIR_LAST_UNKNOWN ((struct weir_last_change){-1, 0})

struct weir_partition {
    /* Reads too. State in the low two bits, above them a number that rises with each change of state, so that
     * a reader notices one that came and went. */
    _Atomic uint64_t state;
    _Atomic int64_t checkpoints[WEIR_STORE_TABLE_COUNT]; /* reads too: next offset to apply; -1 unknown */
    _Atomic int64_t reached;                 /* reads too: all commands below this offset have ended */
    int64_t pending[WEIR_STORE_TABLE_COUNT]; /* checkpoints of the batch being applied; -1 none */
    int64_t pending_reached;                 /* likewise */
    struct weir_last_change last;            /* below the checkpoint of the change log */
    uint64_t emitted_hash;                   /* of the last change that the batch at hand has emitted */
    int64_t stranger; /* continuity.c: offset of a record that is not known here; -1 none */
    bool caught_up[WEIR_STORE_TABLE_COUNT];
    const char *_Atomic waits_for; /* reads too: why commands had WAIT; static, NULL: they had not */
    _Atomic bool live;             /* reads too: STANDBY, and its change log was followed to its end */
    _Atomic bool indexed;          /* reads too: its index entries are whole */
    int64_t expires_from_ms;       /* no document expires before then (expiry.h) */
    int64_t expiry_look_ms;        /* when to look next for documents that are too old */
    int64_t expiry_from_ms;        /* time of change to look from, while there are more of them; else 0 */
    struct weir_buffer build_from; /* document key with which building goes on; empty: the first */
    /* Leftovers (leftovers.h). */
    int64_t left_ms; /* monotonic: since when it is another instance's */
    bool is_empty;   /* nothing of it is on disk */
    size_t remove_kind;
    struct weir_buffer remove_from; /* entry with which removing goes on; empty: the first */
};

/* One source topic and its collection. Constant after open but for the partitions. */
struct weir_source {
    const struct weir_collection *collection;
    struct weir_rules rules;
    const char *topic, *changes_topic;
    char outcomes_topic[WEIR_TOPIC_NAME_BYTES];
    char ce_types[3][96];       /* weir.orders.created, updated, deleted; in the order of the effects */
    uint16_t number;            /* of the collection in this folder */
    struct weir_schema *schema; /* NULL: none */
    struct weir_minimums minimums;
    char **indexes; /* declared paths */
    size_t index_count;
    int32_t partition_count;
    struct weir_partition *partitions;
};

struct weir_store_statistics;

struct weir_store_metrics {
    struct weir_metric *commands[WEIR_EFFECT_COUNT];
    struct weir_metric *applied, *expired, *restored, *skipped, *free_bytes, *serving, *restoring, *standby;
};

struct weir_store {
    const struct weir_host *host;
    const struct weir_store_settings *settings;
    struct weir_db *db;
    struct weir_source *sources;
    size_t source_count;
    struct weir_http_service *http;
    char path[PATH_MAX], log_path[PATH_MAX];
    bool temporary; /* the dev broker's: removed at close */
    bool cluster_checked;
    int64_t free_looked_ms, checkpoints_touched_ms;
    _Atomic int64_t free_bytes; /* health too */
    _Atomic bool starved;       /* health too: too little free disk */
    _Atomic bool snapshotting;  /* reads only */
    struct weir_marks marks;    /* reads too: by document key, of what its journey tells */
    int64_t leftovers_due_ms;
    struct weir_store_metrics metrics;
    struct weir_store_statistics *statistics;

    /* The batch at hand. */
    int64_t batch_ms;
    char batch_time[WEIR_CLOCK_RFC3339_BYTES];
    size_t batch_outputs; /* records emitted */
    int64_t batch_effects[WEIR_EFFECT_COUNT], batch_expired;
    struct weir_buffer scratch, event, stored, found, problem, entries_before, entries_after;
    struct weir_buffer batch_changes; /* of weir_requests_place_changes */
    size_t batch_changes_at;
    struct weir_buffer batch_marks; /* places in `marks`, of weir_store_mark_key */

    /* How requests ended (requests.h). */
    struct weir_seen seen;
    _Atomic bool seen_filled;
    int64_t seen_turned_hour, dropped_hour, fill_hour;
    struct weir_buffer fill_from; /* key to go on with; empty: the first of fill_hour */
};

void weir_store_log(const struct weir_store *store, enum weir_log_severity severity, const char *event,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* store.c: the plugin's callbacks of the same names. */
int weir_store_open(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err);
int weir_store_assigned(void *instance, uint32_t source, int32_t partition, struct weir_error *err);
void weir_store_revoked(void *instance, uint32_t source, int32_t partition);
void weir_store_tick(void *instance, struct weir_batch *batch);
bool weir_store_health(void *instance, struct weir_buffer *detail);
void weir_store_close(void *instance);

/* document_schema.c: takes the collection's schema over, and the minimums in it. */
int weir_source_load_schema(struct weir_source *source, struct weir_error *err);

/* partition.c */
enum weir_partition_state weir_partition_state(const struct weir_partition *partition);
void weir_partition_set_state(struct weir_partition *partition, enum weir_partition_state state);
/* Whether all commands of the partition up to this offset have ended, or none (-1) is asked for. */
bool weir_partition_has_ended(const struct weir_partition *partition, int64_t offset);
/* NULL, with an error that names the collection's count, when the topic has more partitions than it should.
 */
struct weir_partition *weir_source_partition(
    const struct weir_source *source, int32_t partition, struct weir_error *err);
void weir_store_count_partitions(const struct weir_store *store);

/* identity.c: whose data the folder holds. */
int weir_store_check_format(struct weir_store *store, struct weir_error *err);
/* "NUMBER PARTITIONS" of a collection's entry. */
bool weir_store_read_numbers(const char *text, unsigned long *ret_number, unsigned long *ret_partitions);
/* Gives source->number; refuses another count of partitions than the folder's. */
int weir_store_number_source(struct weir_store *store, struct weir_source *source, struct weir_error *err);
/* Refuses another cluster than the folder's, and topics that were deleted and made again since it was filled.
 */
int weir_store_check_identity(
    struct weir_store *store, const struct weir_source *source, struct weir_error *err);
/* What an operator can do about a folder and a change log that do not belong together. */
extern const char weir_store_two_ways[];

/* checkpoint.c: how far a partition of a table is applied, and when that was last known to be recent. */
struct weir_checkpoint {
    int64_t offset; /* next to apply */
    int64_t known_ms;
};
/* WEIR_E_NOT_FOUND: none. */
int weir_checkpoint_load(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_store_table table, struct weir_checkpoint *ret_checkpoint, struct weir_error *err);
/* Into the next weir_db_batch_write. */
void weir_checkpoint_put(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_store_table table, struct weir_checkpoint checkpoint);
void weir_checkpoint_delete(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_store_table table);
/* Into the overlay of the batch at hand. */
void weir_checkpoint_overlay(struct weir_store *store, const struct weir_source *source, int32_t partition,
    enum weir_store_table table, struct weir_checkpoint checkpoint);
/* The offset below which all commands of a partition have ended; 0 when none is known. */
int weir_reached_load(struct weir_store *store, const struct weir_source *source, int32_t partition,
    int64_t *ret_offset, struct weir_error *err);
void weir_reached_put(
    struct weir_store *store, const struct weir_source *source, int32_t partition, int64_t offset);
void weir_reached_overlay(
    struct weir_store *store, const struct weir_source *source, int32_t partition, int64_t offset);
/* Writes the checkpoints of all serving and standby partitions anew, so that an idle one does not grow too
 * old to be caught up. */
void weir_store_touch_checkpoints(struct weir_store *store);

/* space.c */
/* WEIR_E_DISK when the disk is too full to go on. */
int weir_store_check_space(struct weir_store *store, struct weir_error *err);
/* Before the folder is opened: until there is room. WEIR_E_DISK when the host ends meanwhile. */
int weir_store_await_space(struct weir_store *store, struct weir_error *err);

/* handle.c */
int weir_store_handle(void *instance, struct weir_batch *batch, struct weir_error *err);
void weir_store_dead_letter(void *instance, struct weir_batch *batch, const struct weir_record *record,
    const char *disposition, const struct weir_reason *why);

/* commit.c */
int weir_store_committed(
    void *instance, struct weir_batch *batch, const struct weir_result *result, struct weir_error *err);
void weir_store_aborted(void *instance, struct weir_batch *batch);
void weir_store_begin_batch(struct weir_store *store);
/* The journey of the document is another one once the batch at hand is written. WEIR_E_INTERNAL: memory is
 * out. */
int weir_store_mark_key(struct weir_store *store, struct weir_bytes key);

/* restore.c */
/* Removes all entries that begin with prefix, in steps; whatever else is in the batch is written first. */
int weir_store_wipe(struct weir_store *store, struct weir_bytes prefix, struct weir_error *err);
int weir_store_table_position(void *instance, uint32_t table, uint32_t source, int32_t partition,
    int64_t *ret_offset, struct weir_error *err);
int weir_store_table_apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err);
int weir_store_table_caught_up(void *instance, uint32_t table, uint32_t source, int32_t partition,
    int64_t offset, struct weir_error *err);
void weir_store_table_followed(
    void *instance, uint32_t table, uint32_t source, int32_t partition, int64_t offset);

/* reads.c */
weir_http_answer weir_store_answer;

#endif
