/* A change event as the notifier needs it: what happened to which document, and the words for it. */
#ifndef WEIR_NOTIFIER_EVENT_H
#define WEIR_NOTIFIER_EVENT_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/envelope.h"
#include "common/error.h"

#include <weir/plugin.h>

#include <stdint.h>

enum weir_event_operation { WEIR_EVENT_CREATED, WEIR_EVENT_UPDATED, WEIR_EVENT_DELETED };

enum { WEIR_EVENT_GIVEN_BYTES = 65 };

struct weir_event {
    bool foreign; /* no change event: a JSON object of a topic of others */
    enum weir_event_operation operation;
    const char *collection; /* [a-z][a-z0-9-]{0,62}; of a foreign one the topic, without prefix */
    const char
        *key; /* 1–255 bytes of UTF-8 without control characters; of a foreign one the record's, or "" */
    const char *request;    /* request id; likewise; "" if the event names none */
    int64_t version;        /* from 1 */
    int64_t time_ms;        /* wall clock of the change */
    struct weir_bytes text; /* the event's JSON: the record's bytes */
    struct weir_bytes
        document;           /* JSON text after the change, in the record's bytes; data NULL for a delete */
    char id[WEIR_ID_BYTES]; /* names this event, by its position: no two events share it; a dead letter that
                               came back keeps it */
    uint32_t source;
    int32_t partition;
    int32_t executions; /* of the record before this one, and how often it came back from the dead letters */
    int64_t redrives;
    char given[WEIR_EVENT_GIVEN_BYTES]; /* the id in its ce_id or request, which several events may share:
                                           letters, digits and hyphens only; "" if there is none */
    char own_key[WEIR_KEY_BYTES + 1];   /* of a foreign one */
    json_t *root;                       /* owns the texts above */
};

/* Reads the value of a change record of the Kafka cluster with that id. The event points into the record,
 * which has to outlive it; the caller frees with weir_event_done(), also after an error. WEIR_E_INVALID: no
 * JSON object, a member missing, of a wrong type or with a value that its rule forbids. Threads: any. */
int weir_event_read(const struct weir_record *record, const char *cluster, struct weir_event *ret_event,
    struct weir_error *err);
/* The same for a record of a topic of others: any JSON object; `topic` (borrowed) is its name without prefix.
 */
int weir_event_read_foreign(const struct weir_record *record, const char *cluster, const char *topic,
    struct weir_event *ret_event, struct weir_error *err);
void weir_event_done(struct weir_event *event);

/* event->id of a record, whatever its value. Threads: any. */
void weir_event_id(const struct weir_record *record, const char *cluster, char out[static WEIR_ID_BYTES]);

/* "created", "updated", "deleted". */
const char *weir_event_verb(enum weir_event_operation operation);

#endif
