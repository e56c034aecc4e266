/* Where logs begin and end: many partitions asked for at once, through the read_uncommitted handle, the only
 * one that answers true high watermarks. */
#ifndef WEIR_RUNTIME_MARKS_H
#define WEIR_RUNTIME_MARKS_H

#include "common/kafka.h"

struct weir_runtime;

enum { WEIR_MARK_END = -1, WEIR_MARK_BEGIN = -2 }; /* timestamps of ListOffsets (KIP-79) */

/* Adds a question to the list, unless it is there. */
void weir_marks_want(
    rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition, int64_t which);
/* Fills in all the answers. WEIR_E_UNAVAILABLE and the like after 2 s. */
int weir_marks_ask(
    struct weir_runtime *runtime, rd_kafka_topic_partition_list_t *list, struct weir_error *err);
/* 0 when it was not asked for. */
int64_t weir_marks_answer(const rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition);

#endif
