/* Takes dead letters back to the services that they came from, as `weirctl dlq redrive` does. */
#include "common/clock.h"
#include "gateway/dlq_parts.h"

#include <string.h>

enum { NAMED_MAX = 1000, LEAST_MS = 1000 };

struct redrive {
    struct weir_dlq_job *job;
    int64_t stop_ms; /* weir_clock_ms() from which on no further letter is looked at */
    struct weir_redrive_counts total;
    struct weir_buffer letters; /* JSON: what became of those that are named */
    int64_t seen, named;
    bool more; /* would have been named */
};

static bool stopping(void *context)
{
    const struct redrive *redrive = context;
    return weir_dlq_is_ending(redrive->job->gateway) || weir_clock_ms() >= redrive->stop_ms;
}

/* Named are the letters that are left and why, and in a dry run those that would go. */
static void tell(
    void *context, const struct weir_letter *letter, enum weir_redrive_verdict verdict, const char *why)
{
    struct redrive *redrive = context;
    bool sent = verdict == WEIR_REDRIVE_SENT, dry = redrive->job->settings.redrive.dry_run;

    redrive->seen++;
    redrive->job->unknown |= sent && !dry;
    if (why == NULL && !(sent && dry))
        return;
    if (redrive->named == NAMED_MAX) {
        redrive->more = true;
        return;
    }
    weir_buffer_append_str(&redrive->letters, redrive->named++ > 0 ? ",\n" : "");
    weir_redrive_write_verdict(letter, verdict, why, &redrive->letters);
}

static int redrive_topic(
    struct redrive *redrive, const struct weir_letters_query *query, struct weir_error *err)
{
    struct weir_dlq_job *job = redrive->job;
    const struct weir_redrive_settings *settings = &job->settings.redrive;
    int64_t left_ms = job->deadline_ms - weir_clock_ms();
    struct weir_redrive_counts counts;
    struct weir_redrive_options options = {.per_second = settings->rate,
        .redrives_max = settings->redrives_max,
        .dry_run = settings->dry_run,
        .unless_changed = (enum weir_redrive_unless_changed)settings->unless_changed,
        .sets = job->sets,
        .set_count = job->set_count,
        .by = job->request->principal,
        .timeout_ms = (int)(left_ms > LEAST_MS ? left_ms : LEAST_MS),
        .stopping = stopping,
        .visit = tell,
        .context = redrive};

    int code = weir_redrive_oldest(job->gateway->deployment, query->topic, &options.oldest_ms, err);
    if (code < 0)
        return code;
    code = weir_redrive(job->gateway->deployment, job->scan, query, &options, &counts, err);
    weir_redrive_counts_add(&redrive->total, &counts);
    return code == WEIR_E_NOT_FOUND ? 0 : code;
}

static int redrive_one(struct redrive *redrive, const struct weir_dlq_topics *topics, struct weir_error *err)
{
    const struct weir_dlq_place *place = &redrive->job->place;
    const struct weir_letters_range range = {place->partition, place->offset, place->offset};
    struct weir_letters_query query = {.topic = weir_dlq_topic_find(topics, place->topic),
        .filter = WEIR_LETTER_ANY,
        .ranges = &range,
        .range_count = 1};
    int32_t partitions = 0;
    int code = 0;

    if (query.topic != NULL)
        code = weir_kafka_scan_partitions(redrive->job->scan, place->topic, &partitions, err);
    if (code == 0 && place->partition < partitions)
        code = redrive_topic(redrive, &query, err);
    if (code == 0 && redrive->seen == 0 && !redrive->total.stopped)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "no letter stands there");
    return code;
}

static int redrive_all(struct redrive *redrive, const struct weir_dlq_topics *topics, struct weir_error *err)
{
    int code = 0;
    for (size_t i = 0; i < topics->count && code == 0 && !redrive->total.stopped; i++) {
        const struct weir_letters_query query = {.topic = &topics->list[i], .filter = redrive->job->filter};
        code = redrive_topic(redrive, &query, err);
    }
    return code;
}

static void write_answer(const struct redrive *redrive, const char *why)
{
    struct weir_buffer *out = &redrive->job->answer;
    weir_buffer_append_str(out, "{");
    weir_redrive_write_counts(&redrive->total, redrive->job->settings.redrive.dry_run, out);
    if (why != NULL) {
        weir_buffer_append_str(out, ",\"why\":");
        weir_buffer_append_json_string(out, weir_bytes_str(why));
    }
    weir_buffer_append_str(out, ",\"letters\":[");
    weir_buffer_append_bytes(out, weir_buffer_bytes(&redrive->letters));
    weir_buffer_printf(out, "],\"more\":%s}\n", redrive->more ? "true" : "false");
    out->failed |= redrive->letters.failed;
}

/* Whoever waits behind this one gets his turn while there is time. What went back before a failure is told.
 */
int weir_dlq_redrive_work(struct weir_dlq_job *job, struct weir_error *err)
{
    WEIR_CLEANUP(dlq_topics) struct weir_dlq_topics topics = {0};
    int64_t now_ms = weir_clock_ms();
    struct redrive redrive = {.job = job, .stop_ms = now_ms + (job->deadline_ms - now_ms) / 2};
    bool one = job->request->path.item;

    int code = weir_dlq_topics_init(&topics, job, job->service, err);
    if (code == 0)
        code = (one ? redrive_one : redrive_all)(&redrive, &topics, err);
    bool partly = code < 0 && redrive.total.letters[WEIR_REDRIVE_SENT] > 0 && !job->settings.redrive.dry_run;
    redrive.total.stopped |= partly;
    if (code == 0 || partly)
        write_answer(&redrive, partly ? err->text : NULL);
    weir_buffer_done(&redrive.letters);
    return partly ? 0 : code;
}
