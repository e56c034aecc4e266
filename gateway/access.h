/* What the gateway tells of each request once it is over: one access-log line and the metrics. Lines are
 * gathered and written together by the clock thread, so that logging costs a request well under a
 * microsecond. */
#ifndef WEIR_GATEWAY_ACCESS_H
#define WEIR_GATEWAY_ACCESS_H

#include "common/log.h"
#include "gateway/request.h"

#include <stdbool.h>

struct weir_access;

/* NULL when memory is out. */
struct weir_access *weir_access_new(bool log, enum weir_log_format format);
/* Writes what is gathered. */
void weir_access_free(struct weir_access *access);

/* The request's last byte was sent, or its connection broke (aborted). Threads: any. */
void weir_access_note(struct weir_access *access, const struct weir_request *request, bool aborted);

/* Writes what is gathered. Threads: any. */
void weir_access_flush(struct weir_access *access);

#endif
