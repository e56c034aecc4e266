#include "gateway/form.h"

#include "gateway/query.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SHOWN = 64, MD5_BYTES = 33 };

bool weir_form_is_one(const struct weir_request *request)
{
    return request->route->action == NULL && request->operation == WEIR_OPERATION_CREATE &&
           weir_head_is_media_type(request->head.content_type, "application/x-www-form-urlencoded");
}

/* ---- reading ---- */

struct form {
    struct weir_request *request;
    unsigned seen; /* a bit for each row of parameters */
    struct weir_buffer message;
};

static enum weir_step refuse(struct form *form, const char *name, const char *why)
{
    return weir_request_refuse(
        form->request, MHD_HTTP_BAD_REQUEST, "the form's parameter %.*s %s", SHOWN, name, why);
}

static enum weir_step take_action(struct form *form, struct weir_buffer *value)
{
    if (weir_bytes_is(weir_buffer_bytes(value), "SendMessage"))
        return WEIR_STEP_SUSPENDED;
    return weir_request_refuse(form->request, MHD_HTTP_BAD_REQUEST,
        "Unrecognized action \"%.*s\": a form is sent with Action=SendMessage", SHOWN, value->data);
}

static enum weir_step take_message(struct form *form, struct weir_buffer *value)
{
    form->message = *value;
    *value = (struct weir_buffer){0};
    return WEIR_STEP_SUSPENDED;
}

static enum weir_step take_delay(struct form *form, struct weir_buffer *value)
{
    return weir_bytes_is(weir_buffer_bytes(value), "0") ? WEIR_STEP_SUSPENDED
                                                        : refuse(form, "DelaySeconds", "can only be 0");
}

/* Says nothing that the path and this interface do not say. */
static enum weir_step pass(struct form *form, struct weir_buffer *value)
{
    (void)form, (void)value;
    return WEIR_STEP_SUSPENDED;
}

static const struct {
    const char *name;
    enum weir_step (*take)(struct form *form, struct weir_buffer *value);
} parameters[] = {{"Action", take_action}, {"MessageBody", take_message}, {"DelaySeconds", take_delay},
    {"QueueUrl", pass}, {"Version", pass}};

static enum weir_step take(struct form *form, const char *name, struct weir_buffer *value)
{
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        if (strcmp(parameters[i].name, name) != 0)
            continue;
        if ((form->seen & 1U << i) != 0)
            return refuse(form, name, "is given twice");
        form->seen |= 1U << i;
        return parameters[i].take(form, value);
    }
    return refuse(form, name, "is not taken here");
}

/* Decoded, NUL-terminated. WEIR_E_INVALID: an escape is broken; another code: memory is out. */
static int decode(struct weir_bytes text, struct weir_buffer *out)
{
    return weir_buffer_reserve(out, text.len + 1)
               ? weir_query_decode(text, out->data, text.len + 1, &out->len)
               : WEIR_E_INTERNAL;
}

static enum weir_step take_pair(struct form *form, const struct weir_query_pair *pair)
{
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0}, value = {0};
    int code = decode(pair->name, &name);
    if (code == 0)
        code = decode(pair->value, &value);
    if (code == WEIR_E_INVALID)
        return weir_request_refuse(form->request, MHD_HTTP_BAD_REQUEST,
            "the form's parameter %.*s holds a broken escape",
            pair->name.len < SHOWN ? (int)pair->name.len : SHOWN, pair->name.data);
    if (code < 0)
        return weir_request_refuse(
            form->request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory; nothing was written");
    if (strlen(name.data) != name.len)
        return refuse(form, name.data, "has a NUL byte in its name");
    return take(form, name.data, &value);
}

static enum weir_step read_form(struct form *form)
{
    struct weir_bytes rest = weir_buffer_bytes(&form->request->body);
    struct weir_query_pair pair;
    while (weir_query_next(&rest, &pair)) {
        if (take_pair(form, &pair) == WEIR_STEP_ANSWER)
            return WEIR_STEP_ANSWER;
    }
    return WEIR_STEP_SUSPENDED;
}

/* Without it the body is no message: somebody has forgotten to say that it is JSON. */
static bool has_action(struct weir_bytes form)
{
    static const char name[] = "Action=";
    const size_t len = sizeof(name) - 1;
    const char *at = form.len > 0 ? memmem(form.data, form.len, name, len) : NULL;
    while (at != NULL && at != form.data && at[-1] != '&')
        at = memmem(at + len, form.len - (size_t)(at + len - form.data), name, len);
    return at != NULL;
}

/* ---- answering ---- */

static void write_md5(struct weir_bytes body, char out[static MD5_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    out[0] = '\0';
    if (EVP_Digest(body.data, body.len, digest, &len, EVP_md5(), NULL) != 1)
        return;
    for (unsigned i = 0; i < len && 2 * i + 2 < MD5_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static bool wants_json(const struct weir_request *request)
{
    return request->head.accept.data != NULL &&
           strcasestr(request->head.accept.data, "application/json") != NULL;
}

static const char *shape(struct weir_request *request, struct weir_buffer *out)
{
    char md5[MD5_BYTES];
    write_md5(weir_buffer_bytes(&request->body), md5);
    request->outcome.status = MHD_HTTP_OK;
    if (wants_json(request)) {
        weir_buffer_printf(out,
            "{\"SendMessageResponse\":{\"SendMessageResult\":{\"MD5OfMessageBody\":\"%s\",\"MessageId\":\"%"
            "s\"},"
            "\"ResponseMetadata\":{\"RequestId\":\"%s\"}}}\n",
            md5, request->id, request->id);
        return "application/json";
    }
    weir_buffer_printf(out,
        "<?xml version=\"1.0\"?>\n<SendMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">"
        "<SendMessageResult><MD5OfMessageBody>%s</MD5OfMessageBody><MessageId>%s</MessageId></"
        "SendMessageResult>"
        "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></SendMessageResponse>\n",
        md5, request->id, request->id);
    return "text/xml";
}

enum weir_step weir_form_unwrap(struct weir_request *request)
{
    struct form form = {.request = request};
    WEIR_CLEANUP(buffer) struct weir_buffer whole = {0};
    if (!weir_form_is_one(request))
        return WEIR_STEP_SUSPENDED;
    if (!has_action(weir_buffer_bytes(&request->body)))
        return weir_request_refuse(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
            "a form is taken with Action=SendMessage and MessageBody only; a document is application/json");
    enum weir_step step = read_form(&form);
    whole = request->body;
    request->body = form.message;
    if (step == WEIR_STEP_ANSWER)
        return step;
    if (request->body.len == 0)
        return refuse(&form, "MessageBody", "is missing or empty");
    request->shape = shape;
    return WEIR_STEP_SUSPENDED;
}
