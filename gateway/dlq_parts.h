/* What the parts of /v1/dlq share; for gateway/dlq*.c only. */
#ifndef WEIR_GATEWAY_DLQ_PARTS_H
#define WEIR_GATEWAY_DLQ_PARTS_H

#include "common/dead_letter_settings.h"
#include "common/kafka_dead_letter.h"
#include "common/kafka_redrive.h"
#include "gateway/dlq.h"

/* Where a letter stands, or a list goes on. */
struct weir_dlq_place {
    char topic[WEIR_TOPIC_NAME_BYTES];
    int32_t partition;
    int64_t offset;
};

/* What a client may say, as text of the query or members of the body. */
struct weir_dlq_settings {
    struct weir_letter_settings letters;
    struct weir_redrive_settings redrive;
    int64_t limit;
    char *cursor;
};

/* The topics of a service's dead letters. */
struct weir_dlq_topics {
    struct weir_letters_topic *list;
    size_t count;
};

/* A request on its way to the worker and back. Belongs to the HTTP thread until it is queued, then to the
 * worker. */
struct weir_dlq_job {
    struct weir_dlq_job *next;
    struct weir_gateway *gateway;
    struct weir_request *request; /* a reference */
    /* On the worker's thread: fills `answer`, a JSON text, or fails. */
    int (*work)(struct weir_dlq_job *job, struct weir_error *err);
    const struct weir_service *service; /* NULL: all of them */
    struct weir_dlq_settings settings;
    struct weir_letter_filter filter;
    char source[WEIR_TOPIC_NAME_BYTES]; /* of the filter */
    struct weir_redrive_set *sets;      /* pointers are owned, values are the body's */
    size_t set_count;
    struct weir_dlq_place place; /* the letter, or where a list begins; "": none */
    int64_t deadline_ms;         /* weir_clock_ms() */

    struct weir_kafka_scan *scan; /* the worker's */
    struct weir_dlq_place read;   /* how far it has come by now */
    bool unknown; /* records were handed to Kafka: a failure leaves open what became of them */
    struct weir_buffer answer;
};

/* dlq_query.c: fill settings, filter and sets. WEIR_E_INVALID says what is wrong; member is the body's member
 * at fault, "" for all of it. */
enum { WEIR_DLQ_MEMBER_BYTES = 64 };
int weir_dlq_query_read(struct weir_dlq_job *job, bool paged, struct weir_error *err);
int weir_dlq_body_read(
    struct weir_dlq_job *job, char member[static WEIR_DLQ_MEMBER_BYTES], struct weir_error *err);
/* "orders.store.dlq~3~17" */
int weir_dlq_place_read(const char *text, struct weir_dlq_place *ret_place, struct weir_error *err);
void weir_dlq_query_done(struct weir_dlq_job *job);

/* dlq_read.c, dlq_redrive.c: the work. */
int weir_dlq_stats_work(struct weir_dlq_job *job, struct weir_error *err);
int weir_dlq_list_work(struct weir_dlq_job *job, struct weir_error *err);
int weir_dlq_show_work(struct weir_dlq_job *job, struct weir_error *err);
int weir_dlq_redrive_work(struct weir_dlq_job *job, struct weir_error *err);

/* dlq_read.c: the topics that are meant. The caller ends them with weir_dlq_topics_done() in any case. */
int weir_dlq_topics_init(struct weir_dlq_topics *topics, const struct weir_dlq_job *job,
    const struct weir_service *service, struct weir_error *err);
void weir_dlq_topics_done(struct weir_dlq_topics *topics);
static inline void weir_cleanup_dlq_topics(struct weir_dlq_topics *topics)
{
    weir_dlq_topics_done(topics);
}
const struct weir_letters_topic *weir_dlq_topic_find(
    const struct weir_dlq_topics *topics, const char *letters);

/* dlq_worker.c: suspends the request and queues its job, which it takes; refuses when too many wait. */
enum weir_step weir_dlq_queue_take(struct weir_dlq *dlq, struct weir_dlq_job *job, const char *late);
/* Frees a job and its reference. Accepts NULL. */
void weir_dlq_job_free(struct weir_dlq_job *job);
/* Whether the worker is to end: what is under way stops where it is. */
bool weir_dlq_is_ending(const struct weir_gateway *gateway);

#endif
