/* Text from a server made fit for a header value, a log line or a dead letter. */
#ifndef WEIR_NOTIFIER_CLEAN_H
#define WEIR_NOTIFIER_CLEAN_H

#include <stddef.h>

/* Copies text into out as one line of printable ASCII: runs of white space and line ends become one space,
 * other bytes '?'; cut at size - 1 bytes. text may be NULL. Threads: any. */
void weir_clean_line(const char *text, char *out, size_t size);

#endif
