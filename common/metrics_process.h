/* What Prometheus' client libraries tell of the process itself, read from the kernel when asked for. Part of
 * common/metrics. Threads: any. */
#ifndef WEIR_COMMON_METRICS_PROCESS_H
#define WEIR_COMMON_METRICS_PROCESS_H

#include "common/bytes.h"

#include <stdint.h>

/* Appends process_*: sorted, each with HELP and TYPE. What can't be read is left out. */
void weir_metrics_write_process(struct weir_buffer *out);

/* Resident memory of this process, or a negative number when it can't be known. */
int64_t weir_process_resident_bytes(void);

/* Appends HELP and TYPE of one name (metrics.c). */
void weir_metrics_write_head(struct weir_buffer *out, const char *name, const char *type, const char *help);

#endif
