#include "common/marks.h"

#include "common/hash.h"

#include <stdlib.h>
#include <unistd.h>

enum { PLACES = 1 << 16 };

bool weir_marks_init(struct weir_marks *marks)
{
    *marks = (struct weir_marks){.counts = calloc(PLACES, sizeof(*marks->counts))};
    return marks->counts != NULL && getentropy(&marks->seed, sizeof(marks->seed)) == 0 &&
           getentropy(&marks->life, sizeof(marks->life)) == 0;
}

void weir_marks_done(struct weir_marks *marks)
{
    free((void *)marks->counts);
    *marks = (struct weir_marks){0};
}

uint32_t weir_marks_place(const struct weir_marks *marks, struct weir_bytes key)
{
    return (uint32_t)(weir_hash(marks->seed, key) >> 32) % PLACES;
}

void weir_marks_move(struct weir_marks *marks, uint32_t place)
{
    atomic_fetch_add(&marks->counts[place], 1);
}

uint32_t weir_marks_read(const struct weir_marks *marks, struct weir_bytes key)
{
    return atomic_load(&marks->counts[weir_marks_place(marks, key)]);
}
