/* Counters, gauges and histograms in Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
 * A metric is registered once by name and label set; updating one is a relaxed atomic, no lock. Threads: any. */
#ifndef WEIR_COMMON_METRICS_H
#define WEIR_COMMON_METRICS_H

#include "common/bytes.h"

#include <stdint.h>

enum weir_metric_type { WEIR_METRIC_COUNTER, WEIR_METRIC_GAUGE, WEIR_METRIC_HISTOGRAM };

struct weir_metric; /* lives as long as the process */

/* The metric of that name and labels, made at the first call. `labels`: "" or `topic="orders",partition="3"` as it will be
 * printed (the caller escapes values with weir_metric_label). Histograms use fixed bounds in seconds, 100 µs to 60 s.
 * NULL is never answered; when memory is out a shared spare takes the updates. */
struct weir_metric *weir_metric(enum weir_metric_type type, const char *name, const char *labels, const char *help);

void weir_metric_add(struct weir_metric *metric, int64_t n);  /* counter, gauge */
void weir_metric_set(struct weir_metric *metric, int64_t n);  /* gauge */
void weir_metric_observe_us(struct weir_metric *metric, int64_t duration_us); /* histogram */
int64_t weir_metric_value(const struct weir_metric *metric);  /* histogram: its count */

/* Appends name="value" with \, " and newline escaped, after a comma unless out is empty. */
void weir_metric_label(struct weir_buffer *out, const char *name, const char *value);

/* Appends all metrics, sorted by name, HELP and TYPE once a name; with process_* and weir_build_info. */
void weir_metrics_write(struct weir_buffer *out);

#endif
