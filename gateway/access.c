#include "gateway/access.h"

#include "common/clock.h"
#include "common/envelope.h"
#include "common/log.h"
#include "common/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLUSH_BYTES = 60000 };

/* The statuses the gateway answers; the first stands for a connection that broke before its answer was sent,
 * and for what libmicrohttpd refused by itself. */
static const unsigned statuses[] = {0, 200, 201, 202, 204, 207, 304, 308, 400, 401, 403, 404, 405, 406, 409,
    410, 412, 413, 415, 422, 428, 429, 500, 503, 504};
enum { STATUSES = sizeof(statuses) / sizeof(statuses[0]) };

struct weir_access {
    bool log;
    enum weir_log_format format;
    pthread_mutex_t lock;            /* lines, spare */
    struct weir_buffer lines, spare; /* the memory of what was written last */
    _Atomic(struct weir_metric *) counters[WEIR_ROUTES_MAX + 1]
                                          [STATUSES]; /* the first route: none was found */
    _Atomic(struct weir_metric *) durations[WEIR_ROUTES_MAX + 1];
};

struct weir_access *weir_access_new(bool log, enum weir_log_format format)
{
    struct weir_access *access = calloc(1, sizeof(*access));
    if (access == NULL)
        return NULL;
    access->log = log;
    access->format = format;
    pthread_mutex_init(&access->lock, NULL);
    return access;
}

static void write_all(struct weir_bytes lines)
{
    while (lines.len > 0) {
        ssize_t written = write(STDERR_FILENO, lines.data, lines.len);
        if (written <= 0)
            return; /* nobody reads the log; there is nowhere to say so */
        lines = weir_bytes(lines.data + written, lines.len - (size_t)written);
    }
}

void weir_access_flush(struct weir_access *access)
{
    pthread_mutex_lock(&access->lock);
    struct weir_buffer lines = access->lines;
    access->lines = access->spare;
    access->spare = (struct weir_buffer){0};
    pthread_mutex_unlock(&access->lock);
    write_all(weir_buffer_bytes(&lines));
    weir_buffer_clear(&lines);
    pthread_mutex_lock(&access->lock);
    struct weir_buffer surplus = access->spare;
    access->spare = lines;
    pthread_mutex_unlock(&access->lock);
    weir_buffer_done(&surplus);
}

void weir_access_free(struct weir_access *access)
{
    if (access == NULL)
        return;
    weir_access_flush(access);
    weir_buffer_done(&access->lines);
    weir_buffer_done(&access->spare);
    pthread_mutex_destroy(&access->lock);
    free(access);
}

struct note {
    const char *method, *route, *principal, *id;
    struct weir_bytes trace_id;
    unsigned status;
    size_t bytes;
    int64_t duration_us;
};

/* The forms of common/log's own lines. Nothing in a note needs quotes. */
static void append_pairs(struct weir_buffer *lines, const struct note *note)
{
    weir_buffer_append_str(lines, " method=");
    weir_buffer_append_str(lines, note->method);
    weir_buffer_append_str(lines, " route=");
    weir_buffer_append_str(lines, note->route);
    weir_buffer_append_str(lines, " status=");
    weir_buffer_append_number(lines, note->status);
    weir_buffer_append_str(lines, " bytes=");
    weir_buffer_append_number(lines, (int64_t)note->bytes);
    weir_buffer_append_str(lines, " duration_us=");
    weir_buffer_append_number(lines, note->duration_us);
    weir_buffer_append_str(lines, " principal=");
    weir_buffer_append_str(lines, note->principal);
    weir_buffer_append_str(lines, " request=");
    weir_buffer_append_str(lines, note->id);
    if (note->trace_id.data != NULL) {
        weir_buffer_append_str(lines, " trace_id=");
        weir_buffer_append_bytes(lines, note->trace_id);
    }
    weir_buffer_append_str(lines, "\n");
}

static void append_time(struct weir_buffer *lines)
{
    char now[WEIR_CLOCK_RFC3339_BYTES];
    weir_buffer_append_str(lines, weir_clock_rfc3339(weir_clock_wall_ms(), now));
}

static void append_text(struct weir_buffer *lines, const struct note *note)
{
    append_time(lines);
    weir_buffer_append_str(lines, " INFO http.request");
    append_pairs(lines, note);
}

static void append_journal(struct weir_buffer *lines, const struct note *note)
{
    weir_buffer_append_str(lines, "<6>http.request");
    append_pairs(lines, note);
}

static void append_logfmt(struct weir_buffer *lines, const struct note *note)
{
    weir_buffer_append_str(lines, "ts=");
    append_time(lines);
    weir_buffer_append_str(lines, " level=INFO event=http.request");
    append_pairs(lines, note);
}

static void append_json(struct weir_buffer *lines, const struct note *note)
{
    weir_buffer_append_str(lines, "{\"ts\":\"");
    append_time(lines);
    weir_buffer_append_str(
        lines, "\",\"level\":\"INFO\",\"event\":\"http.request\",\"http.request.method\":\"");
    weir_buffer_append_str(lines, note->method);
    weir_buffer_append_str(lines, "\",\"http.route\":\"");
    weir_buffer_append_str(lines, note->route);
    weir_buffer_append_str(lines, "\",\"http.response.status_code\":");
    weir_buffer_append_number(lines, note->status);
    weir_buffer_append_str(lines, ",\"http.response.body.size\":");
    weir_buffer_append_number(lines, (int64_t)note->bytes);
    weir_buffer_append_str(lines, ",\"duration_us\":");
    weir_buffer_append_number(lines, note->duration_us);
    weir_buffer_append_str(lines, ",\"user.name\":\"");
    weir_buffer_append_str(lines, note->principal);
    weir_buffer_append_str(lines, "\",\"request\":\"");
    weir_buffer_append_str(lines, note->id);
    if (note->trace_id.data != NULL) {
        weir_buffer_append_str(lines, "\",\"trace_id\":\"");
        weir_buffer_append_bytes(lines, note->trace_id);
    }
    weir_buffer_append_str(lines, "\"}\n");
}

static void (*const append[])(struct weir_buffer *, const struct note *) = {
    [WEIR_LOG_TEXT] = append_text,
    [WEIR_LOG_JOURNAL] = append_journal,
    [WEIR_LOG_JSON] = append_json,
    [WEIR_LOG_LOGFMT] = append_logfmt,
};

static void log_note(struct weir_access *access, const struct note *note)
{
    pthread_mutex_lock(&access->lock);
    append[access->format](&access->lines, note);
    bool full = access->lines.len >= FLUSH_BYTES || access->lines.failed;
    pthread_mutex_unlock(&access->lock);
    if (full)
        weir_access_flush(access);
}

static size_t route_slot(const struct weir_route *route)
{
    return route == NULL ? 0 : (size_t)(route - weir_routes) + 1;
}

static size_t status_slot(unsigned status)
{
    for (size_t i = 0; i < STATUSES; i++) {
        if (statuses[i] == status)
            return i;
    }
    return 0;
}

static struct weir_metric *make_counter(const struct note *note)
{
    WEIR_CLEANUP(buffer) struct weir_buffer labels = {0};
    weir_buffer_printf(
        &labels, "route=\"%s\",method=\"%s\",status=\"%u\"", note->route, note->method, note->status);
    return weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_requests_total", labels.failed ? "" : labels.data,
        "Requests by their answer; status 0: the client left, or libmicrohttpd answered by itself");
}

static struct weir_metric *make_duration(const struct note *note)
{
    WEIR_CLEANUP(buffer) struct weir_buffer labels = {0};
    weir_buffer_printf(&labels, "route=\"%s\",method=\"%s\"", note->route, note->method);
    return weir_metric(WEIR_METRIC_HISTOGRAM, "weir_gateway_request_duration_seconds",
        labels.failed ? "" : labels.data, "From the request line to the last byte of the answer");
}

/* The metric of a slot, made at its first use; two threads that make it get the same one. */
static struct weir_metric *metric_of(_Atomic(struct weir_metric *) *slot, const struct note *note,
    struct weir_metric *make(const struct note *))
{
    struct weir_metric *metric = atomic_load_explicit(slot, memory_order_acquire);
    if (metric != NULL)
        return metric;
    metric = make(note);
    atomic_store_explicit(slot, metric, memory_order_release);
    return metric;
}

void weir_access_note(struct weir_access *access, const struct weir_request *request, bool aborted)
{
    /* A method without a route is the client's own word: neither label nor log repeats it. */
    struct note note = {
        .method = request->route != NULL ? request->route->method : "-",
        .route = request->route != NULL ? request->route->name : "-",
        .principal = request->principal,
        .id = request->id,
        .trace_id = weir_trace_id(request->head.traceparent),
        .status = aborted ? 0 : request->outcome.status,
        .bytes = request->answer_bytes,
        .duration_us = weir_clock_us() - request->started_us,
    };
    size_t route = route_slot(request->route);
    weir_metric_add(metric_of(&access->counters[route][status_slot(note.status)], &note, make_counter), 1);
    weir_metric_observe_us(metric_of(&access->durations[route], &note, make_duration), note.duration_us);
    if (access->log && weir_log_enabled(WEIR_LOG_INFO))
        log_note(access, &note);
}
