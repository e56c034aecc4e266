/* The dead letters that stand in a topic, each with whether it was redriven, handed to a visitor one by one.
 *
 * What was redriven is read from the retry topic itself: a record there with the letter's origin and a higher redrive
 * count. It is written in one step with the letter's way back, seen by every machine, kept longer than the letter (the
 * retry topic's retention is never shorter), and independent of which letters a filter chose before. Offsets of a
 * group could not tell single letters apart, and Kafka forgets them after a week.
 *
 * Memory: some 200 bytes for each redriven record that the retry topic still holds. Not thread-safe. */
#ifndef WEIR_COMMON_KAFKA_DEAD_LETTER_H
#define WEIR_COMMON_KAFKA_DEAD_LETTER_H

#include "common/dead_letter.h"
#include "common/deployment.h"
#include "common/kafka_scan.h"
#include "common/number_map.h"
#include "common/topic.h"

/* A topic of dead letters and whose it is. */
struct weir_letters_topic {
    char letters[WEIR_TOPIC_NAME_BYTES];
    char retry[WEIR_TOPIC_NAME_BYTES];        /* "": letters of another system, which can't be redriven */
    const char *source;                       /* the topic their records came from; NULL: not known */
    const struct weir_collection *collection; /* whose commands the source holds; NULL: none */
};

/* The dead letters of one source topic (with prefix) of a service; borrows from the deployment. */
int weir_letters_topic_of(const struct weir_deployment *deployment, const struct weir_service *service,
    const char *source, struct weir_letters_topic *ret_topic, struct weir_error *err);

/* Letters of one partition with offsets from..to, both inclusive. */
struct weir_letters_range {
    int32_t partition;
    int64_t from, to;
};

struct weir_letters_query {
    const struct weir_letters_topic *topic;
    struct weir_letter_filter filter;
    bool open_only;                          /* leave out what was redriven */
    const struct weir_letters_range *ranges; /* NULL: all of every partition */
    size_t range_count;
};

/* 0 goes on, 1 ends the reading, a negative code fails it. The letter is valid during the visit. */
typedef int weir_letters_visit(
    void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err);

/* What was redriven, by the origin's partition and offset: the highest redrive count. */
struct weir_redriven {
    struct weir_number_map counts;
};

/* Reads the retry topic to its end as it is now, open transactions awaited. A topic of another system has none. */
int weir_redriven_read(struct weir_redriven *redriven, struct weir_kafka_scan *scan,
    const struct weir_letters_topic *topic, struct weir_error *err);
/* Whether the letter, or a later one of the same record, was redriven. */
bool weir_redriven_has(const struct weir_redriven *redriven, const struct weir_letter *letter);
/* Remembers one more. WEIR_E_INTERNAL: memory is out. */
int weir_redriven_add(struct weir_redriven *redriven, const struct weir_letter *letter);
void weir_redriven_done(struct weir_redriven *redriven);
static inline void weir_cleanup_redriven(struct weir_redriven *redriven)
{
    weir_redriven_done(redriven);
}

/* Visits the query's letters by partition and offset. */
int weir_letters_each(struct weir_kafka_scan *scan, const struct weir_letters_query *query,
    const struct weir_redriven *redriven, weir_letters_visit *visit, void *context, struct weir_error *err);

#endif
