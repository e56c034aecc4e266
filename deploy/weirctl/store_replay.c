#include "common/envelope.h"
#include "consumers/plugins/store/replica.h"
#include "deploy/weirctl/store.h"
#include "deploy/weirctl/text.h"

#include <inttypes.h>

struct replay {
    struct store *store;
    struct store_report *report;
    int64_t until; /* offset behind the last record that counts */
    struct weir_replica replica;
    store_difference_visitor *visit;
    void *context;
    struct weir_error *err;
    int code;
};

static int take_record(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    struct replay *replay = context;

    if (record->offset >= replay->until)
        return 1;
    weir_replica_take(&replay->replica, record->key, record->value,
        weir_header_find(record->headers, record->header_count, WEIR_HEADER_ID));
    return replay->replica.failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}

static void tell_difference(struct replay *replay, struct weir_bytes key, struct weir_bytes stored)
{
    struct store_report *report = replay->report;

    if (report->example[0] == '\0') {
        WEIR_CLEANUP(buffer) struct weir_buffer safe = {0};
        text_append_safe(&safe, key, false);
        snprintf(report->example, sizeof(report->example), "%s", safe.data != NULL ? safe.data : "");
    }
    if (replay->visit != NULL)
        replay->code = replay->visit(replay->context, report->part, key, stored, replay->err);
}

static bool take_document(void *context, struct weir_bytes key, struct weir_bytes stored)
{
    struct replay *replay = context;
    struct store_report *report = replay->report;

    report->documents++;
    report->hash += weir_replica_hash(key, stored);
    progress_count(&replay->store->progress, (int64_t)report->documents, 0, "documents",
        "comparing %s/%" PRId32, report->part->changes_topic, report->part->partition);
    enum weir_likeness likeness = weir_replica_compare(&replay->replica, key, stored);
    if (likeness == WEIR_LIKE_SAME)
        return true;
    *(likeness == WEIR_LIKE_DIFFERENT ? &report->different : &report->unknown) += 1;
    tell_difference(replay, key, stored);
    return replay->code == 0;
}

static int compare(struct replay *replay, struct weir_folder *folder)
{
    const struct weir_overlay *entries = &replay->replica.entries;

    int code = weir_folder_each(folder, replay->report->part, take_document, replay, replay->err);
    for (size_t i = 0; code == 0 && replay->code == 0 && i < entries->count; i++)
        if (weir_replica_is_unseen(&replay->replica, i)) {
            replay->report->missing++;
            tell_difference(replay, weir_overlay_key(entries, i), WEIR_BYTES_NULL);
        }
    return code < 0 ? code : replay->code;
}

static int read_log(struct replay *replay, bool whole)
{
    struct store_report *report = replay->report;
    const struct weir_kafka_range range = {
        .topic = report->part->changes_topic, .partition = report->part->partition, .settled = whole};

    int code = weir_kafka_scan_ends(
        replay->store->scan, range.topic, range.partition, &report->begin, &report->end, replay->err);
    replay->until = whole ? INT64_MAX : report->part->checkpoint;
    return code < 0 ? code
                    : weir_kafka_scan_read(replay->store->scan, &range, take_record, replay, replay->err);
}

int store_replay(struct store *store, struct weir_folder *folder, const struct weir_folder_part *part,
    bool whole, store_difference_visitor *visit, void *context, struct store_report *ret_report,
    struct weir_error *err)
{
    struct replay replay = {
        .store = store, .report = ret_report, .visit = visit, .context = context, .err = err};

    *ret_report = (struct store_report){.part = part};
    int code = read_log(&replay, whole);
    if (code == 0)
        code = compare(&replay, folder);
    weir_replica_done(&replay.replica);
    return code;
}
