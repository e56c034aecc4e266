/* The registry of suspended requests. libmicrohttpd neither times them out nor notices that their clients
 * left, so each has a deadline here, and whoever takes a request out of the registry, and nobody else,
 * resumes it.
 *
 *     if (weir_pending_take(pending, request)) {
 *         request->outcome = …;
 *         weir_pending_resume(request);
 *     }
 */
#ifndef WEIR_GATEWAY_PENDING_H
#define WEIR_GATEWAY_PENDING_H

#include "gateway/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weir_pending;

/* timeout_ms: how long each request may be suspended. NULL when memory is out. */
struct weir_pending *weir_pending_new(int64_t timeout_ms);
/* Only when it is empty. Accepts NULL. */
void weir_pending_free(struct weir_pending *pending);

/* Suspends the request's connection (that of a part of another request is suspended already) and registers
 * it. Called in libmicrohttpd's handler, which then has to answer MHD_YES; before anything is begun that may
 * end the request. `late` (static) is told with 504 at the deadline. */
void weir_pending_add(struct weir_pending *pending, struct weir_request *request, const char *late);

/* Takes the request out; false when someone else did already. Threads: any that holds a reference. */
bool weir_pending_take(struct weir_pending *pending, struct weir_request *request);

/* Hands a request that was taken, with its outcome, back to its HTTP thread. */
void weir_pending_resume(struct weir_request *request);

/* Ends with 504 what is beyond its deadline at now_ms; INT64_MAX ends all. Answers how many. Threads: any. */
size_t weir_pending_expire(struct weir_pending *pending, int64_t now_ms);

size_t weir_pending_count(struct weir_pending *pending);

#endif
