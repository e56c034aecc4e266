/* Holds a request against the rate of who sent it: the name of its key or certificate, else its address. */
#ifndef WEIR_GATEWAY_CALLER_H
#define WEIR_GATEWAY_CALLER_H

#include "gateway/request.h"

/* What tells callers without a name apart: the address a connection comes from, or the network of 64 bits
 * that an IPv6 host has for itself; empty for a Unix socket. Valid as long as the connection. */
struct weir_bytes weir_caller_address(struct MHD_Connection *connection);

/* WEIR_STEP_SUSPENDED: go on. Else it is refused with 429. To be asked once for a request, when its principal
 * is known. */
enum weir_step weir_caller_check(struct weir_request *request);

#endif
