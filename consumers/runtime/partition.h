/* A source partition that this instance owns: where it stands, what it still holds and when it may go on. */
#ifndef WEIR_RUNTIME_PARTITION_H
#define WEIR_RUNTIME_PARTITION_H

#include "common/topic.h"
#include "consumers/runtime/held.h"
#include "consumers/runtime/parking.h"

#include <stdbool.h>
#include <stdint.h>

/* DESIGN "Taking a partition": the steps in their order. */
enum weir_stage {
    WEIR_STAGE_NEW,       /* assigned and paused; the plugin has not heard of it */
    WEIR_STAGE_OFFSETS,   /* the plugin knows; the group's committed offset is to be read */
    WEIR_STAGE_MARKS,     /* the high watermarks of its tables are to be read */
    WEIR_STAGE_RESTORING, /* its tables and its retry partition are read up to those marks */
    WEIR_STAGE_RESUMING,  /* consumption starts at `position` */
    WEIR_STAGE_FLOWING,   /* records are handed out */
    WEIR_STAGE_STOPPED,   /* refused, e.g. a range of records is lost; `why` says */
};

enum { WEIR_WHY_BYTES = 512 };

struct weir_metric;

struct weir_partition {
    const char *topic; /* with prefix; the service's own string */
    uint32_t source;
    int32_t partition;

    enum weir_stage stage;
    int64_t position;   /* next offset to commit: all before it is finished */
    int64_t fetch_next; /* next offset wanted from the consumer */
    bool was_committed; /* the group had an offset of it when it was taken */
    bool announced;     /* the plugin's assigned() was called */
    bool paused;        /* in the consumer */
    unsigned reads;     /* tables still being restored */
    int32_t taking_failures;
    char why[WEIR_WHY_BYTES]; /* it is stopped, or waits > 0 */

    struct weir_held held; /* messages behind or at a record that is not finished */
    int64_t due_ms;        /* monotonic; not handed out before */
    int32_t waits;         /* WAITs in a row; > 0: only one record is handed out to probe */

    char retry_topic[WEIR_TOPIC_NAME_BYTES];
    struct weir_parking parking;
    struct weir_held retry_held; /* messages of the retry partition, for the parking between two batches */
    int64_t retry_position;      /* the group's committed offset of it; -1: none */
    int64_t retry_fetch_next;    /* next offset wanted from the consumer */
    bool retry_paused;           /* in the consumer */
    bool full;                   /* too much is parked: neither is fetched */
    int64_t offsets_ms;          /* monotonic; when its offsets were last committed, or it was taken */

    /* Within the batch under way. */
    bool in_batch;
    size_t taken;       /* records of the parking */
    bool blocked;       /* a record had WAIT: nothing behind it is handed out */
    bool cut;           /* settle() met a record that stops the partition */
    int64_t next;       /* position when the batch commits; -1: the batch finished no record of the source */
    bool moves;         /* the batch finished a record, of the source or parked */
    int64_t retry_next; /* what is committed for the retry partition */

    int64_t end_from, end_to; /* between these offsets is no record: read to its end, that is what is known */
    int64_t still_ms;         /* wall clock; since when it stands at `still` with records behind it */
    int64_t still;
    struct weir_metric *lag, *parked, *parked_bytes, *overdue, *oldest;
};

#endif
