/* The group's offset is gone. What the service wrote names the records that it came from, and all of one
 * transaction is below the offset that it committed: so the group goes on behind the last record that left a
 * trace. */
#include "deploy/weirctl/group.h"

#include "common/dead_letter.h"
#include "common/envelope.h"
#include "common/json.h"

#include <jansson.h>
#include <string.h>

struct traces {
    const struct group_partition *partition;
    int64_t behind; /* the last record that left one; -1: none did */
};

static void note(struct traces *traces, struct weir_bytes topic, int64_t partition, int64_t offset)
{
    bool own =
        weir_bytes_is(topic, traces->partition->source.topic) && partition == traces->partition->number;

    if (own && offset >= traces->behind)
        traces->behind = offset + 1;
}

static void note_position(struct traces *traces, struct weir_bytes text)
{
    char topic[WEIR_TOPIC_NAME_BYTES];
    int32_t partition;
    int64_t offset;

    if (weir_position_read(text, topic, sizeof(topic), &partition, &offset, NULL) == 0)
        note(traces, weir_bytes_str(topic), partition, offset);
}

static int visit_origin(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    (void)err;
    note_position(context, weir_header_find(record->headers, record->header_count, WEIR_HEADER_ORIGIN));
    return 0;
}

static int visit_letter(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    struct weir_letter letter = {.headers = record->headers, .header_count = record->header_count};

    (void)err;
    weir_letter_read(&letter);
    note(context, letter.source_topic, letter.source_partition, letter.source_offset);
    return 0;
}

static int visit_outcome(void *context, const struct weir_kafka_record *record, struct weir_error *err)
{
    json_t *outcome = json_loadb(record->value.data, record->value.len, 0, NULL);
    const char *at = json_string_value(json_object_get(outcome, "at"));

    (void)err;
    if (at != NULL)
        note_position(context, weir_bytes_str(at));
    json_decref(outcome);
    return 0;
}

static int read_traces(struct group *group, struct traces *traces, const char *topic, weir_kafka_visit *visit,
    struct weir_error *err)
{
    struct weir_kafka_range range = {.topic = topic, .partition = traces->partition->number, .settled = true};

    return weir_kafka_scan_read(group->scan, &range, visit, traces, err);
}

static int read_own(struct group *group, struct traces *traces, const char *suffix, weir_kafka_visit *visit,
    struct weir_error *err)
{
    char topic[WEIR_TOPIC_NAME_BYTES];

    int code =
        weir_topic_of_service(traces->partition->source.topic, group->service->name, suffix, topic, err);
    return code < 0 ? code : read_traces(group, traces, topic, visit, err);
}

/* What a store writes beside retries and letters; of other plugins' topics nothing is known. */
static int read_of_store(struct group *group, struct traces *traces, struct weir_error *err)
{
    const struct weir_collection *collection =
        weir_deployment_collection_of_topic(group->ctl->deployment, traces->partition->source.topic);

    if (collection == NULL || collection->store_service == NULL ||
        strcmp(collection->store_service, group->service->name) != 0)
        return 0;
    int code = read_traces(group, traces, collection->changes_topic, visit_origin, err);
    return code < 0 ? code : read_own(group, traces, "outcomes", visit_outcome, err);
}

static int decide(struct group *group, struct group_partition *partition, struct weir_error *err)
{
    struct traces traces = {.partition = partition, .behind = -1};

    if (partition->source.committed >= 0)
        return 0;
    int code = read_own(group, &traces, "retry", visit_origin, err);
    if (code == 0)
        code = read_own(group, &traces, "dlq", visit_letter, err);
    if (code == 0)
        code = read_of_store(group, &traces, err);
    if (code < 0)
        return code;
    int64_t begin = partition->source.begin, end = partition->source.end;
    partition->source.moved = traces.behind < begin ? begin : traces.behind;
    if (partition->source.moved > end)
        return weir_error_set(err, WEIR_E_CORRUPT,
            "%s/%d was handled up to %lld and ends at %lld: it was made anew or lost records; weir-consumer "
            "--from-beginning handles what is there",
            partition->source.topic, (int)partition->number, (long long)traces.behind, (long long)end);
    partition->retry.moved = partition->retry.begin;
    return 0;
}

int group_from_origin_run(struct weirctl *ctl, struct weir_error *err)
{
    struct group group;

    int code = group_open(ctl, &group, err);
    for (size_t i = 0; i < group.count && code == 0; i++)
        code = decide(&group, &group.partitions[i], err);
    progress_end(&group.progress);
    if (code == 0)
        code = group_move(&group, err);
    group_close(&group);
    return code;
}
