/* The ledger: what became of each mail, so that none is sent twice. Its log is the topic
 * <source>.<service>.notifications, on the partition of the event; its view is a RocksDB folder, written as
 * soon as the server has answered. What is not in the log yet stands in an outbox beside the view: the
 * batch's transaction takes along what belongs to its finished records, the next tick the rest (of records
 * that are to be retried, wait, or are not at their end). A partition that is taken is restored from the log.
 *
 * Threads: weir_ledger_note, and the reads at the end, any; everything else the host's thread. */
#ifndef WEIR_NOTIFIER_LEDGER_H
#define WEIR_NOTIFIER_LEDGER_H

#include "consumers/plugins/notifier/delivery.h"
#include "consumers/plugins/notifier/subscriptions.h"

#include <weir/plugin.h>

struct weir_ledger;

struct weir_ledger_options {
    const struct weir_host *host; /* its topics and its service name the logs */
    const char *path;
    bool temporary;  /* begins empty, and is removed at the end */
    int64_t keep_ms; /* older records are forgotten */
};

/* Copies path. WEIR_E_CONFIG: another process has the folder open; WEIR_E_CORRUPT, WEIR_E_DISK. */
int weir_ledger_open(
    const struct weir_ledger_options *options, struct weir_ledger **ret_ledger, struct weir_error *err);
void weir_ledger_close(struct weir_ledger *ledger); /* accepts NULL */

/* Opens it again after a failed write. WEIR_E_DISK and the like: it can't be written, so no mail may go out.
 */
int weir_ledger_mend(struct weir_ledger *ledger, struct weir_error *err);
/* What was noted so far survives a power cut. */
int weir_ledger_sync(struct weir_ledger *ledger, struct weir_error *err);

/* What is on record about a mail of an event with that time (another time: the topic was made anew, and its
 * positions name other events). False: nothing. */
bool weir_ledger_find(
    struct weir_ledger *ledger, const char *key, int64_t event_ms, struct weir_delivery_record *ret_record);

/* Into the view and the outbox. A failure is kept for weir_ledger_mend. ret_record (NULL: no need) is given
 * what was written. */
void weir_ledger_note(struct weir_ledger *ledger, const struct weir_delivery *delivery,
    enum weir_delivery_status status, int code, const char *reply, struct weir_buffer *ret_record);

/* Emits a delivery of this record that was noted, for the transaction that finishes the record; for one that
 * does not end now it is left to the tick. `noted` is what weir_ledger_note answered; empty: it is read
 * again.
 */
void weir_ledger_carry(struct weir_ledger *ledger, struct weir_batch *batch, const struct weir_record *record,
    const struct weir_delivery *delivery, struct weir_bytes noted);
void weir_ledger_leave(struct weir_ledger *ledger, const struct weir_delivery *delivery);
/* In the plugin's dead_letter: all that was left of the event with that id. */
void weir_ledger_carry_event(struct weir_ledger *ledger, struct weir_batch *batch,
    const struct weir_record *record, const char *event_id);

/* How often a subscription's address was refused, kept for a version of its document; another one's are
 * none. Of count 0: forgets them. */
bool weir_ledger_find_refusals(struct weir_ledger *ledger, const char *subscription, const char *version,
    struct weir_refusals *ret_refusals);
void weir_ledger_put_refusals(struct weir_ledger *ledger, const char *subscription, const char *version,
    const struct weir_refusals *refusals);

/* The plugin's callbacks of these names. */
void weir_ledger_tick(struct weir_ledger *ledger, struct weir_batch *batch);
int weir_ledger_committed(
    struct weir_ledger *ledger, const struct weir_result *result, struct weir_error *err);
void weir_ledger_aborted(struct weir_ledger *ledger);
int weir_ledger_position(struct weir_ledger *ledger, uint32_t source, int32_t partition, int64_t *ret_offset,
    struct weir_error *err);
int weir_ledger_apply(
    struct weir_ledger *ledger, const struct weir_record *records, size_t count, struct weir_error *err);
int weir_ledger_caught_up(
    struct weir_ledger *ledger, uint32_t source, int32_t partition, int64_t offset, struct weir_error *err);
void weir_ledger_revoked(struct weir_ledger *ledger, uint32_t source, int32_t partition);

/* One of the partitions that are ours and restored; false when there is none. */
bool weir_ledger_owned(const struct weir_ledger *ledger, uint32_t *ret_source, int32_t *ret_partition);

/* Whether the partition is ours and restored: the reads below are whole for its events. Any thread. */
bool weir_ledger_serves(struct weir_ledger *ledger, uint32_t source, int32_t partition);

/* Calls visit with key and value of each delivery record of the event with that id, or of those events that
 * the request made. */
typedef bool weir_ledger_take(void *context, struct weir_bytes key, struct weir_bytes value);
int weir_ledger_of_event(struct weir_ledger *ledger, const char *event_id, weir_ledger_take *take,
    void *context, struct weir_error *err);
int weir_ledger_of_request(struct weir_ledger *ledger, const char *request, weir_ledger_take *take,
    void *context, struct weir_error *err);

/* Read before that: as long as the mark of a request is the same, and so is the ledger's, so are its
 * deliveries. Any thread. */
uint32_t weir_ledger_mark(struct weir_ledger *ledger, struct weir_bytes request);
enum { WEIR_LEDGER_MARK_BYTES = 40 };
void weir_ledger_write_mark(const struct weir_ledger *ledger, char out[static WEIR_LEDGER_MARK_BYTES]);

#endif
