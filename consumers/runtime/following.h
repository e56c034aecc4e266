/* Partitions of tables that are read although their source partitions are not this instance's: every one of a
 * table of mode ALL, those that others own of mode STANDBY. They are followed for as long as that is so; what
 * fails is begun again later and disturbs nothing else. */
#ifndef WEIR_RUNTIME_FOLLOWING_H
#define WEIR_RUNTIME_FOLLOWING_H

#include "common/error.h"
#include "consumers/runtime/partition.h"

#include <weir/plugin.h>

struct weir_runtime;
struct weir_follow;

struct weir_following {
    struct weir_follow **follows; /* each at a fixed address */
    size_t count;
    bool listed;    /* which there are is known */
    int64_t due_ms; /* monotonic; not asked before */
};

/* Whether the table is read for each partition that is taken. */
bool weir_table_is_restored(const struct weir_table *table);

/* Begins to follow what is to be followed and is not. */
void weir_following_step(struct weir_runtime *runtime);
/* The partition is ours from now on: its standby reads end. */
void weir_following_yield(struct weir_runtime *runtime, const struct weir_partition *partition);
/* Whether every table of mode ALL was read up to the marks of the start, and how many partitions were not
 * yet. */
bool weir_following_is_whole(const struct weir_runtime *runtime);
unsigned weir_following_behind(const struct weir_runtime *runtime);
/* Before a batch: reads what the plugin wants fresh up to where it ends now. WEIR_E_UNAVAILABLE and the like
 * when that was not done within 2 s: the batch has to wait. */
int weir_following_refresh(struct weir_runtime *runtime, struct weir_error *err);
void weir_following_done(struct weir_runtime *runtime);

/* From the reader. */
bool weir_following_is_waited_for(const struct weir_follow *follow);
void weir_following_caught_up(struct weir_follow *follow);
void weir_following_failed(struct weir_follow *follow, const char *what, const struct weir_error *err);
void weir_following_ended(struct weir_follow *follow);

#endif
