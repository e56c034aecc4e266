/* Removes the documents of a store, so that it builds them again from its change topics. */
#include "deploy/weirctl/store.h"

#include <inttypes.h>
#include <sysexits.h>

static void tell(struct store *store, struct weir_folder *folder)
{
    size_t count = 0;
    const struct weir_folder_part *parts = weir_folder_parts(folder, &count);

    store_tell(store, "%s: about %" PRIu64 " entries", store->settings.path, weir_folder_estimate(folder));
    for (size_t i = 0; i < count; i++)
        store_tell(store, "  %s/%" PRId32 " up to offset %" PRId64, parts[i].changes_topic,
            parts[i].partition, parts[i].checkpoint);
}

/* What can't be opened because it is damaged can be removed all the same. */
static int look(struct store *store, struct weir_error *err)
{
    const char *path = store->settings.path;
    WEIR_CLEANUP(folder) struct weir_folder *folder = NULL;

    int code = weir_folder_open(path, true, &folder, err);
    if (code == 0)
        tell(store, folder);
    else if (code == WEIR_E_CORRUPT)
        store_tell(store, "%s is damaged: %s", path, err->text);
    return code == WEIR_E_CORRUPT ? 0 : code;
}

static int run(struct store *store, struct weir_error *err)
{
    const char *path = store->settings.path;

    int code = look(store, err);
    if (code < 0)
        return code;
    if (!store->flags->yes) {
        store_tell(store,
            "nothing was removed: say --yes to remove all of it; it is then built from what the change "
            "topics hold");
        return EX_USAGE;
    }
    code = weir_folder_remove(path, err);
    if (code == 0)
        store_tell(store, "removed");
    return code;
}

int store_reset_run(struct weirctl *ctl, struct weir_error *err)
{
    return store_run(ctl, run, err);
}
