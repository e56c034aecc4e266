#include "gateway/cors.h"

#include <string.h>

/* Seconds for which a browser need not ask again; Chromium's own limit. */
#define MAX_AGE "7200"
#define METHODS "GET, HEAD, POST, PUT, PATCH, DELETE"
#define SENT                                                                                                 \
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, "         \
    "traceparent, Weir-Position"
#define SHOWN                                                                                                \
    "Allow, ETag, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, "            \
    "Weir-Position, Weir-Version, WWW-Authenticate, X-Request-Id"

/* What Access-Control-Allow-Origin has to say; NULL: nothing. Borrowed. */
static const char *find_allowed(const struct weir_request *request)
{
    for (char **origin = request->gateway->settings.cors_origins; origin != NULL && *origin != NULL;
         origin++) {
        if (strcmp(*origin, "*") == 0 ||
            (request->head.origin.data != NULL && weir_bytes_is(request->head.origin, *origin)))
            return *origin;
    }
    return NULL;
}

bool weir_cors_is_preflight(const struct weir_request *request)
{
    return strcmp(request->method, MHD_HTTP_METHOD_OPTIONS) == 0 && request->head.origin.data != NULL &&
           request->head.request_method.data != NULL && find_allowed(request) != NULL;
}

static void add(struct MHD_Response *response, const char *name, const char *value)
{
    (void)MHD_add_response_header(response, name, value); /* without it the browser keeps the answer back */
}

void weir_cors_add_headers(const struct weir_request *request, struct MHD_Response *response)
{
    if (request->gateway->settings.cors_origins == NULL)
        return;
    const char *allowed = find_allowed(request);
    if (allowed == NULL || strcmp(allowed, "*") != 0)
        add(response, "Vary", "Origin");
    if (allowed == NULL)
        return;
    add(response, "Access-Control-Allow-Origin", allowed);
    if (request->outcome.kind != WEIR_OUTCOME_PREFLIGHT) {
        add(response, "Access-Control-Expose-Headers", SHOWN);
        return;
    }
    add(response, "Access-Control-Allow-Methods", METHODS);
    add(response, "Access-Control-Allow-Headers", SENT);
    add(response, "Access-Control-Max-Age", MAX_AGE);
}
