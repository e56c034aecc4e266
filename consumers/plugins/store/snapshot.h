/* POST /snapshot on the reads' listener: everything that is on disk at one moment under hard links beside the
 * folder, for `weirctl backup` and `weirctl verify` while the service runs. One at a time; who asked removes
 * it, and so do the next request and the next start. */
#ifndef WEIR_STORE_SNAPSHOT_H
#define WEIR_STORE_SNAPSHOT_H

#include "consumers/plugins/store/reads.h"

struct weir_store;

/* The snapshot's folder: "<store.path>.snapshot". */
int weir_snapshot_path(const char *store_path, char out[static PATH_MAX], struct weir_error *err);
/* What an earlier request left. */
int weir_snapshot_remove(const char *store_path, struct weir_error *err);

/* Answers {"path":…,"instance":…}. Any thread. */
void weir_snapshot_answer(const struct weir_read *read);

#endif
