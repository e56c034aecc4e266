/* The change feed: GET /v1/{collection}:changes, as a long poll or a stream of server-sent events (WHATWG
 * HTML §9.2).
 *
 * One reader of each change topic that somebody asks for keeps its newest events in a ring of bounded size,
 * and all clients of the collection are served from it. Who asks for what is older has it read for him, in
 * pieces and one client after the other; who falls behind while he is streamed to is cut, and comes back with
 * his token. Only committed events are told, those of a key in their order. */
#ifndef WEIR_GATEWAY_FEED_H
#define WEIR_GATEWAY_FEED_H

#include "gateway/request.h"

struct weir_feed;

/* Nothing is read before somebody asks. */
int weir_feed_open(struct weir_gateway *gateway, struct weir_feed **ret_feed, struct weir_error *err);
/* Answers all polls and ends all streams; who comes later is answered 503. Accepts NULL. Threads: any. */
void weir_feed_end(struct weir_feed *feed);
/* After weir_feed_end(), when no request is left. Accepts NULL. */
void weir_feed_close(struct weir_feed *feed);

enum weir_step weir_feed_run(struct weir_request *request);

/* Drops the stream of a request that was never answered. */
void weir_feed_forget(struct weir_request *request);

/* The answer of a stream; NULL when memory is out. */
struct MHD_Response *weir_feed_response(struct weir_request *request);

#endif
