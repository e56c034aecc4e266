/* POST /v1/carts/{key}:checkout: an order made of a cart. Three requests of the gateway's own, one after the
 * other, each without a connection (its `parent` has that), checked, sent, awaited and timed out like any
 * other: the cart is read; it is replaced, if it is still that version, by one that holds no items and the
 * order instead; the order is created.
 *
 * What was in the cart is in it or in its order at any time, and one version of a cart is one order: the
 * order's key follows from cart and version, the request ids from these. A call that finds the cart emptied
 * already creates the order that stands in it, which is the same request as before. The answer is the last
 * one's: 202 says that Kafka has the order's command. */
#ifndef WEIR_GATEWAY_CHECKOUT_H
#define WEIR_GATEWAY_CHECKOUT_H

#include "common/bytes.h"
#include "common/error.h"
#include "gateway/route.h"

struct weir_checkout;

/* Where there is a shop: collections `carts` and `orders`, both kept by a store. */
bool weir_checkout_is_served(const struct weir_gateway *gateway, const char *collection);

enum weir_step weir_checkout_run(struct weir_request *request);

/* Accepts NULL. */
void weir_checkout_free(struct weir_checkout *checkout);

/* Appends the sum of quantity × unitPrice over the items of a cart (JSON text that common/json accepts), with
 * as many decimals as the price that has most. Prices are plain decimals, of up to 12 digits and 6 decimals.
 * WEIR_E_INVALID: err names the place by a pointer. Pure. */
int weir_checkout_total(struct weir_bytes items, struct weir_buffer *out, struct weir_error *err);

#endif
