#include "consumers/runtime/marks.h"

#include "consumers/runtime/runtime.h"

enum { LIMIT_MS = 2000 };

void weir_marks_want(
    rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition, int64_t which)
{
    if (rd_kafka_topic_partition_list_find(list, topic, partition) == NULL)
        rd_kafka_topic_partition_list_add(list, topic, partition)->offset = which;
}

int weir_marks_ask(
    struct weir_runtime *runtime, rd_kafka_topic_partition_list_t *list, struct weir_error *err)
{
    rd_kafka_resp_err_t failed = rd_kafka_offsets_for_times(runtime->watermark, list, LIMIT_MS);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_kafka_error_set(err, failed, "high watermarks");
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return weir_kafka_error_set(err, list->elems[i].err, list->elems[i].topic);
    return 0;
}

int64_t weir_marks_answer(const rd_kafka_topic_partition_list_t *list, const char *topic, int32_t partition)
{
    const rd_kafka_topic_partition_t *found = rd_kafka_topic_partition_list_find(
        (rd_kafka_topic_partition_list_t *)(uintptr_t)list, topic, partition);
    return found != NULL ? found->offset : 0;
}
