/* The long poll: one answer with what has come, or after the wait with nothing. */
#include "gateway/feed_parts.h"
#include "gateway/pending.h"

enum { ANSWER_BYTES = 1 << 20 };

/* Appends events until one of the limits; answers how many. */
static int64_t write_changes(struct weir_feed_client *client, struct weir_buffer *out)
{
    int64_t count = 0;
    while (count < client->limit && out->len < ANSWER_BYTES) {
        struct weir_feed_event *event = weir_feed_client_take(client);
        if (event == NULL)
            break;
        weir_buffer_append_str(out, count++ > 0 ? "," : "");
        weir_feed_event_write(event, client->view, out);
        weir_feed_event_unref(event);
    }
    return count;
}

static void fill(struct weir_feed_client *client, struct weir_buffer *changes)
{
    struct weir_outcome *outcome = &client->request->outcome;
    outcome->kind = WEIR_OUTCOME_DOCUMENT;
    outcome->status = MHD_HTTP_OK;
    weir_buffer_append_str(&outcome->document, "{\"changes\":[");
    weir_buffer_append(&outcome->document, changes->data, changes->len);
    weir_buffer_append_str(&outcome->document, "],\"next\":\"");
    weir_feed_client_write_token(client, &outcome->document);
    weir_buffer_append_str(&outcome->document, "\"}\n");
    if (outcome->document.failed || changes->failed)
        weir_request_refuse(client->request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
}

/* Hands the answer over, unless the request was ended by another. */
static void answer(struct weir_feed_client *client, struct weir_buffer *changes)
{
    struct weir_request *request = client->request;
    if (weir_pending_take(request->gateway->pending, request)) {
        if (client->state == WEIR_FEED_OVER)
            weir_request_refuse(request, client->status, "%s", client->why);
        else if (!client->source->ready)
            weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the change topic can't be read now");
        else
            fill(client, changes);
        weir_pending_resume(request);
    }
    client->request = NULL;
    weir_request_unref(request);
    weir_feed_client_detach(client);
}

void weir_feed_poll_serve(struct weir_feed_client *client, int64_t now_ms)
{
    WEIR_CLEANUP(buffer) struct weir_buffer changes = {0};
    int64_t count = write_changes(client, &changes);
    /* What is read for it by now is waited for: the registry has the last word. */
    bool late = now_ms >= client->deadline_ms && client->state != WEIR_FEED_BEHIND;
    if (count > 0 || client->state == WEIR_FEED_OVER || late)
        answer(client, &changes);
}
