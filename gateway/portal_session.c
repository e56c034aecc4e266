#include "gateway/portal.h"

#include "common/tls.h"
#include "gateway/connection.h"

/* "create", … and "read": the words of scopes. */
static const char *verb_at(int at)
{
    return at < WEIR_GATEWAY_OPERATIONS ? weir_operation_name((enum weir_operation)at) : "read";
}

static enum weir_access_verdict ask(const struct weir_request *request, const char *collection,
    const char *verb, char ret_name[static WEIR_KEYS_NAME_BYTES])
{
    if (request->gateway->keys == NULL)
        return WEIR_ACCESS_GRANTED;
    const struct weir_proof proof = {
        request->head.authorization, weir_tls_peer_names(weir_connection_tls(request->peer))};
    return weir_keys_ask(request->gateway->keys, &proof, weir_bytes_str(collection), verb, ret_name);
}

static void append_name(struct weir_buffer *out, bool first, const char *name)
{
    weir_buffer_append_str(out, first ? "" : ",");
    weir_buffer_append_json_string(out, weir_bytes_str(name));
}

static void append_rights(const struct weir_request *request, const char *collection, struct weir_buffer *out)
{
    char name[WEIR_KEYS_NAME_BYTES];
    bool first = true;

    for (int i = 0; i <= WEIR_GATEWAY_OPERATIONS; i++) {
        if (ask(request, collection, verb_at(i), name) != WEIR_ACCESS_GRANTED)
            continue;
        append_name(out, first, verb_at(i));
        first = false;
    }
}

static void append_collection(
    const struct weir_request *request, const struct weir_collection *collection, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "{\"name\":");
    weir_buffer_append_json_string(out, weir_bytes_str(collection->name));
    weir_buffer_append_str(out, ",\"key\":");
    weir_buffer_append_json_string(out, weir_bytes_str(collection->key_field));
    weir_buffer_printf(
        out, ",\"stored\":%s,\"indexes\":[", collection->store_service != NULL ? "true" : "false");
    for (size_t i = 0; collection->indexes != NULL && collection->indexes[i] != NULL; i++)
        append_name(out, i == 0, collection->indexes[i]);
    weir_buffer_append_str(out, "],\"may\":[");
    append_rights(request, collection->name, out);
    weir_buffer_append_str(out, "]}");
}

/* Of dead letters, where they are told of. */
static void append_letter_rights(const struct weir_request *request, struct weir_buffer *out)
{
    static const char *const verbs[] = {"read", "redrive"};
    char name[WEIR_KEYS_NAME_BYTES];
    bool first = true;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (!request->gateway->settings.dlq ||
            ask(request, WEIR_ROUTE_DLQ, verbs[i], name) != WEIR_ACCESS_GRANTED)
            continue;
        append_name(out, first, verbs[i]);
        first = false;
    }
}

static void append_session(const struct weir_request *request, struct weir_buffer *out)
{
    const struct weir_gateway *gateway = request->gateway;

    weir_buffer_append_str(out, "{\"principal\":");
    weir_buffer_append_json_string(out, weir_bytes_str(request->principal));
    weir_buffer_append_str(out, ",\"collections\":[");
    for (size_t i = 0; i < gateway->collection_count; i++) {
        weir_buffer_append_str(out, i > 0 ? "," : "");
        append_collection(request, gateway->collections[i].config, out);
    }
    weir_buffer_append_str(out, "],\"dlq\":[");
    append_letter_rights(request, out);
    weir_buffer_printf(out, "],\"feed\":%s}\n", gateway->settings.feed ? "true" : "false");
}

enum weir_step weir_portal_session(struct weir_request *request)
{
    bool known = ask(request, "", NULL, request->principal) != WEIR_ACCESS_UNKNOWN;

    if (!known && request->head.authorization.data != NULL)
        return weir_request_refuse(request, MHD_HTTP_UNAUTHORIZED, "this access key is not known");
    if (known)
        append_session(request, &request->outcome.document);
    else
        weir_buffer_append_str(&request->outcome.document, "{\"principal\":null}\n");
    if (request->outcome.document.failed)
        return weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    request->outcome.kind = WEIR_OUTCOME_DOCUMENT;
    request->outcome.status = MHD_HTTP_OK;
    return WEIR_STEP_ANSWER;
}
