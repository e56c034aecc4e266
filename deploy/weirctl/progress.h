/* One line on a terminal that tells how far something is, once it takes longer than two seconds; nothing
 * elsewhere. Cheap when nothing is due. */
#ifndef WEIR_DEPLOY_WEIRCTL_PROGRESS_H
#define WEIR_DEPLOY_WEIRCTL_PROGRESS_H

#include "common/kafka_scan.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int64_t due_ms; /* when the line is written next */
    bool shown;
    char what[160]; /* what is counted, and since when and from where on: for the rate */
    int64_t since_ms, first;
};

void progress_begin(struct progress *progress);
void progress_show(struct progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* How much of it is done, with a bar; total 0: not known, so only how much. The text is the same as long as
 * the same is counted. */
void progress_count(struct progress *progress, int64_t done, int64_t total, const char *unit,
    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* How far a scan is: a weir_kafka_scan_tick, its context a struct progress. */
bool progress_tick(
    void *context, const struct weir_kafka_range *range, int64_t begin, int64_t offset, int64_t end);
/* Takes the line away, before anything else is printed. */
void progress_end(struct progress *progress);

#endif
