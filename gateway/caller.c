#include "gateway/caller.h"

#include "common/metrics.h"
#include "common/rate.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

enum { NETWORK_BYTES = 8 }; /* of an IPv6 address: whoever has one has all of its /64 */

struct weir_bytes weir_caller_address(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
    if (address != NULL && address->sa_family == AF_INET)
        return weir_bytes(
            &((const struct sockaddr_in *)(const void *)address)->sin_addr, sizeof(struct in_addr));
    if (address != NULL && address->sa_family == AF_INET6)
        return weir_bytes(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, NETWORK_BYTES);
    return weir_bytes("", 0);
}

static bool has_name(const struct weir_request *request)
{
    return strcmp(request->principal, WEIR_REQUEST_ANONYMOUS) != 0;
}

static void count_refusal(void)
{
    weir_metric_add(weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_rate_limited_total", "",
                        "Requests beyond their caller's rate"),
        1);
}

enum weir_step weir_caller_check(struct weir_request *request)
{
    struct weir_rate *rate = request->gateway->rate;
    if (rate == NULL)
        return WEIR_STEP_SUSPENDED;
    struct weir_bytes caller =
        has_name(request) ? weir_bytes_str(request->principal) : weir_caller_address(request->connection);
    if (weir_rate_take(rate, caller, request->started_us, &request->rate))
        return WEIR_STEP_SUSPENDED;
    count_refusal();
    return weir_request_refuse(request, MHD_HTTP_TOO_MANY_REQUESTS,
        "more than %" PRId64 " requests a second (rate.limit) by this %s; nothing was written",
        request->gateway->settings.rate_limit, has_name(request) ? "key" : "address");
}
