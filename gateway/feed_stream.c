/* Server-sent events: each change with the token of the place behind it as its id. */
#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/feed_parts.h"
#include "gateway/worker.h"

#include <string.h>

enum { BLOCK_BYTES = 16384 };

/* A line's end within JSON is white space: a line of its own here. */
static void append_data(struct weir_buffer *out, struct weir_bytes text)
{
    weir_buffer_append_str(out, "data: ");
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '\n')
            weir_buffer_append_str(out, "\ndata: ");
        else
            weir_buffer_append(out, text.data[i] == '\r' ? " " : &text.data[i], 1);
    }
    weir_buffer_append_str(out, "\n");
}

static void append_id(const struct weir_feed_client *client, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "id: ");
    weir_feed_client_write_token(client, out);
    weir_buffer_append_str(out, "\n");
}

static void append_event(struct weir_feed_client *client, const struct weir_feed_event *event)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    weir_feed_event_write(event, client->view, &text);
    client->out.failed |= text.failed;
    append_id(client, &client->out);
    weir_buffer_append_str(&client->out, "event: change\n");
    append_data(&client->out, weir_buffer_bytes(&text));
    weir_buffer_append_str(&client->out, "\n");
}

/* The last event says why there are no more. */
static void append_end(struct weir_feed_client *client)
{
    weir_buffer_printf(&client->out, "event: end\ndata: {\"status\":%u,\"detail\":", client->status);
    weir_buffer_append_json_string(&client->out, weir_bytes_str(client->why));
    weir_buffer_append_str(&client->out, "}\n\n");
    client->told_end = true;
}

/* Puts what there is into `out`; nothing: it is time to sleep, or the end was told. */
static void fill(struct weir_feed_client *client)
{
    weir_buffer_clear(&client->out);
    client->out_at = 0;
    if (atomic_load(&client->source->feed->ending) && client->state != WEIR_FEED_OVER)
        weir_feed_client_end(client, MHD_HTTP_SERVICE_UNAVAILABLE, WEIR_FEED_ENDING);
    while (client->out.len < BLOCK_BYTES) {
        struct weir_feed_event *event = weir_feed_client_take(client);
        if (event == NULL)
            break;
        append_event(client, event);
        weir_feed_event_unref(event);
    }
    if (client->out.len == 0 && client->state == WEIR_FEED_OVER && !client->told_end)
        append_end(client);
    if (client->out.len == 0 && client->source->ready && (client->beats || !client->greeted)) {
        append_id(client, &client->out); /* so that who got nothing yet can come back, too */
        weir_buffer_append_str(&client->out, "\n");
        client->greeted = true;
    } else if (client->out.len == 0 && client->beats) {
        weir_buffer_append_str(&client->out, ":\n\n");
    }
    client->beats = false;
}

static ssize_t send_out(struct weir_feed_client *client, char *to, size_t size)
{
    size_t len = client->out.len - client->out_at;
    len = len < size ? len : size;
    memcpy(to, client->out.data + client->out_at, len);
    client->out_at += len;
    client->last_ms = weir_clock_ms();
    client->request->answer_bytes += len;
    return (ssize_t)len;
}

/* libmicrohttpd's callback, on its thread. */
static ssize_t on_room(void *context, uint64_t position, char *to, size_t size)
{
    struct weir_feed_client *client = context;
    struct weir_feed_source *source = client->source;
    ssize_t len = 0;
    (void)position;
    pthread_mutex_lock(&source->lock);
    if (client->out_at == client->out.len)
        fill(client);
    if (client->out.failed)
        len = MHD_CONTENT_READER_END_WITH_ERROR;
    else if (client->out_at < client->out.len)
        len = send_out(client, to, size);
    else if (client->told_end)
        len = MHD_CONTENT_READER_END_OF_STREAM;
    else {
        client->asleep = true;
        weir_worker_suspend(client->request);
    }
    pthread_mutex_unlock(&source->lock);
    return len;
}

/* The connection is gone or the stream is through. */
static void on_end(void *context)
{
    struct weir_feed_client *client = context;
    struct weir_feed_source *source = client->source;
    pthread_mutex_lock(&source->lock);
    client->asleep = false;
    weir_feed_client_detach(client);
    pthread_mutex_unlock(&source->lock);
    weir_feed_client_unref(client);
}

void weir_feed_forget(struct weir_request *request)
{
    if (request->feed_client != NULL)
        on_end(request->feed_client);
    request->feed_client = NULL;
}

static bool has_news(const struct weir_feed_client *client)
{
    return client->state == WEIR_FEED_OVER || client->state == WEIR_FEED_BATCH ||
           (client->source->ready && !client->greeted) ||
           (client->state == WEIR_FEED_LIVE && client->source->ready &&
               client->number < client->source->next);
}

void weir_feed_stream_wake(struct weir_feed_client *client, int64_t now_ms)
{
    int64_t beat_ms = client->source->feed->gateway->settings.feed_heartbeat_ms;
    if (!client->asleep)
        return;
    client->beats = now_ms >= client->last_ms + beat_ms;
    if (!client->beats && !has_news(client))
        return;
    client->asleep = false;
    weir_worker_resume(client->request);
}

struct MHD_Response *weir_feed_response(struct weir_request *request)
{
    struct weir_feed_client *client = request->feed_client;
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_room, client, on_end);
    if (response == NULL)
        return NULL;
    request->feed_client = NULL; /* the response's now */
    (void)MHD_add_response_header(response, "Content-Type", "text/event-stream");
    (void)MHD_add_response_header(response, "Cache-Control", "no-store");
    (void)MHD_add_response_header(response, "X-Accel-Buffering", "no");
    return response;
}
