#include "consumers/plugins/store/snapshot.h"

#include "consumers/plugins/store/folder.h"

int weir_snapshot_path(const char *store_path, char out[static PATH_MAX], struct weir_error *err)
{
    int len = snprintf(out, PATH_MAX, "%s.snapshot", store_path);
    return len > 0 && len < PATH_MAX ? 0 : weir_error_set(err, WEIR_E_CONFIG, "store.path is too long");
}

int weir_snapshot_remove(const char *store_path, struct weir_error *err)
{
    char path[PATH_MAX];

    int r = weir_snapshot_path(store_path, path, err);
    return r < 0 ? r : weir_folder_remove(path, err);
}

static int make(struct weir_store *store, char path[static PATH_MAX], struct weir_error *err)
{
    int r = weir_snapshot_path(store->path, path, err);

    if (r == 0)
        r = weir_store_check_space(store, err);
    if (r == 0)
        r = weir_folder_remove(path, err);
    return r < 0 ? r : weir_db_checkpoint(store->db, path, err);
}

static void reply_made(const struct weir_read *read, const char *path)
{
    WEIR_CLEANUP(buffer) struct weir_buffer body = {0};

    weir_buffer_append_str(&body, "{\"path\":");
    weir_buffer_append_json_string(&body, weir_bytes_str(path));
    weir_buffer_append_str(&body, ",\"instance\":");
    weir_buffer_append_json_string(&body, weir_bytes_str(read->store->host->instance));
    weir_buffer_append_str(&body, "}");
    read->store->host->reply_body(read->reply, 200, "application/json", weir_buffer_bytes(&body));
}

void weir_snapshot_answer(const struct weir_read *read)
{
    struct weir_store *store = read->store;
    struct weir_error err = {0};
    char path[PATH_MAX];

    if (atomic_exchange(&store->snapshotting, true)) {
        weir_read_reply_unavailable(read, "another snapshot is being made");
        return;
    }
    int r = make(store, path, &err);
    atomic_store(&store->snapshotting, false);
    weir_store_log(store, r < 0 ? WEIR_SAY_WARNING : WEIR_SAY_NOTICE, "store.snapshot",
        "path=%s result=\"%s\"", path, r < 0 ? err.text : "made");
    if (r < 0)
        weir_read_reply_unavailable(read, err.text);
    else
        reply_made(read, path);
}
