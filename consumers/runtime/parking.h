/* The parked records of one source partition: those that had RETRY and, behind them, later ones of the same
 * key. It is a view of the retry partition of the same number, a log of states: for each origin the latest
 * counts, until a record without a body ends it. Whatever is known of that log comes in by
 * weir_parking_apply(), at restore, when records are read, and for records of one's own once they are
 * committed: so that what is in memory can always be built again from the log. Knows neither Kafka nor a
 * clock. Not thread-safe.
 *
 * Records of one key form a chain in the order of their origin; it is due when its first record is. With
 * by_key unset, and for a null key, each record is a chain of its own. */
#ifndef WEIR_RUNTIME_PARKING_H
#define WEIR_RUNTIME_PARKING_H

#include "common/bytes.h"

#include <stdint.h>

/* Where a record stood first. */
struct weir_origin {
    struct weir_bytes topic;
    int32_t partition;
    int64_t offset;
};

/* One record of the retry partition. */
struct weir_state {
    struct weir_origin origin;
    int64_t offset;        /* of this record, on the retry partition */
    bool done;             /* it ends the origin; only the fields above count */
    int32_t attempt;       /* executions so far */
    int64_t not_before_ms; /* wall clock; handed out no earlier */
    uint64_t ticket;       /* of a plugin that defers it; in memory only, 0: none */
    int64_t timestamp_ms;  /* of the origin */
    struct weir_bytes key, value;
    const struct weir_header *headers;
    size_t header_count;
};

struct weir_chain;

/* A parked record. Only `state` and `leaving` are for others. */
struct weir_parked {
    struct weir_state state; /* bytes and headers lie behind the struct */
    bool leaving;            /* the transaction under way ends or replaces this state */

    uint64_t hash;
    struct weir_parked *next_in_bucket, *next_of_tickets;
    struct weir_parked *previous, *next; /* in its list */
    struct weir_chain *chain;            /* NULL: a ghost */
    struct weir_parked *ahead, *behind;  /* in its chain */
    size_t bytes;
};

struct weir_parked_list {
    struct weir_parked *first, *last; /* offsets rise */
};

/* Zeroed is empty, in the order `none`. The first four may be set by its owner while it is empty. */
struct weir_parking {
    bool by_key;
    const char *topic; /* of the source; borrowed */
    int32_t partition;
    int64_t position; /* next offset to be read of the retry partition */

    size_t count, bytes; /* of live records */
    struct weir_parked_list live;
    struct weir_parked_list
        ghosts;                   /* ended ahead of the position: their older states, read later, are dead */
    struct weir_parked **origins; /* hash table of live ones and ghosts */
    struct weir_parked **tickets; /* hash table of live ones that are deferred, of the same capacity */
    size_t origin_count, origin_capacity;
    struct weir_chain **keys; /* hash table */
    size_t key_count, key_capacity;
    struct weir_chain **heap; /* by due time, those that are not in a batch */
    size_t heap_count, heap_capacity, chain_count;
    struct weir_chain *taken;  /* those that are in a batch */
    struct weir_chain *taking; /* of them the one whose records are handed out */
};

/* Everything is copied. Not while records are taken. 0, or WEIR_E_INTERNAL when memory is out: nothing
 * changed, and the partition has to be taken anew. */
int weir_parking_apply(struct weir_parking *parking, const struct weir_state *state);
/* The retry partition was read up to `position`, the next offset. */
void weir_parking_read_to(struct weir_parking *parking, int64_t position);

/* The next record that is due: chains by their due time, each in order, as far as its records are due. NULL:
 * none is. Its memory is stable until untake. */
struct weir_parked *weir_parking_take(struct weir_parking *parking, int64_t now_ms);
/* All taken records are back, none is leaving. */
void weir_parking_untake(struct weir_parking *parking);
/* Whether a record of that key would overtake one that is parked and was not taken. */
bool weir_parking_blocks(const struct weir_parking *parking, struct weir_bytes key);

/* Of live records those with one of the tickets are due at once. Not while records are taken. */
void weir_parking_wake(struct weir_parking *parking, const uint64_t *tickets, size_t count);

/* The offset to commit for the retry partition: the lowest of a live state that does not leave, at most the
 * position. */
int64_t weir_parking_low(const struct weir_parking *parking);
/* When the next chain is due, INT64_MAX if there is none. */
int64_t weir_parking_due_ms(const struct weir_parking *parking);
/* The earliest timestamp of a live record's origin, INT64_MAX if there is none. Looks at each. */
int64_t weir_parking_oldest_ms(const struct weir_parking *parking);

/* Whether the origin is a record of the source partition itself. */
bool weir_parking_is_local(const struct weir_parking *parking, const struct weir_origin *origin);

/* Forgets all but whose it is. */
void weir_parking_clear(struct weir_parking *parking);

#endif
