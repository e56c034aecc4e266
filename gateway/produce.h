/* The gateway's idempotent producer: sends a record to a given partition, tells when and how it ended, knows
 * whether a broker is there, and renews the producer after a fatal error. */
#ifndef WEIR_GATEWAY_PRODUCE_H
#define WEIR_GATEWAY_PRODUCE_H

#include "common/bytes.h"
#include "common/error.h"
#include "gateway/gateway.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_produce;

enum weir_delivery_end {
    WEIR_DELIVERY_WRITTEN,     /* acknowledged by all in-sync replicas */
    WEIR_DELIVERY_NOT_WRITTEN, /* certainly not on the topic */
    WEIR_DELIVERY_UNKNOWN,     /* sent, and no answer came */
};

struct weir_delivery {
    enum weir_delivery_end end;
    int32_t partition;
    int64_t offset;     /* of a written record; < 0 when the broker did not tell */
    const char *reason; /* of one that was not; valid during the call */
};

/* Called once for every record that was taken, within weir_produce_take_reports(), or within drain and close.
 * Must not block. */
typedef void weir_produce_report_fn(void *opaque, const struct weir_delivery *delivery);

/* A record on its way out; everything is copied. */
struct weir_produce_record {
    const struct weir_gateway_collection *collection;
    int32_t partition;
    struct weir_bytes key, value;
    const struct weir_header *headers;
    size_t header_count;
    void *opaque;
};

enum { WEIR_PRODUCE_HEADERS_MAX = 24 };

/* Whether this librdkafka can be trusted with this deployment (common/kafka). No I/O. */
int weir_produce_check(const struct weir_deployment *deployment, struct weir_error *err);

/* Makes the producer; the broker need not be there. */
int weir_produce_open(const struct weir_gateway *gateway, weir_produce_report_fn *report,
    struct weir_produce **ret_produce, struct weir_error *err);

/* Hands the record over. 0: a report will come. WEIR_E_BUSY (queue full), WEIR_E_UNAVAILABLE (no broker,
 * topic not as configured, producer being renewed), WEIR_E_TOO_LARGE: certainly not written, no report.
 * Threads: any. */
int weir_produce_send(
    struct weir_produce *produce, const struct weir_produce_record *record, struct weir_error *err);

/* An eventfd, the producer's own, that is written to when reports have come; not to be read. */
int weir_produce_reports_fd(const struct weir_produce *produce);

/* Tells the reports that have come, and does not wait for any. Threads: any, also several at a time. */
void weir_produce_take_reports(struct weir_produce *produce);

/* Looks after the producer: finds brokers again, checks the topics, renews after a fatal error. To be called
 * every 100 ms or so by one thread; may block for a few seconds. WEIR_E_CONFIG: this broker must not be used.
 */
int weir_produce_watch(struct weir_produce *produce, struct weir_error *err);

/* Appends the members of the readiness detail; true when commands are taken for every collection, which needs
 * a broker, topics as configured, and a producer id. Threads: any. */
bool weir_produce_ready(struct weir_produce *produce, struct weir_buffer *detail);

/* Waits up to timeout_ms (≥ 0) for all reports, then gives up what is still queued: its reports come during
 * the call, which waits as long once more. */
void weir_produce_drain(struct weir_produce *produce, int timeout_ms);

/* Accepts NULL. A producer that can't be closed in time is left behind. */
void weir_produce_close(struct weir_produce *produce);

#endif
