/* Whether a document was changed by a command that came after a dead letter's: read from the change topic, whose
 * events say which command they came from. Positions decide, not clocks, unless the letter's record stood on another
 * partition than its key's. What changes between this look and the execution of the redriven record is not seen.
 * Memory: some 200 bytes for each key asked for. Not thread-safe. */
#ifndef WEIR_COMMON_KAFKA_UNCHANGED_H
#define WEIR_COMMON_KAFKA_UNCHANGED_H

#include "common/dead_letter.h"
#include "common/deployment.h"
#include "common/kafka_scan.h"
#include "common/number_map.h"

struct weir_unchanged {
    const struct weir_collection *collection;
    struct weir_number_map keys;
    bool *partitions; /* of the change topic: those that hold a key asked for */
    int64_t since_ms;
};

/* The collection is borrowed. WEIR_E_INTERNAL: memory is out. */
int weir_unchanged_init(struct weir_unchanged *unchanged, const struct weir_collection *collection);
void weir_unchanged_done(struct weir_unchanged *unchanged);
static inline void weir_cleanup_unchanged(struct weir_unchanged *unchanged)
{
    weir_unchanged_done(unchanged);
}

/* First every letter is asked for, then the log is read once, then each can be judged. */
int weir_unchanged_ask(struct weir_unchanged *unchanged, const struct weir_letter *letter);
int weir_unchanged_read(
    struct weir_unchanged *unchanged, struct weir_kafka_scan *scan, struct weir_error *err);
/* True also for a letter that was not asked for. */
bool weir_unchanged_holds(const struct weir_unchanged *unchanged, const struct weir_letter *letter);

#endif
