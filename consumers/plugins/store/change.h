/* Change events and outcome records as the wire has them, both ways (WIRE.md of the project: ARCHITECTURE.md
 * "Topics"). Pure. */
#ifndef WEIR_STORE_CHANGE_H
#define WEIR_STORE_CHANGE_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdint.h>

struct weir_change {
    char op; /* 'c', 'u' or 'd', Debezium's words */
    const char *collection;
    struct weir_bytes key, request;
    uint64_t version;
    int64_t ts_ms;
    struct weir_bytes before, after; /* JSON text, copied byte for byte; data NULL: left out */
    const char *reason;              /* of a change that no command asked for, "ttl"; NULL: left out */
};

/* Replaces the content of out with the event's value. `after` is its last member, so that it can be taken out
 * again with every byte it had. out->failed tells of no memory. */
void weir_change_write(const struct weir_change *change, struct weir_buffer *out);

/* Reads op, version, ts_ms and after; the other members are not looked at. `after` points into value and is
 * the text that weir_change_write was given. WEIR_E_INVALID: no change event. Threads: any. */
int weir_change_read(struct weir_bytes value, struct weir_change *ret_change, struct weir_error *err);
/* The same of a whole record of a change topic: its key, value and header ce_id. A value with data NULL, a
 * tombstone, reads as op 'd' alone. */
int weir_change_read_record(struct weir_bytes key, struct weir_bytes value, struct weir_bytes request,
    struct weir_change *ret_change, struct weir_error *err);

struct weir_outcome {
    struct weir_bytes request;
    const char *outcome; /* "unchanged", "rejected", "dead-lettered" */
    const char *error;   /* NULL: left out */
    const char *at;      /* "orders/3/17": the command's position */
    const char *first;   /* where the command stands that this one repeats; NULL: it repeats none */
    int64_t ts_ms;
    struct weir_bytes problem; /* what was wrong (problem.h); empty: left out */
};

/* Replaces the content of out. */
void weir_outcome_write(const struct weir_outcome *outcome, struct weir_buffer *out);

#endif
