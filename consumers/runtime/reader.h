/* Reads the plugin's tables and what is parked, through a read_committed handle of its own: each partition of
 * one from where the plugin stands to the high watermark that was taken before; those that are followed also
 * beyond it, for as long as they are. */
#ifndef WEIR_RUNTIME_READER_H
#define WEIR_RUNTIME_READER_H

#include "common/kafka.h"
#include "common/topic.h"
#include "consumers/runtime/partition.h"

#include <weir/plugin.h>

struct weir_runtime;

struct weir_follow;

/* In place of a table's number: the retry partition, which fills the parking. */
#define WEIR_READ_RETRY UINT32_MAX

/* One partition of one table that is read. */
struct weir_read {
    struct weir_partition *partition; /* of the source, that waits for it; NULL when it is followed */
    struct weir_follow *follow;       /* who follows it, else NULL */
    uint32_t table, source;
    int32_t number;
    char *topic;
    int64_t mark;
    bool caught_up; /* has been read up to the mark */
    int64_t next;   /* offset that it was read up to */
    uint64_t records;
};

struct weir_reader {
    struct weir_read **reads;
    size_t count;
};

/* "{source}.changes" for that source topic, "{service}" filled in, with the prefix; into out. */
int weir_reader_table_topic(const struct weir_runtime *runtime, uint32_t source,
    const struct weir_table *table, char out[static WEIR_TOPIC_NAME_BYTES], struct weir_error *err);

/* Begins to read what `wanted` says (copied, its topic too). What is not followed and up to its mark already
 * is told the plugin at once; else it counts in partition->reads. `low` is where the log begins:
 * WEIR_E_CONFIG when what is wanted first is gone from it. */
int weir_reader_add(
    struct weir_runtime *runtime, const struct weir_read *wanted, int64_t low, struct weir_error *err);
/* Hands records to the plugin: for at most slice_ms while something waits for them, else what is there. */
void weir_reader_step(struct weir_runtime *runtime, int slice_ms);
/* Reads on until the partitions of these marks were read up to them; false when that is not so within
 * limit_ms. */
bool weir_reader_read_to(
    struct weir_runtime *runtime, const rd_kafka_topic_partition_list_t *marks, int64_t limit_ms);
/* Whether anything is behind a mark that is waited for. */
bool weir_reader_is_behind(const struct weir_reader *reader);
/* Stops reading for the partition, or for the follower. */
void weir_reader_cancel(struct weir_runtime *runtime, const struct weir_partition *partition);
void weir_reader_cancel_follow(struct weir_runtime *runtime, const struct weir_follow *follow);
void weir_reader_done(struct weir_runtime *runtime);

#endif
