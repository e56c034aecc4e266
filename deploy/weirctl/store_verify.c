/* Whether the documents, or those of a backup, are what the change log makes of them. */
#include "deploy/weirctl/store.h"

#include "common/clock.h"

#include <inttypes.h>

enum { EXIT_DIFFERENT = 1 };

struct verification {
    struct store *store;
    struct weir_buffer out;
    bool same;
};

static void tell_text(struct weir_buffer *out, const struct store_report *report, bool same)
{
    weir_buffer_printf(out,
        "%s/%" PRId32 ": %" PRIu64 " documents up to offset %" PRId64 ", hash %016" PRIx64 ": ",
        report->part->changes_topic, report->part->partition, report->documents, report->part->checkpoint,
        report->hash);
    if (same)
        weir_buffer_append_str(out, "as the log says\n");
    else if (report->end < report->part->checkpoint)
        weir_buffer_printf(out, "the log ends before, at %" PRId64 "\n", report->end);
    else
        weir_buffer_printf(out,
            "%" PRIu64 " differ from the log, %" PRIu64 " are not in it, %" PRIu64
            " are only there; the first: %s\n",
            report->different, report->unknown, report->missing, report->example);
}

static void tell_json(struct weir_buffer *out, const struct store_report *report, bool same)
{
    weir_buffer_printf(out,
        "%s{\"topic\":\"%s\",\"partition\":%" PRId32 ",\"documents\":%" PRIu64 ",\"offset\":%" PRId64
        ",\"hash\":\"%016" PRIx64 "\",\"same\":%s,\"different\":%" PRIu64 ",\"unknown\":%" PRIu64
        ",\"missing\":%" PRIu64 ",\"log_end\":%" PRId64 "}",
        out->len > 0 ? "," : "", report->part->changes_topic, report->part->partition, report->documents,
        report->part->checkpoint, report->hash, same ? "true" : "false", report->different, report->unknown,
        report->missing, report->end);
}

static int verify_part(struct verification *verification, struct weir_folder *folder,
    const struct weir_folder_part *part, struct weir_error *err)
{
    struct store_report report;

    int code = store_replay(verification->store, folder, part, false, NULL, NULL, &report, err);
    if (code < 0)
        return code;
    bool same = report.different + report.unknown + report.missing == 0 && report.end >= part->checkpoint;
    verification->same = verification->same && same;
    (verification->store->ctl->arguments->json ? tell_json : tell_text)(&verification->out, &report, same);
    return 0;
}

static void warn_of_age(const struct store *store, const struct weir_folder_part *part)
{
    int64_t window_ms = store->ctl->deployment->kafka.window_ms;

    if (window_ms > 0 && weir_clock_wall_ms() - part->known_ms > window_ms)
        fprintf(stderr,
            "weirctl: %s/%" PRId32
            " is older than window: what the log has forgotten since then may show as differences\n",
            part->changes_topic, part->partition);
}

static int verify_folder(struct verification *verification, const char *path, struct weir_error *err)
{
    WEIR_CLEANUP(folder) struct weir_folder *folder = NULL;
    size_t count = 0;

    int code = weir_folder_open(path, false, &folder, err);
    if (code < 0)
        return code;
    const struct weir_folder_part *parts = weir_folder_parts(folder, &count);
    for (size_t i = 0; code == 0 && i < count; i++) {
        warn_of_age(verification->store, &parts[i]);
        code = verify_part(verification, folder, &parts[i], err);
    }
    return code;
}

static int print(struct verification *verification, struct weir_error *err)
{
    progress_end(&verification->store->progress);
    if (verification->out.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    const char *told = verification->out.data != NULL ? verification->out.data : "";
    if (verification->store->ctl->arguments->json)
        printf("{\"same\":%s,\"partitions\":[%s]}\n", verification->same ? "true" : "false", told);
    else
        fputs(told[0] != '\0' ? told : "there are no documents\n", stdout);
    return verification->same ? 0 : EXIT_DIFFERENT;
}

static int run(struct store *store, struct weir_error *err)
{
    struct verification verification = {.store = store, .same = true};
    struct store_snapshot snapshot = {.made = false};
    int code;

    if (store->flags->from != NULL)
        code = store_find_backup(store->flags->from, snapshot.path, err);
    else
        code = store_snapshot(store, &snapshot, err);
    if (code == 0)
        code = store_connect(store, err);
    if (code == 0)
        code = verify_folder(&verification, snapshot.path, err);
    store_snapshot_done(&snapshot);
    if (code == 0)
        code = print(&verification, err);
    weir_buffer_done(&verification.out);
    return code;
}

int store_verify_run(struct weirctl *ctl, struct weir_error *err)
{
    return store_run(ctl, run, err);
}
