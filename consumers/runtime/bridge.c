#include "consumers/runtime/bridge.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS = 2, CONNECTIONS = 1024 };

struct weir_http_service {
    struct weir_http *http;
    weir_http_answer *answer;
    void *context;
};

static struct weir_tls *credentials;

void weir_bridge_secure(struct weir_tls *tls)
{
    credentials = tls;
}

static void pass_on(void *context, const struct weir_http_request *request, struct weir_http_reply *reply)
{
    const struct weir_http_service *service = context;
    service->answer(service->context, request, reply);
}

int weir_bridge_listen(const char *address, weir_http_answer *answer, void *context,
    struct weir_http_service **ret_service, struct weir_error *err)
{
    struct weir_http_service *service = calloc(1, sizeof(*service));
    if (service == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    service->answer = answer;
    service->context = context;
    bool is_unix = strncmp(address, "unix:", strlen("unix:")) == 0;
    struct weir_http_settings settings = {.listen = address,
        .threads = THREADS,
        .connections = CONNECTIONS,
        .tls = is_unix ? NULL : credentials};
    int rc = weir_http_listen(&settings, pass_on, service, &service->http, err);
    if (rc < 0) {
        free(service);
        return rc;
    }
    *ret_service = service;
    return 0;
}

const char *weir_bridge_address(const struct weir_http_service *service)
{
    return weir_http_address(service->http);
}

void weir_bridge_close(struct weir_http_service *service)
{
    if (service == NULL)
        return;
    weir_http_close(service->http);
    free(service);
}

void weir_bridge_reply_body(
    struct weir_http_reply *reply, unsigned status, const char *content_type, struct weir_bytes body)
{
    reply->status = status;
    reply->content_type = content_type;
    weir_buffer_clear(&reply->body);
    weir_buffer_append_bytes(&reply->body, body);
}

void weir_bridge_reply_header(struct weir_http_reply *reply, const char *name, const char *value)
{
    weir_http_reply_header(reply, name, "%s", value);
}

void weir_bridge_reply_problem(struct weir_http_reply *reply, unsigned status, const char *detail)
{
    weir_http_reply_problem(reply, status, "%s", detail);
}

void weir_bridge_reply_later(struct weir_http_reply *reply)
{
    reply->later = true;
}

void weir_bridge_wake(struct weir_http_service *service)
{
    weir_http_wake(service->http);
}
