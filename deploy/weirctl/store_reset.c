/* Removes the documents of a store, so that it builds them again from its change topics. */
#include "deploy/weirctl/store.h"

#include <inttypes.h>
#include <sysexits.h>

static void tell(struct weir_folder *folder, const char *path)
{
    size_t count = 0;
    const struct weir_folder_part *parts = weir_folder_parts(folder, &count);

    printf("%s: about %" PRIu64 " entries\n", path, weir_folder_estimate(folder));
    for (size_t i = 0; i < count; i++)
        printf("  %s/%" PRId32 " up to offset %" PRId64 "\n", parts[i].changes_topic, parts[i].partition,
            parts[i].checkpoint);
}

/* What can't be opened because it is damaged can be removed all the same. */
static int look(const char *path, struct weir_error *err)
{
    WEIR_CLEANUP(folder) struct weir_folder *folder = NULL;

    int code = weir_folder_open(path, true, &folder, err);
    if (code == 0)
        tell(folder, path);
    else if (code == WEIR_E_CORRUPT)
        printf("%s is damaged: %s\n", path, err->text);
    return code == WEIR_E_CORRUPT ? 0 : code;
}

static int run(struct store *store, struct weir_error *err)
{
    const char *path = store->settings.path;

    int code = look(path, err);
    if (code < 0)
        return code;
    if (!store->flags->yes) {
        puts("nothing was removed: say --yes to remove all of it; it is then built from what the change "
             "topics hold");
        return EX_USAGE;
    }
    code = weir_folder_remove(path, err);
    if (code == 0)
        puts("removed");
    return code;
}

int store_reset_run(struct weirctl *ctl, struct weir_error *err)
{
    struct store store;

    int code = store_open(ctl, &store, err);
    if (code == 0)
        code = run(&store, err);
    store_close(&store);
    return code;
}
