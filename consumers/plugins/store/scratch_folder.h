/* The folder for what may be lost at any time: RocksDB's own log. It is kept off the disk of the documents,
 * because RocksDB ends the process when it can't write it. */
#ifndef WEIR_STORE_SCRATCH_FOLDER_H
#define WEIR_STORE_SCRATCH_FOLDER_H

#include "common/error.h"

#include <limits.h>

/* $RUNTIME_DIRECTORY, else a folder of this user's own, mode 0700, in memory or below /tmp. WEIR_E_DISK when
 * there is none. */
int weir_scratch_folder_make(char out[static PATH_MAX], struct weir_error *err);

#endif
