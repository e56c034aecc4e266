/* Marks of change: counters in a table of fixed size, found by a key's hash, so that who waits for a change
 * of a key need not look at what is kept under it.
 *
 *     writer: write what has changed, weir_marks_move(&marks, weir_marks_place(&marks, key)), wake readers
 *     reader: mark = weir_marks_read(&marks, key), read; nothing has changed while the mark is the same
 *
 * Keys share counters: a mark may move without a change of its key, and never stays through one. Threads:
 * any. */
#ifndef WEIR_COMMON_MARKS_H
#define WEIR_COMMON_MARKS_H

#include "common/bytes.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct weir_marks {
    _Atomic uint32_t *counts;
    uint64_t seed;
    uint64_t life; /* random, so that marks of another table are not taken for ones of this */
};

/* False when memory is out; weir_marks_done() may follow either way. */
bool weir_marks_init(struct weir_marks *marks);
void weir_marks_done(struct weir_marks *marks);

uint32_t weir_marks_place(const struct weir_marks *marks, struct weir_bytes key);
/* After the change can be read. */
void weir_marks_move(struct weir_marks *marks, uint32_t place);
/* Before what is kept under the key is read. */
uint32_t weir_marks_read(const struct weir_marks *marks, struct weir_bytes key);

#endif
