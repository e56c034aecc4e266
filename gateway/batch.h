/* POST /v1/{collection}:batch: an array of documents, each created as if it had come alone. Each is a request
 * of its own without a connection (its `parent` has that), so that it is checked, sent, awaited and timed out
 * like any other; the batch is suspended once and answered when the last one has ended. */
#ifndef WEIR_GATEWAY_BATCH_H
#define WEIR_GATEWAY_BATCH_H

#include "common/bytes.h"
#include "gateway/route.h"

struct weir_batch;

enum { WEIR_BATCH_MAX = 500 };

enum weir_step weir_batch_run(struct weir_request *request);

/* A document of the batch has ended; its outcome is the batch's from now on. Threads: any. */
void weir_batch_end_one(struct weir_request *request);

/* Sets outcome.status to that of all documents, or 207 where they differ, and appends `"results":[…]`. */
void weir_batch_write(struct weir_request *request, struct weir_buffer *out);

/* Accepts NULL. */
void weir_batch_free(struct weir_batch *batch);

#endif
