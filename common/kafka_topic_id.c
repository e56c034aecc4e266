#include "common/kafka_topic_id.h"

#include <stdio.h>
#include <string.h>

#if RD_KAFKA_VERSION < 0x020300ff
/* Built against an older librdkafka than the one that may be there at run time: what its header lacks. */
typedef struct rd_kafka_TopicCollection_s rd_kafka_TopicCollection_t;
typedef struct rd_kafka_TopicDescription_s rd_kafka_TopicDescription_t;
typedef struct rd_kafka_Uuid_s rd_kafka_Uuid_t;
typedef rd_kafka_event_t rd_kafka_DescribeTopics_result_t;
rd_kafka_TopicCollection_t *rd_kafka_TopicCollection_of_topic_names(const char **topics, size_t count);
void rd_kafka_TopicCollection_destroy(rd_kafka_TopicCollection_t *topics);
void rd_kafka_DescribeTopics(rd_kafka_t *handle, const rd_kafka_TopicCollection_t *topics,
    const rd_kafka_AdminOptions_t *options, rd_kafka_queue_t *queue);
const rd_kafka_DescribeTopics_result_t *rd_kafka_event_DescribeTopics_result(rd_kafka_event_t *event);
const rd_kafka_TopicDescription_t **rd_kafka_DescribeTopics_result_topics(
    const rd_kafka_DescribeTopics_result_t *result, size_t *count);
const rd_kafka_error_t *rd_kafka_TopicDescription_error(const rd_kafka_TopicDescription_t *topic);
const rd_kafka_Uuid_t *rd_kafka_TopicDescription_topic_id(const rd_kafka_TopicDescription_t *topic);
const char *rd_kafka_Uuid_base64str(const rd_kafka_Uuid_t *uuid);
#pragma weak rd_kafka_TopicCollection_of_topic_names
#pragma weak rd_kafka_TopicCollection_destroy
#pragma weak rd_kafka_DescribeTopics
#pragma weak rd_kafka_event_DescribeTopics_result
#pragma weak rd_kafka_DescribeTopics_result_topics
#pragma weak rd_kafka_TopicDescription_error
#pragma weak rd_kafka_TopicDescription_topic_id
#pragma weak rd_kafka_Uuid_base64str
#endif

enum { VERSION_DESCRIBES_TOPICS = 0x02030000 };

static const char no_id[] = "AAAAAAAAAAAAAAAAAAAAAA"; /* of brokers that give none */

static void take_topic(const rd_kafka_TopicDescription_t *topic, char out[static WEIR_KAFKA_TOPIC_ID_BYTES])
{
    const rd_kafka_error_t *failed = rd_kafka_TopicDescription_error(topic);
    const rd_kafka_Uuid_t *uuid = rd_kafka_TopicDescription_topic_id(topic);
    const char *text = uuid != NULL ? rd_kafka_Uuid_base64str(uuid) : NULL;

    if (failed != NULL && rd_kafka_error_code(failed) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    if (text != NULL && strcmp(text, no_id) != 0 && strlen(text) < WEIR_KAFKA_TOPIC_ID_BYTES)
        snprintf(out, WEIR_KAFKA_TOPIC_ID_BYTES, "%s", text);
}

static int take_answer(rd_kafka_event_t *event, const char *topic, char out[static WEIR_KAFKA_TOPIC_ID_BYTES],
    struct weir_error *err)
{
    size_t count = 0;

    if (event == NULL)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "the id of topic %s: no answer", topic);
    if (weir_kafka_code(rd_kafka_event_error(event)) == WEIR_E_UNSUPPORTED)
        return 0;
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(
            err, WEIR_E_UNAVAILABLE, "the id of topic %s: %s", topic, rd_kafka_event_error_string(event));
    const rd_kafka_TopicDescription_t **topics =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    if (count == 1)
        take_topic(topics[0], out);
    return 0;
}

int weir_kafka_topic_id(rd_kafka_t *handle, const char *topic, int timeout_ms,
    char out[static WEIR_KAFKA_TOPIC_ID_BYTES], struct weir_error *err)
{
    out[0] = '\0';
    if (rd_kafka_version() < VERSION_DESCRIBES_TOPICS)
        return 0;
    rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&topic, 1);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_ANY);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(handle);
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, NULL, 0);
    rd_kafka_DescribeTopics(handle, topics, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms);
    int code = take_answer(event, topic, out, err);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_TopicCollection_destroy(topics);
    return code;
}
