/* A backup put in the place of the documents; the service then catches up from the change log. */
#include "deploy/weirctl/store.h"

#include "common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

struct restoring {
    struct store *store;
    char from[PATH_MAX], partial[PATH_MAX];
    struct store_copy copy;
    bool holds_documents;
};

/* The lock is tried: a service that runs must not lose its folder. */
static int look_at_target(struct restoring *restoring, struct weir_error *err)
{
    WEIR_CLEANUP(folder) struct weir_folder *folder = NULL;

    int code = weir_folder_open(restoring->store->settings.path, true, &folder, err);
    restoring->holds_documents = code == 0 || code == WEIR_E_CORRUPT;
    return code == WEIR_E_NOT_FOUND || code == WEIR_E_CORRUPT ? 0 : code;
}

static int look_at_backup(const struct restoring *restoring, struct weir_error *err)
{
    WEIR_CLEANUP(folder) struct weir_folder *folder = NULL;
    int64_t window_ms = restoring->store->ctl->deployment->kafka.window_ms;
    size_t count = 0;

    int code = weir_folder_open(restoring->from, false, &folder, err);
    if (code < 0)
        return code;
    const struct weir_folder_part *parts = weir_folder_parts(folder, &count);
    for (size_t i = 0; i < count; i++)
        if (window_ms > 0 && weir_clock_wall_ms() - parts[i].known_ms > window_ms)
            fprintf(stderr,
                "weirctl: %s/%" PRId32 " of the backup is older than window: it will be built again from the "
                "beginning of its change log\n",
                parts[i].changes_topic, parts[i].partition);
    return 0;
}

static int put_in_place(struct restoring *restoring, struct weir_error *err)
{
    const char *path = restoring->store->settings.path;

    int code = store_files_remove(restoring->partial, err);
    if (code == 0)
        code = store_files_copy(
            restoring->store, restoring->from, restoring->partial, NULL, &restoring->copy, err);
    if (code == 0)
        code = weir_folder_remove(path, err);
    if (code == 0 && rename(restoring->partial, path) < 0)
        code = weir_error_set(err, WEIR_E_DISK,
            "can't put the backup in the place of %s: %s; it holds other files, or is a mount point: move "
            "them away",
            path, strerror(errno));
    return code;
}

static int restore(struct restoring *restoring, struct weir_error *err)
{
    struct store *store = restoring->store;
    const char *path = store->settings.path;

    if (store->flags->from == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "say which backup: --from DIR");
    int len = snprintf(restoring->partial, PATH_MAX, "%s.restoring", path);
    if (len < 0 || len >= PATH_MAX)
        return weir_error_set(err, WEIR_E_USAGE, "store.path is too long");
    int code = store_find_backup(store->flags->from, restoring->from, err);
    if (code == 0)
        code = look_at_backup(restoring, err);
    if (code == 0)
        code = look_at_target(restoring, err);
    if (code == 0 && restoring->holds_documents && !store->flags->yes) {
        store_tell(
            store, "%s holds documents, which %s would replace: say --yes to do it", path, restoring->from);
        return EX_USAGE;
    }
    if (code == 0)
        code = put_in_place(restoring, err);
    progress_end(&store->progress);
    if (code == 0)
        store_tell(store,
            "%s is what %s was, %" PRId64 " bytes: start the service, it catches up from its change topics",
            path, restoring->from, restoring->copy.bytes);
    return code;
}

static int run(struct store *store, struct weir_error *err)
{
    struct restoring restoring = {.store = store};

    return restore(&restoring, err);
}

int store_restore_run(struct weirctl *ctl, struct weir_error *err)
{
    return store_run(ctl, run, err);
}
