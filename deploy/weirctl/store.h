/* What the commands about a store's documents share: their flags, whose store it is and where it lies. */
#ifndef WEIR_DEPLOY_WEIRCTL_STORE_H
#define WEIR_DEPLOY_WEIRCTL_STORE_H

#include "common/kafka_scan.h"
#include "consumers/plugins/store/folder.h"
#include "consumers/plugins/store/settings.h"
#include "deploy/weirctl/progress.h"
#include "deploy/weirctl/weirctl.h"

#include <limits.h>

struct store_flags {
    char *service, *to, *from;
    int64_t keep;
    bool yes;
};

struct store {
    struct weirctl *ctl;
    const struct store_flags *flags;
    const struct weir_service *service;
    struct weir_store_settings settings; /* of the plugin, in the service's section */
    struct weir_kafka_scan *scan;        /* after store_connect() */
    struct progress progress;
    struct weir_buffer told; /* with --json: lines of store_tell(), as JSON strings */
};

/* Whether the service's plugin is the store, and its settings of that plugin; asks nobody. The caller ends
 * them with store_settings_done() in any case. */
bool store_is_one(const struct weir_service *service);
int store_settings_read(const struct weir_deployment *deployment, const struct weir_service *service,
    struct weir_store_settings *ret_settings, struct weir_error *err);
void store_settings_done(struct weir_store_settings *settings);

/* Finds the service and reads its settings; asks nobody. The caller ends it with store_close() in any case.
 */
int store_open(struct weirctl *ctl, struct store *ret_store, struct weir_error *err);
void store_close(struct store *store);
/* What all commands about a store do: opens it, has the work done, closes it. */
typedef int store_work(struct store *store, struct weir_error *err);
int store_run(struct weirctl *ctl, store_work *work, struct weir_error *err);

/* Tells a line of what was, or would be, done; with --json all of them at the end, and whether it was done.
 */
void store_tell(struct store *store, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Connects to the brokers. */
int store_connect(struct store *store, struct weir_error *err);
/* WEIR_E_BUSY while an instance of the service is in its group. */
int store_check_stopped(struct store *store, struct weir_error *err);

/* store_snapshot.c: the documents as they are now, opened for reading: a snapshot made by the running
 * service, which store_snapshot_done() removes, or the folder itself when nobody listens at store.listen. */
struct store_snapshot {
    char path[PATH_MAX];
    bool made;
};
int store_snapshot(struct store *store, struct store_snapshot *ret_snapshot, struct weir_error *err);
void store_snapshot_done(const struct store_snapshot *snapshot);

/* store_replay.c: compares each partition of the folder with the change log. */
struct store_report {
    const struct weir_folder_part *part;
    uint64_t documents, hash; /* of the folder */
    uint64_t different, unknown,
        missing;        /* documents that are not as the log says; that it has not; that only it has */
    char example[280];  /* the first key that differs, safe for a terminal; "" without one */
    int64_t begin, end; /* of the log */
};
/* In order: documents of the folder that differ or that the log lacks, then keys that only the log has
 * (stored.data NULL). 0, or an error that ends it. */
typedef int store_difference_visitor(void *context, const struct weir_folder_part *part,
    struct weir_bytes key, struct weir_bytes stored, struct weir_error *err);
/* `whole`: the log to its end, instead of up to the folder's checkpoint. visit may be NULL. */
int store_replay(struct store *store, struct weir_folder *folder, const struct weir_folder_part *part,
    bool whole, store_difference_visitor *visit, void *context, struct store_report *ret_report,
    struct weir_error *err);

/* store_files.c: the files of a folder without folders in it. */
struct store_copy {
    int64_t files, bytes, copied_bytes; /* copied: not linked */
};
/* Copies all of `from` to the new folder `to`; a table file that `like` (NULL: none) has, too, is linked to
 * instead. Synced to the disk when it returns. */
int store_files_copy(struct store *store, const char *from, const char *to, const char *like,
    struct store_copy *ret_copy, struct weir_error *err);
/* Removes a folder and the files in it; fine when there is none. */
int store_files_remove(const char *path, struct weir_error *err);
/* Names of the backups in `path` (20261125T213000Z), the oldest first, each ended by NUL, one after the
 * other. Answers how many, or an error. */
int store_files_list(const char *path, struct weir_buffer *ret_names, struct weir_error *err);

/* The newest of the backups in `path`, or `path` itself when it holds none. */
int store_find_backup(const char *path, char out[static PATH_MAX], struct weir_error *err);

#endif
