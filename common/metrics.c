#include "common/metrics.h"

#include "common/cleanup.h"
#include "common/kafka_property.h"
#include "common/metrics_process.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Beyond this many something labels by a value without end; the page must stay readable. */
enum { METRICS_MAX = 20000 };

static const struct bound {
    int64_t us;
    const char *seconds;
} bounds[] = {
    {100, "0.0001"},
    {250, "0.00025"},
    {500, "0.0005"},
    {1000, "0.001"},
    {2500, "0.0025"},
    {5000, "0.005"},
    {10000, "0.01"},
    {25000, "0.025"},
    {50000, "0.05"},
    {100000, "0.1"},
    {250000, "0.25"},
    {500000, "0.5"},
    {1000000, "1"},
    {2500000, "2.5"},
    {5000000, "5"},
    {10000000, "10"},
    {30000000, "30"},
    {60000000, "60"},
};

enum { BOUNDS = sizeof(bounds) / sizeof(bounds[0]) };

struct weir_metric {
    enum weir_metric_type type;
    char *name, *labels, *help;
    _Atomic int64_t value;   /* histogram: sum in µs */
    _Atomic int64_t *counts; /* histogram: BOUNDS + 1 of them, not cumulative */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_metric **metrics; /* sorted by name, then labels */
static size_t metric_count, metric_capacity;

static _Atomic int64_t spare_counts[BOUNDS + 1];
static struct weir_metric spare = {.type = WEIR_METRIC_GAUGE, .counts = spare_counts};

static bool is_name_byte(char byte, bool first, bool colon)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           (colon && byte == ':') || (!first && byte >= '0' && byte <= '9');
}

static size_t name_span(const char *text, bool colon)
{
    size_t len = 0;

    while (text[len] != '\0' && is_name_byte(text[len], len == 0, colon))
        len++;
    return len;
}

/* The length of `name="value"` at the beginning of text, 0 if there is none. */
static size_t label_span(const char *text)
{
    size_t at = name_span(text, false);

    if (at == 0 || text[at] != '=' || text[at + 1] != '"')
        return 0;
    for (at += 2; text[at] != '"'; at++) {
        if (text[at] == '\\')
            at++;
        if (text[at] == '\0' || text[at] == '\n')
            return 0;
    }
    return at + 1;
}

static bool are_labels(const char *text)
{
    if (!weir_utf8_valid(weir_bytes_str(text)))
        return false;
    while (*text != '\0') {
        size_t span = label_span(text);
        if (span == 0)
            return false;
        text += span;
        if (*text == ',' && text[1] != '\0')
            text++;
        else if (*text != '\0')
            return false;
    }
    return true;
}

static int compare(const struct weir_metric *metric, const char *name, const char *labels)
{
    int order = strcmp(metric->name, name);
    return order != 0 ? order : strcmp(metric->labels, labels);
}

/* Where the metric is, or would stand. Under the lock. */
static size_t find_place(const char *name, const char *labels, bool *ret_found)
{
    size_t low = 0, high = metric_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(metrics[middle], name, labels);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

static void free_metric(struct weir_metric *metric)
{
    if (metric == NULL)
        return;
    free(metric->name);
    free(metric->labels);
    free(metric->help);
    free(metric->counts);
    free(metric);
}

static struct weir_metric *new_metric(
    enum weir_metric_type type, const char *name, const char *labels, const char *help)
{
    struct weir_metric *metric = calloc(1, sizeof(*metric));

    if (metric == NULL)
        return NULL;
    metric->type = type;
    metric->name = strdup(name);
    metric->labels = strdup(labels);
    metric->help = strdup(help != NULL ? help : "");
    if (type == WEIR_METRIC_HISTOGRAM)
        metric->counts = calloc(BOUNDS + 1, sizeof(*metric->counts));
    if (metric->name == NULL || metric->labels == NULL || metric->help == NULL ||
        (type == WEIR_METRIC_HISTOGRAM && metric->counts == NULL)) {
        free_metric(metric);
        return NULL;
    }
    return metric;
}

static bool grow(void)
{
    if (metric_count < metric_capacity)
        return true;
    size_t capacity = metric_capacity > 0 ? 2 * metric_capacity : 64;
    struct weir_metric **grown = realloc(metrics, capacity * sizeof(*grown));
    if (grown == NULL)
        return false;
    metrics = grown;
    metric_capacity = capacity;
    return true;
}

/* One name has one type: the neighbours of the place share the name if any metric does. */
static bool fits_type(size_t place, enum weir_metric_type type, const char *name)
{
    const struct weir_metric *before = place > 0 ? metrics[place - 1] : NULL;
    const struct weir_metric *behind = place < metric_count ? metrics[place] : NULL;

    return !(before != NULL && strcmp(before->name, name) == 0 && before->type != type) &&
           !(behind != NULL && strcmp(behind->name, name) == 0 && behind->type != type);
}

static struct weir_metric *add_at(
    size_t place, enum weir_metric_type type, const char *name, const char *labels, const char *help)
{
    if (metric_count >= METRICS_MAX || !fits_type(place, type, name) || !grow())
        return &spare;
    struct weir_metric *metric = new_metric(type, name, labels, help);
    if (metric == NULL)
        return &spare;
    memmove(&metrics[place + 1], &metrics[place], (metric_count - place) * sizeof(metrics[0]));
    metrics[place] = metric;
    metric_count++;
    return metric;
}

struct weir_metric *weir_metric(
    enum weir_metric_type type, const char *name, const char *labels, const char *help)
{
    bool found;

    labels = labels != NULL ? labels : "";
    if (name[0] == '\0' || name[name_span(name, true)] != '\0' || !are_labels(labels))
        return &spare;
    pthread_mutex_lock(&lock);
    size_t place = find_place(name, labels, &found);
    struct weir_metric *metric = found ? metrics[place] : add_at(place, type, name, labels, help);
    pthread_mutex_unlock(&lock);
    return metric->type == type ? metric : &spare;
}

void weir_metric_add(struct weir_metric *metric, int64_t n)
{
    if (metric->type == WEIR_METRIC_COUNTER && n < 0)
        return;
    if (metric->type != WEIR_METRIC_HISTOGRAM)
        atomic_fetch_add_explicit(&metric->value, n, memory_order_relaxed);
}

void weir_metric_set(struct weir_metric *metric, int64_t n)
{
    if (metric->type == WEIR_METRIC_GAUGE)
        atomic_store_explicit(&metric->value, n, memory_order_relaxed);
}

void weir_metric_observe_us(struct weir_metric *metric, int64_t duration_us)
{
    size_t bucket = 0;

    if (metric->counts == NULL)
        return;
    if (duration_us < 0)
        duration_us = 0;
    while (bucket < BOUNDS && duration_us > bounds[bucket].us)
        bucket++;
    atomic_fetch_add_explicit(&metric->counts[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->value, duration_us, memory_order_relaxed);
}

int64_t weir_metric_value(const struct weir_metric *metric)
{
    int64_t count = 0;

    if (metric->type != WEIR_METRIC_HISTOGRAM)
        return atomic_load_explicit(&metric->value, memory_order_relaxed);
    for (size_t i = 0; i <= BOUNDS; i++)
        count += atomic_load_explicit(&metric->counts[i], memory_order_relaxed);
    return count;
}

static void append_escaped(struct weir_buffer *out, const char *text, bool quotes)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            weir_buffer_append_str(out, "\\n");
            continue;
        }
        if (*text == '\\' || (quotes && *text == '"'))
            weir_buffer_append(out, "\\", 1);
        weir_buffer_append(out, text, 1);
    }
}

void weir_metric_label(struct weir_buffer *out, const char *name, const char *value)
{
    weir_buffer_printf(out, "%s%s=\"", out->len > 0 ? "," : "", name);
    append_escaped(out, value, true);
    weir_buffer_append(out, "\"", 1);
}

void weir_metrics_write_head(struct weir_buffer *out, const char *name, const char *type, const char *help)
{
    weir_buffer_printf(out, "# HELP %s ", name);
    append_escaped(out, help, false);
    weir_buffer_printf(out, "\n# TYPE %s %s\n", name, type);
}

static void write_sample(
    struct weir_buffer *out, const struct weir_metric *metric, const char *suffix, const char *bound)
{
    const char *comma = metric->labels[0] != '\0' && bound != NULL ? "," : "";

    weir_buffer_printf(out, "%s%s", metric->name, suffix);
    if (bound != NULL)
        weir_buffer_printf(out, "{%s%sle=\"%s\"}", metric->labels, comma, bound);
    else if (metric->labels[0] != '\0')
        weir_buffer_printf(out, "{%s}", metric->labels);
}

static void write_histogram(struct weir_buffer *out, const struct weir_metric *metric)
{
    int64_t count = 0;

    for (size_t i = 0; i <= BOUNDS; i++) {
        count += atomic_load_explicit(&metric->counts[i], memory_order_relaxed);
        write_sample(out, metric, "_bucket", i < BOUNDS ? bounds[i].seconds : "+Inf");
        weir_buffer_printf(out, " %" PRId64 "\n", count);
    }
    int64_t sum_us = atomic_load_explicit(&metric->value, memory_order_relaxed);
    write_sample(out, metric, "_sum", NULL);
    weir_buffer_printf(out, " %" PRId64 ".%06" PRId64 "\n", sum_us / 1000000, sum_us % 1000000);
    write_sample(out, metric, "_count", NULL);
    weir_buffer_printf(out, " %" PRId64 "\n", count);
}

static void write_metric(struct weir_buffer *out, const struct weir_metric *metric)
{
    if (metric->type == WEIR_METRIC_HISTOGRAM) {
        write_histogram(out, metric);
        return;
    }
    write_sample(out, metric, "", NULL);
    weir_buffer_printf(out, " %" PRId64 "\n", weir_metric_value(metric));
}

/* Who made this page; a metric like others, so that it stands in its place among them. */
static void register_build(void)
{
    WEIR_CLEANUP(buffer) struct weir_buffer labels = {0};

    weir_metric_label(&labels, "version", WEIR_VERSION);
    weir_metric_label(&labels, "librdkafka", weir_kafka_library_version());
    if (!labels.failed)
        weir_metric_set(weir_metric(WEIR_METRIC_GAUGE, "weir_build_info", labels.data,
                            "Version of Weir and of the Kafka client it runs with; always 1."),
            1);
}

void weir_metrics_write(struct weir_buffer *out)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const char *process = "process_";
    bool processed = false;

    register_build();
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < metric_count; i++) {
        const struct weir_metric *metric = metrics[i];
        if (!processed && strcmp(metric->name, process) > 0) {
            weir_metrics_write_process(out);
            processed = true;
        }
        if (i == 0 || strcmp(metrics[i - 1]->name, metric->name) != 0)
            weir_metrics_write_head(out, metric->name, types[metric->type], metric->help);
        write_metric(out, metric);
    }
    pthread_mutex_unlock(&lock);
    if (!processed)
        weir_metrics_write_process(out);
}
