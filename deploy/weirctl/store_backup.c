/* A copy of the documents as they are at one moment, with the offsets that they stand for in it. The service
 * may run. */
#include "deploy/weirctl/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { NAME_BYTES = 32 };

struct backup {
    struct store *store;
    char name[NAME_BYTES], path[PATH_MAX], partial[PATH_MAX], like[PATH_MAX];
    struct store_copy copy;
    struct weir_buffer offsets;
};

static int name_it(struct backup *backup, struct weir_error *err)
{
    const char *to = backup->store->flags->to;
    time_t now = time(NULL);
    struct tm utc;

    if (to == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "say where backups are kept: --to DIR");
    gmtime_r(&now, &utc);
    strftime(backup->name, sizeof(backup->name), "%Y%m%dT%H%M%SZ", &utc);
    if (mkdir(to, 0700) < 0 && errno != EEXIST)
        return weir_error_set(err, WEIR_E_DISK, "can't make %s: %s", to, strerror(errno));
    snprintf(backup->partial, PATH_MAX, "%s/partial", to);
    int len = snprintf(backup->path, PATH_MAX, "%s/%s", to, backup->name);
    if (len < 0 || len >= PATH_MAX - NAME_BYTES)
        return weir_error_set(err, WEIR_E_USAGE, "--to: the path is too long");
    return store_find_backup(to, backup->like, err);
}

/* A service that does not run makes no snapshot, so it is made here, under the folder's lock. */
static int make_snapshot(struct store *store, struct store_snapshot *snapshot, struct weir_error *err)
{
    WEIR_CLEANUP(folder) struct weir_folder *folder = NULL;
    char to[PATH_MAX];

    if (snapshot->made)
        return 0;
    int len = snprintf(to, sizeof(to), "%s.snapshot", store->settings.path);
    if (len < 0 || (size_t)len >= sizeof(to))
        return weir_error_set(err, WEIR_E_USAGE, "store.path is too long");
    int code = weir_folder_open(store->settings.path, true, &folder, err);
    if (code == 0)
        code = weir_folder_remove(to, err);
    if (code == 0)
        code = weir_folder_checkpoint(folder, to, err);
    if (code == 0) {
        snprintf(snapshot->path, sizeof(snapshot->path), "%s", to);
        snapshot->made = true;
    }
    return code;
}

static void tell_part(struct backup *backup, const struct weir_folder_part *part)
{
    struct weir_buffer *out = &backup->offsets;

    if (backup->store->ctl->arguments->json)
        weir_buffer_printf(out, "%s{\"topic\":\"%s\",\"partition\":%" PRId32 ",\"offset\":%" PRId64 "}",
            out->len > 0 ? "," : "", part->changes_topic, part->partition, part->checkpoint);
    else
        weir_buffer_printf(out, "  %s/%" PRId32 " up to offset %" PRId64 "\n", part->changes_topic,
            part->partition, part->checkpoint);
}

/* Opened again where it lies: what can't be read is no backup. */
static int read_back(struct backup *backup, struct weir_error *err)
{
    WEIR_CLEANUP(folder) struct weir_folder *folder = NULL;
    size_t count = 0;

    int code = weir_folder_open(backup->partial, false, &folder, err);
    if (code < 0)
        return code;
    const struct weir_folder_part *parts = weir_folder_parts(folder, &count);
    for (size_t i = 0; i < count; i++)
        tell_part(backup, &parts[i]);
    return 0;
}

static int write_backup(struct backup *backup, const char *from, struct weir_error *err)
{
    bool has_like = strcmp(backup->like, backup->store->flags->to) != 0;

    int code = store_files_remove(backup->partial, err);
    if (code == 0)
        code = store_files_copy(
            backup->store, from, backup->partial, has_like ? backup->like : NULL, &backup->copy, err);
    if (code == 0)
        code = read_back(backup, err);
    if (code == 0 && rename(backup->partial, backup->path) < 0)
        code =
            weir_error_set(err, WEIR_E_DISK, "can't name the backup %s: %s", backup->path, strerror(errno));
    return code;
}

static int remove_old(struct backup *backup, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer names = {0};
    int64_t keep = backup->store->flags->keep;
    char path[PATH_MAX];

    int count = keep > 0 ? store_files_list(backup->store->flags->to, &names, err) : 0;
    int code = count < 0 ? count : 0;
    const char *name = names.data;
    for (int64_t i = 0; code == 0 && i < count - keep; i++) {
        snprintf(path, sizeof(path), "%s/%s", backup->store->flags->to, name);
        code = store_files_remove(path, err);
        name += strlen(name) + 1;
    }
    return code;
}

static void print(const struct backup *backup)
{
    const struct store_copy *copy = &backup->copy;
    const char *offsets = backup->offsets.data != NULL ? backup->offsets.data : "";

    progress_end(&backup->store->progress);
    if (backup->store->ctl->arguments->json)
        printf("{\"path\":\"%s\",\"files\":%" PRId64 ",\"bytes\":%" PRId64 ",\"copied_bytes\":%" PRId64
               ",\"partitions\":[%s]}\n",
            backup->path, copy->files, copy->bytes, copy->copied_bytes, offsets);
    else
        printf("%s: %" PRId64 " files, %" PRId64 " bytes, %" PRId64 " of them new\n%s", backup->path,
            copy->files, copy->bytes, copy->copied_bytes, offsets);
}

static int run(struct store *store, struct weir_error *err)
{
    struct backup backup = {.store = store};
    struct store_snapshot snapshot = {.made = false};

    int code = name_it(&backup, err);
    if (code == 0)
        code = store_snapshot(store, &snapshot, err);
    if (code == 0)
        code = make_snapshot(store, &snapshot, err);
    if (code == 0)
        code = write_backup(&backup, snapshot.path, err);
    store_snapshot_done(&snapshot);
    if (code == 0)
        code = remove_old(&backup, err);
    if (code == 0)
        print(&backup);
    weir_buffer_done(&backup.offsets);
    return code;
}

int store_backup_run(struct weirctl *ctl, struct weir_error *err)
{
    return store_run(ctl, run, err);
}
