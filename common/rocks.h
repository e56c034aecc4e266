/* What all folders of RocksDB have in common: what its failures mean, and where its own log goes.
 *
 *     if (error != NULL)
 *         return weir_rocks_fail(error, &advice, "can't read /var/lib/weir/store", err);
 */
#ifndef WEIR_COMMON_ROCKS_H
#define WEIR_COMMON_ROCKS_H

#include "common/error.h"

#include <rocksdb/c.h>

/* What people should do, where that depends on whose folder it is. */
struct weir_rocks_advice {
    const char *full;    /* the disk has no room */
    const char *corrupt; /* damage was found */
    const char *locked;  /* another process has the folder open */
};

/* Turns a sentence of RocksDB into an error "doing: advice (sentence)".
 *
 * rocks_error: what a call of RocksDB left in its errptr, not NULL; it is freed.
 * Returns WEIR_E_DISK, WEIR_E_CORRUPT, WEIR_E_CONFIG (locked), or WEIR_E_INTERNAL for a sentence that is not
 * known. Threads: any. */
int weir_rocks_fail(
    char *rocks_error, const struct weir_rocks_advice *advice, const char *doing, struct weir_error *err);

/* RocksDB's own log holds errors only and stays small. path: a folder on another disk than the data, because
 * one that is full ends the process of Debian's build. */
void weir_rocks_set_log(rocksdb_options_t *options, const char *path);

#endif
