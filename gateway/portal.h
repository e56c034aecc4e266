/* /portal/: the order portal, a page for people. Its files (gateway/portal) are built into the program, so
 * that they always fit its interface, and no path of the disk can be asked for. They hold nothing but code
 * and grant nothing: what the page does goes through the interface, with the access of whoever uses it. */
#ifndef WEIR_GATEWAY_PORTAL_H
#define WEIR_GATEWAY_PORTAL_H

#include "gateway/request.h"

/* Whether the path (without base.path) belongs to the portal; then *ret_target is its target. */
bool weir_portal_target(const struct weir_gateway *gateway, const char *path, struct weir_target *ret_target);

/* GET of a file; of /portal, which leads to /portal/. Asks for no credential. */
enum weir_step weir_portal_run(struct weir_request *request);
/* GET /portal/session: who asks, which collections there are and what the caller may do with each; of
 * somebody without a credential only that he is nobody, and 401 to one that is unknown. */
enum weir_step weir_portal_session(struct weir_request *request);

/* The answer of weir_portal_run; NULL when memory is out. */
struct MHD_Response *weir_portal_response(struct weir_request *request);

#endif
