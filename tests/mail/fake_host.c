#include "mail/fake_host.h"

#include "common/deployment.h"

#include <stdatomic.h>
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

static int defer(
    struct weir_batch *batch, const struct weir_record *record, int64_t limit_ms, uint64_t *ret_ticket)
{
    struct fake_verdict *given = open_verdict(batch, record);

    (void)limit_ms;
    given->verdict = WEIR_RETRY;
    given->deferred = true;
    *ret_ticket = 1;
    return 0;
}

static bool wait_ms(int64_t duration_ms)
{
    nanosleep(&(struct timespec){.tv_nsec = duration_ms * 1000000}, NULL);
    return true;
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

static struct fake_output *outputs;
static size_t output_count;
static int64_t next_offset;

/* Offsets rise over all topics: enough for who looks at their order only. */
static int keep(
    uint32_t cause, int32_t partition, const char *topic, struct weir_bytes key, struct weir_bytes value)
{
    outputs = reallocarray(outputs, output_count + 1, sizeof(*outputs));
    outputs[output_count++] = (struct fake_output){.output = {cause, topic, partition, next_offset++},
        .key = strndup(key.data, key.len),
        .value = value.data != NULL ? strndup(value.data, value.len) : NULL};
    return 0;
}

static int emit(struct weir_batch *batch, const struct weir_record *cause, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err)
{
    (void)headers, (void)header_count, (void)err;
    return keep((uint32_t)(cause - batch->records), cause->partition, topic, key, value);
}

static int emit_at(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
    struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers, size_t header_count,
    struct weir_error *err)
{
    (void)batch, (void)source, (void)headers, (void)header_count, (void)err;
    return keep(WEIR_NO_RECORD, partition, topic, key, value);
}

static int emit_to(struct weir_batch *batch, uint32_t source, int32_t partition, const char *topic,
    int32_t to, struct weir_bytes key, struct weir_bytes value, const struct weir_header *headers,
    size_t header_count, struct weir_error *err)
{
    (void)batch, (void)source, (void)partition, (void)headers, (void)header_count, (void)err;
    return keep(WEIR_NO_RECORD, to, topic, key, value);
}

size_t fake_host_output_count(void)
{
    return output_count;
}

const struct fake_output *fake_host_output(size_t i)
{
    return &outputs[i];
}

void fake_host_forget(void)
{
    for (size_t i = 0; i < output_count; i++) {
        free(outputs[i].key);
        free(outputs[i].value);
    }
    free(outputs);
    outputs = NULL;
    output_count = 0;
}

static atomic_bool stop; /* set by a signal, read by sessions */

void fake_host_stop(void)
{
    atomic_store(&stop, true);
}

bool fake_host_stopping(void)
{
    return atomic_load(&stop);
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
    static const char *const plain[] = {"orders.changes", NULL};
    const struct weir_service *service =
        deployment != NULL ? weir_deployment_service(deployment, "notifier") : NULL;
    char **topics = service != NULL ? service->source_topics : NULL;

    host = (struct weir_host){.abi = WEIR_PLUGIN_ABI,
        .struct_size = sizeof(struct weir_host),
        .service = "notifier",
        .instance = "test",
        .topics = topics != NULL ? (const char *const *)topics : plain,
        .emit = emit,
        .emit_at = emit_at,
        .emit_to = emit_to,
        .defer = defer,
        .wait_ms = wait_ms,
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
