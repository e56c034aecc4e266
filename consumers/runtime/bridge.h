/* Plugins' HTTP listeners: common/http behind the host table, so that no plugin links a web server. */
#ifndef WEIR_RUNTIME_BRIDGE_H
#define WEIR_RUNTIME_BRIDGE_H

#include "common/http.h"

#include <weir/plugin.h>

/* All listeners from now on speak TLS by these credentials, borrowed; NULL: plain HTTP, as Unix sockets do in
 * any case. Of the process and no instance's: the host table's http_listen has no place for one. Before the
 * plugin is opened. */
void weir_bridge_secure(struct weir_tls *tls);

int weir_bridge_listen(const char *address, weir_http_answer *answer, void *context,
    struct weir_http_service **ret_service, struct weir_error *err);
const char *weir_bridge_address(const struct weir_http_service *service);
void weir_bridge_close(struct weir_http_service *service);

void weir_bridge_reply_body(
    struct weir_http_reply *reply, unsigned status, const char *content_type, struct weir_bytes body);
void weir_bridge_reply_header(struct weir_http_reply *reply, const char *name, const char *value);
void weir_bridge_reply_problem(struct weir_http_reply *reply, unsigned status, const char *detail);

void weir_bridge_reply_later(struct weir_http_reply *reply);
void weir_bridge_wake(struct weir_http_service *service);

#endif
