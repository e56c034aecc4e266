/* One line on a terminal that tells how far something is, once it takes longer than two seconds; nothing
 * elsewhere. */
#ifndef WEIR_DEPLOY_WEIRCTL_PROGRESS_H
#define WEIR_DEPLOY_WEIRCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int64_t due_ms; /* when the line is written next */
    bool shown;
};

void progress_begin(struct progress *progress);
/* Cheap when nothing is due. */
void progress_show(struct progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the line away, before anything else is printed. */
void progress_end(struct progress *progress);

#endif
