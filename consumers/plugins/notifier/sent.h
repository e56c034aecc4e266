/* Which mails the server has taken already, so that an event that comes again (another of its recipients
 * failed, the transaction was aborted, a record before it on its partition has to wait) is not mailed twice.
 * In memory, the last 524,288 to 1,048,576 mails (32 MiB when full): a restart forgets it. Not thread-safe.
 */
#ifndef WEIR_NOTIFIER_SENT_H
#define WEIR_NOTIFIER_SENT_H

#include <stdbool.h>

struct weir_sent;

/* NULL when memory is out. */
struct weir_sent *weir_sent_new(void);
void weir_sent_free(struct weir_sent *sent);

/* A mail is known by its Message-ID. */
void weir_sent_add(struct weir_sent *sent, const char *message_id);
bool weir_sent_has(const struct weir_sent *sent, const char *message_id);

#endif
