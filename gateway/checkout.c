#include "gateway/checkout.h"

#include "common/clock.h"
#include "common/json.h"
#include "gateway/command.h"
#include "gateway/etag.h"
#include "gateway/read.h"
#include "gateway/request.h"
#include "gateway/worker.h"

#include <stdlib.h>
#include <string.h>

#define CARTS "carts"
#define ORDERS "orders"

/* Members that an order takes over from its cart as they are. */
static const char *const taken_over[] = {"customerID", "email", "currency", "shippingAddress"};

enum part { READ_CART, EMPTY_CART, CREATE_ORDER, PARTS };

struct weir_checkout {
    enum part at;
    struct weir_request *parts[PARTS]; /* NULL: not begun */
    const struct weir_gateway_collection *orders;
    char tag[WEIR_REQUEST_TAG_BYTES]; /* of the cart that was read, with its quotation marks */
    char order_key[WEIR_ID_BYTES];
    struct weir_buffer order; /* the document */
};

void weir_checkout_free(struct weir_checkout *checkout)
{
    if (checkout == NULL)
        return;
    for (size_t i = 0; i < PARTS; i++)
        weir_request_unref(checkout->parts[i]);
    weir_buffer_done(&checkout->order);
    free(checkout);
}

static const struct weir_gateway_collection *find_orders(const struct weir_gateway *gateway)
{
    for (size_t i = 0; i < gateway->collection_count; i++)
        if (strcmp(gateway->collections[i].config->name, ORDERS) == 0)
            return &gateway->collections[i];
    return NULL;
}

bool weir_checkout_is_served(const struct weir_gateway *gateway, const char *collection)
{
    const struct weir_collection *carts = weir_deployment_collection(gateway->deployment, collection);
    const struct weir_collection *orders = weir_deployment_collection(gateway->deployment, ORDERS);
    return strcmp(collection, CARTS) == 0 && carts != NULL && carts->store_service != NULL &&
           orders != NULL && orders->store_service != NULL;
}

/* ---- the parts ---- */

/* A request of the gateway's own. NULL when memory is out. */
static struct weir_request *make_part(
    struct weir_request *request, const struct weir_gateway_collection *collection, const char *method)
{
    const struct weir_target target = {.item = strcmp(method, MHD_HTTP_METHOD_POST) != 0};
    struct weir_request *part = weir_request_new(request->gateway, NULL, NULL);

    if (part == NULL)
        return NULL;
    part->parent = request;
    part->started_us = request->started_us;
    part->method = request->method;
    memcpy(part->principal, request->principal, sizeof(part->principal));
    part->route = weir_route_find(&target, method);
    part->collection = collection;
    part->operation = part->route->operation;
    part->media_type = part->route->media_type;
    part->head.traceparent = request->head.traceparent;
    return request->checkout->parts[request->checkout->at] = part;
}

static void name_request(struct weir_request *part, const char *what, const struct weir_request *request)
{
    const struct weir_bytes parts[] = {weir_bytes_str("checkout"), weir_bytes_str(what), request->key,
        weir_bytes_str(request->checkout->order_key)};
    weir_id_v5(parts, sizeof(parts) / sizeof(parts[0]), part->id);
}

static enum weir_step no_memory(struct weir_request *request)
{
    return weir_request_refuse(
        request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory; the order was not made");
}

static enum weir_step read_cart(struct weir_request *request)
{
    struct weir_request *part = make_part(request, request->collection, MHD_HTTP_METHOD_GET);
    if (part == NULL)
        return no_memory(request);
    part->key = request->key;
    return weir_read_run(part);
}

/* The cart as it was, byte for byte, but for its items and its order. */
static enum weir_step empty_cart(struct weir_request *request)
{
    struct weir_checkout *checkout = request->checkout;
    struct weir_bytes cart = weir_buffer_bytes(&checkout->parts[READ_CART]->outcome.document);
    struct weir_request *part = make_part(request, request->collection, MHD_HTTP_METHOD_PUT);
    WEIR_CLEANUP(buffer) struct weir_buffer emptied = {0};

    if (part == NULL || weir_json_set(cart, "/items", weir_bytes_str("[]"), &emptied, NULL) < 0 ||
        weir_json_set(weir_buffer_bytes(&emptied), "/order", weir_buffer_bytes(&checkout->order), &part->body,
            NULL) < 0 ||
        part->body.failed)
        return no_memory(request);
    part->key = request->key;
    part->head.if_match = weir_bytes_str(checkout->tag);
    part->wait_ms = request->gateway->settings.timeout_ms;
    name_request(part, "empty", request);
    return weir_command_run(part);
}

static enum weir_step create_order(struct weir_request *request)
{
    struct weir_checkout *checkout = request->checkout;
    struct weir_request *part = make_part(request, checkout->orders, MHD_HTTP_METHOD_POST);

    if (part == NULL)
        return no_memory(request);
    weir_buffer_append_bytes(&part->body, weir_buffer_bytes(&checkout->order));
    if (part->body.failed)
        return no_memory(request);
    part->wait_ms = request->wait_ms;
    name_request(part, "create", request);
    return weir_command_run(part);
}

static enum weir_step (*const begin[PARTS])(struct weir_request *) = {
    [READ_CART] = read_cart, [EMPTY_CART] = empty_cart, [CREATE_ORDER] = create_order};

/* ---- the order ---- */

static void write_order(struct weir_request *request, struct weir_bytes cart, struct weir_bytes items,
    struct weir_bytes total, struct weir_buffer *out)
{
    weir_buffer_printf(
        out, "{\"%s\":\"%s\"", request->checkout->orders->config->key_field, request->checkout->order_key);
    for (size_t i = 0; i < sizeof(taken_over) / sizeof(taken_over[0]); i++) {
        struct weir_bytes value = weir_json_member(cart, taken_over[i]);
        if (value.data == NULL)
            continue;
        weir_buffer_printf(out, ",\"%s\":", taken_over[i]);
        weir_buffer_append_bytes(out, value);
    }
    weir_buffer_append_str(out, ",\"status\":\"CREATED\",\"total\":");
    weir_buffer_append_bytes(out, total);
    weir_buffer_append_str(out, ",\"items\":");
    weir_buffer_append_bytes(out, items);
    weir_buffer_append_str(out, "}");
}

static enum weir_step refuse_cart(struct weir_request *request, const char *text)
{
    struct weir_bytes pointer, sentence;
    if (!weir_json_error_place(text, &pointer, &sentence))
        return weir_request_refuse(request, MHD_HTTP_UNPROCESSABLE_CONTENT, "%s", text);
    return weir_request_refuse_body(request, MHD_HTTP_UNPROCESSABLE_CONTENT, pointer,
        "the cart makes no order: %.*s", (int)sentence.len, sentence.data);
}

static enum weir_step make_order(
    struct weir_request *request, struct weir_bytes cart, struct weir_bytes items)
{
    struct weir_checkout *checkout = request->checkout;
    WEIR_CLEANUP(buffer) struct weir_buffer total = {0};
    struct weir_error err;
    const struct weir_bytes parts[] = {
        weir_bytes_str("checkout"), weir_bytes_str("order"), request->key, weir_bytes_str(checkout->tag)};

    weir_id_v5(parts, sizeof(parts) / sizeof(parts[0]), checkout->order_key);
    if (weir_checkout_total(items, &total, &err) < 0)
        return refuse_cart(request, err.text);
    write_order(request, cart, items, weir_buffer_bytes(&total), &checkout->order);
    checkout->at = EMPTY_CART;
    return checkout->order.failed || total.failed ? no_memory(request) : WEIR_STEP_SUSPENDED;
}

/* The order that an emptied cart holds. */
static enum weir_step take_order(struct weir_request *request, const json_t *order, struct weir_bytes text)
{
    struct weir_checkout *checkout = request->checkout;
    const char *key = json_string_value(json_object_get(order, checkout->orders->config->key_field));

    if (key == NULL || strlen(key) >= sizeof(checkout->order_key))
        return weir_request_refuse(request, MHD_HTTP_CONFLICT, "the cart is empty");
    memcpy(checkout->order_key, key, strlen(key) + 1);
    weir_buffer_append_bytes(&checkout->order, text);
    checkout->at = CREATE_ORDER;
    return checkout->order.failed ? no_memory(request) : WEIR_STEP_SUSPENDED;
}

/* What is next for the cart as it was read. WEIR_STEP_SUSPENDED: goes on. */
static enum weir_step judge_cart(struct weir_request *request, struct weir_request *part)
{
    struct weir_bytes cart = weir_buffer_bytes(&part->outcome.document);
    WEIR_CLEANUP(json) json_t *document = NULL;

    if (weir_json_parse_object(cart, &document, NULL) < 0)
        return refuse_cart(request, "the cart is no JSON object");
    if (request->head.if_match.data != NULL && !weir_etag_matches(request->head.if_match, part->outcome.etag))
        return weir_request_refuse(
            request, MHD_HTTP_PRECONDITION_FAILED, "the cart is not as the condition asks");
    memcpy(request->checkout->tag, part->outcome.etag, sizeof(request->checkout->tag));
    if (json_array_size(json_object_get(document, "items")) > 0)
        return make_order(request, cart, weir_json_member(cart, "items"));
    return take_order(request, json_object_get(document, "order"), weir_json_member(cart, "order"));
}

/* ---- one part after the other ---- */

/* The answer is the part's. */
static void take_outcome(struct weir_request *request, struct weir_request *part)
{
    free(request->outcome.problem);
    request->outcome = part->outcome;
    part->outcome = (struct weir_outcome){.kind = WEIR_OUTCOME_PROBLEM};
    memcpy(request->id, part->id, sizeof(request->id));
    request->position = part->position;
    request->operation = part->operation;
    request->collection = part->collection;
    request->key = part->key;
}

static enum weir_step judge_emptied(struct weir_request *request, struct weir_request *part)
{
    if (part->outcome.kind == WEIR_OUTCOME_ENDED) {
        request->checkout->at = CREATE_ORDER;
        return WEIR_STEP_SUSPENDED;
    }
    if (part->outcome.kind == WEIR_OUTCOME_ACCEPTED)
        return weir_request_refuse(request, MHD_HTTP_GATEWAY_TIMEOUT,
            "the store did not empty the cart in time; whether it will is not known: check out again");
    if (part->outcome.status == MHD_HTTP_PRECONDITION_FAILED)
        return weir_request_refuse(
            request, MHD_HTTP_CONFLICT, "the cart has changed meanwhile: look at it and check out again");
    take_outcome(request, part);
    return WEIR_STEP_ANSWER;
}

/* The part at hand has ended. WEIR_STEP_SUSPENDED: `at` is the next one. */
static enum weir_step judge(struct weir_request *request)
{
    struct weir_checkout *checkout = request->checkout;
    struct weir_request *part = checkout->parts[checkout->at];

    if (checkout->at == READ_CART && part->outcome.kind == WEIR_OUTCOME_DOCUMENT)
        return judge_cart(request, part);
    if (checkout->at == EMPTY_CART)
        return judge_emptied(request, part);
    take_outcome(request, part);
    return WEIR_STEP_ANSWER;
}

/* Begins the part at hand, and those behind it as long as each ends at once. A part whose begin could not
 * make it has refused the request itself. */
static enum weir_step begin_part(struct weir_request *request)
{
    struct weir_checkout *checkout = request->checkout;
    enum weir_step step;

    do {
        enum part at = checkout->at;
        step = begin[at](request);
        if (step == WEIR_STEP_SUSPENDED)
            return step;
        step = request->outcome.status != 0 ? WEIR_STEP_ANSWER : judge(request);
    } while (step == WEIR_STEP_SUSPENDED);
    return step;
}

static void go_on(struct weir_request *request)
{
    if (judge(request) == WEIR_STEP_ANSWER || begin_part(request) == WEIR_STEP_ANSWER)
        weir_worker_resume(request);
}

enum weir_step weir_checkout_run(struct weir_request *request)
{
    request->checkout = calloc(1, sizeof(*request->checkout));
    if (request->checkout == NULL)
        return no_memory(request);
    request->checkout->orders = find_orders(request->gateway);
    request->part_ended = go_on;
    request->stage = WEIR_STAGE_WAITING;
    weir_worker_suspend(request);
    if (begin_part(request) == WEIR_STEP_ANSWER)
        weir_worker_resume(request);
    return WEIR_STEP_SUSPENDED;
}
