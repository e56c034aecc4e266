/* Takes dead letters back to the retry topic of the service that wrote them, exactly once each: by
 * transactions of a transactional.id that belongs to the dead-letter topic. A later run, on whatever machine,
 * ends what an earlier one left open and fences it, reads what is there (common/kafka_dead_letter.h), and
 * goes on from that. So a run may be killed at any time and repeated; two at once end with one of them told
 * that the other has taken over.
 *
 * A letter goes to the partition of its key, one without a key to its own partition number; per partition in
 * the order of the letters. Letters that come meanwhile are left for the next run. Blocks; not thread-safe.
 */
#ifndef WEIR_COMMON_KAFKA_REDRIVE_H
#define WEIR_COMMON_KAFKA_REDRIVE_H

#include "common/kafka_dead_letter.h"

enum weir_redrive_verdict {
    WEIR_REDRIVE_SENT,        /* handed to Kafka; in a dry run: it would be */
    WEIR_REDRIVE_ALREADY,     /* an earlier run did it */
    WEIR_REDRIVE_LOOP,        /* redriven as often as is allowed */
    WEIR_REDRIVE_IMPOSSIBLE,  /* cut, or not a letter of this service */
    WEIR_REDRIVE_CHANGED,     /* its document was changed since */
    WEIR_REDRIVE_UNPATCHABLE, /* a change of the body that was asked for can't be made */
    WEIR_REDRIVE_VERDICTS,
};
/* "sent", "already", … */
const char *weir_redrive_verdict_name(enum weir_redrive_verdict verdict);

/* Which letters are left where they are when their document was changed by a later command. */
enum weir_redrive_unless_changed {
    WEIR_REDRIVE_OVERWRITES, /* replace and merge: they would undo it */
    WEIR_REDRIVE_ALL,
    WEIR_REDRIVE_NONE,
};

/* A value of the body to be set before the letter goes back. */
struct weir_redrive_set {
    const char *pointer;     /* RFC 6901; "": the whole body */
    struct weir_bytes value; /* JSON text */
};

struct weir_redrive_options {
    int64_t per_second;   /* 0: as fast as Kafka takes them */
    int64_t redrives_max; /* a letter redriven so often is left where it is */
    int64_t oldest_ms;    /* letters written before are older than what the retry topic remembers, and left */
    bool dry_run;
    enum weir_redrive_unless_changed unless_changed;
    const struct weir_redrive_set *sets;
    size_t set_count;
    const char *by;                  /* who asks, for weir-patched */
    int timeout_ms;                  /* of each request */
    bool (*stopping)(void *context); /* NULL, or: end after what was handed over is acknowledged */
    /* For each letter of the query, in order; why: NULL or a sentence. context is the caller's. */
    void (*visit)(
        void *context, const struct weir_letter *letter, enum weir_redrive_verdict verdict, const char *why);
    void *context;
};

/* How many letters came to what; SENT: acknowledged, but for a dry run. */
struct weir_redrive_counts {
    int64_t letters[WEIR_REDRIVE_VERDICTS];
    bool stopped; /* before the end */
};

/* Redrives what the query selects; its open_only is not looked at. WEIR_E_FENCED: another run has taken over.
 * Whatever it answers, *ret_counts holds what was done until then. */
int weir_redrive(const struct weir_deployment *deployment, struct weir_kafka_scan *scan,
    const struct weir_letters_query *query, const struct weir_redrive_options *options,
    struct weir_redrive_counts *ret_counts, struct weir_error *err);

/* What the options' oldest_ms has to be now for the topic's letters, by the planned retention of its retry
 * topic: letters are kept no longer, but an operator may have said otherwise. */
int weir_redrive_oldest(const struct weir_deployment *deployment, const struct weir_letters_topic *topic,
    int64_t *ret_ms, struct weir_error *err);

void weir_redrive_counts_add(struct weir_redrive_counts *total, const struct weir_redrive_counts *counts);
/* Letters that neither go back nor did before. */
int64_t weir_redrive_left(const struct weir_redrive_counts *counts);

/* Append JSON: what became of a letter, an object (why as in visit); and the counts, members of an object. */
void weir_redrive_write_verdict(const struct weir_letter *letter, enum weir_redrive_verdict verdict,
    const char *why, struct weir_buffer *out);
void weir_redrive_write_counts(
    const struct weir_redrive_counts *counts, bool dry_run, struct weir_buffer *out);

#endif
