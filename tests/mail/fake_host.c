#include "mail/fake_host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct weir_metric {
    const char *name;
    int64_t value;
};

static struct weir_metric metrics[32];
static size_t metric_count;

static bool is_behind_its_key(const struct weir_batch *batch, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (batch->verdicts[i].given && batch->verdicts[i].verdict == WEIR_RETRY &&
            batch->records[i].partition == batch->records[index].partition &&
            weir_bytes_equal(batch->records[i].key, batch->records[index].key))
            return true;
    return false;
}

/* As in plugin.h: what lies behind a record of its partition that had WAIT, or of its key that had RETRY, is
 * left out. */
static const struct weir_record *next(struct weir_batch *batch)
{
    while (batch->next < batch->count) {
        size_t index = batch->next++;
        if (batch->stopped[batch->records[index].partition] || is_behind_its_key(batch, index))
            continue;
        batch->verdicts[index].handed_out = true;
        return &batch->records[index];
    }
    return NULL;
}

static struct fake_verdict *open_verdict(struct weir_batch *batch, const struct weir_record *record)
{
    struct fake_verdict *verdict = &batch->verdicts[record - batch->records];
    if (!verdict->handed_out || verdict->given) {
        fprintf(stderr, "fake host: a verdict on a record that is not pending\n");
        abort();
    }
    verdict->given = true;
    return verdict;
}

static void done(struct weir_batch *batch, const struct weir_record *record)
{
    open_verdict(batch, record)->verdict = WEIR_DONE;
}

static void fail(struct weir_batch *batch, const struct weir_record *record, enum weir_verdict verdict,
    const struct weir_reason *why)
{
    struct fake_verdict *given = open_verdict(batch, record);
    given->verdict = verdict;
    batch->stopped[record->partition] |= verdict == WEIR_WAIT;
    snprintf(given->disposition, sizeof(given->disposition), "%s",
        why->disposition != NULL ? why->disposition : "");
    snprintf(given->error_type, sizeof(given->error_type), "%s", why->error_type);
    snprintf(given->text, sizeof(given->text), "%s", why->text);
}

static void say(enum weir_log_severity severity, const char *event, const char *format, va_list arguments)
{
    fprintf(stderr, "<%d>%s ", (int)severity, event);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

static int64_t now_ms(void)
{
    return (int64_t)time(NULL) * 1000;
}

static volatile sig_atomic_t stop;

void fake_host_stop(void)
{
    stop = 1;
}

bool fake_host_stopping(void)
{
    return stop != 0;
}

static const char *cluster_id(void *context)
{
    (void)context;
    return "cluster";
}

static struct weir_metric *metric(const char *name, const char *labels, const char *help)
{
    (void)labels;
    (void)help;
    if (metric_count == sizeof(metrics) / sizeof(metrics[0]))
        abort();
    metrics[metric_count] = (struct weir_metric){.name = name};
    return &metrics[metric_count++];
}

static void metric_add(struct weir_metric *counted, int64_t n)
{
    counted->value += n;
}

static void metric_observe_us(struct weir_metric *observed, int64_t duration_us)
{
    observed->value += duration_us >= 0;
}

int64_t fake_host_counter(const char *name)
{
    int64_t total = 0;
    for (size_t i = 0; i < metric_count; i++)
        total += strcmp(metrics[i].name, name) == 0 ? metrics[i].value : 0;
    return total;
}

const struct weir_host *fake_host(const struct weir_deployment *deployment)
{
    static struct weir_host host;

    host = (struct weir_host){.abi = WEIR_PLUGIN_ABI,
        .struct_size = sizeof(struct weir_host),
        .service = "notifier",
        .instance = "test",
        .deployment = deployment,
        .next = next,
        .done = done,
        .fail = fail,
        .log = say,
        .now_ms = now_ms,
        .stopping = fake_host_stopping,
        .counter = metric,
        .gauge = metric,
        .histogram = metric,
        .metric_add = metric_add,
        .metric_set = metric_add,
        .metric_observe_us = metric_observe_us,
        .cluster_id = cluster_id};
    return &host;
}
