/* Folders that a plugin keeps files in. */
#ifndef WEIR_COMMON_FOLDER_H
#define WEIR_COMMON_FOLDER_H

#include "common/error.h"

#include <limits.h>

/* Makes `path` with its parents, mode 0700; what exists is taken as it is. WEIR_E_CONFIG; WEIR_E_DISK: it is
 * full. Threads: any. */
int weir_folder_make(const char *path, struct weir_error *err);

/* The folder for what may be lost at any time: RocksDB's own log. It is kept off the disk of the data,
 * because RocksDB ends the process when it can't write it. $RUNTIME_DIRECTORY, else a folder of this user's
 * own, mode 0700, in memory or below /tmp. WEIR_E_DISK when there is none. Threads: any. */
int weir_scratch_folder_make(char out[static PATH_MAX], struct weir_error *err);

#endif
