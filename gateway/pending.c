#include "gateway/pending.h"

#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/worker.h"

#include <pthread.h>
#include <stdlib.h>

struct weir_pending {
    pthread_mutex_t lock;
    struct weir_request *first,
        *last; /* all have the same time to wait, so this is the order of their deadlines */
    size_t count;
    int64_t timeout_ms;
    struct weir_metric *gauge, *expired;
};

struct weir_pending *weir_pending_new(int64_t timeout_ms)
{
    struct weir_pending *pending = calloc(1, sizeof(*pending));
    if (pending == NULL)
        return NULL;
    pthread_mutex_init(&pending->lock, NULL);
    pending->timeout_ms = timeout_ms;
    pending->gauge = weir_metric(
        WEIR_METRIC_GAUGE, "weir_gateway_suspended_requests", "", "Requests that wait for an answer");
    pending->expired = weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_expired_requests_total", "",
        "Requests that were answered at their deadline");
    return pending;
}

void weir_pending_free(struct weir_pending *pending)
{
    if (pending == NULL)
        return;
    pthread_mutex_destroy(&pending->lock);
    free(pending);
}

static void link_last(struct weir_pending *pending, struct weir_request *request)
{
    request->pending.previous = pending->last;
    request->pending.next = NULL;
    if (pending->last != NULL)
        pending->last->pending.next = request;
    else
        pending->first = request;
    pending->last = request;
    pending->count++;
}

static void unlink_request(struct weir_pending *pending, struct weir_request *request)
{
    struct weir_request *previous = request->pending.previous, *next = request->pending.next;
    if (previous != NULL)
        previous->pending.next = next;
    else
        pending->first = next;
    if (next != NULL)
        next->pending.previous = previous;
    else
        pending->last = previous;
    pending->count--;
}

void weir_pending_add(struct weir_pending *pending, struct weir_request *request, const char *late)
{
    request->stage = WEIR_STAGE_WAITING;
    request->pending.late = late;
    if (request->parent == NULL)
        weir_worker_suspend(request);
    pthread_mutex_lock(&pending->lock);
    request->pending.deadline_ms = weir_clock_ms() + pending->timeout_ms;
    request->pending.waiting = true;
    link_last(pending, request);
    pthread_mutex_unlock(&pending->lock);
    weir_metric_add(pending->gauge, 1);
}

bool weir_pending_take(struct weir_pending *pending, struct weir_request *request)
{
    pthread_mutex_lock(&pending->lock);
    bool waiting = request->pending.waiting;
    if (waiting)
        unlink_request(pending, request);
    request->pending.waiting = false;
    pthread_mutex_unlock(&pending->lock);
    if (waiting)
        weir_metric_add(pending->gauge, -1);
    return waiting;
}

void weir_pending_resume(struct weir_request *request)
{
    if (request->parent != NULL)
        request->parent->part_ended(request->parent);
    else
        weir_worker_resume(request);
}

/* The oldest request if its deadline has come, taken out. */
static struct weir_request *take_expired(struct weir_pending *pending, int64_t now_ms)
{
    pthread_mutex_lock(&pending->lock);
    struct weir_request *request = pending->first;
    if (request != NULL && request->pending.deadline_ms <= now_ms) {
        unlink_request(pending, request);
        request->pending.waiting = false;
    } else {
        request = NULL;
    }
    pthread_mutex_unlock(&pending->lock);
    return request;
}

size_t weir_pending_expire(struct weir_pending *pending, int64_t now_ms)
{
    size_t count = 0;
    for (struct weir_request *request; (request = take_expired(pending, now_ms)) != NULL; count++) {
        weir_metric_add(pending->gauge, -1);
        weir_metric_add(pending->expired, 1);
        weir_request_refuse(request, MHD_HTTP_GATEWAY_TIMEOUT, "%s", request->pending.late);
        weir_pending_resume(request);
    }
    return count;
}

size_t weir_pending_count(struct weir_pending *pending)
{
    pthread_mutex_lock(&pending->lock);
    size_t count = pending->count;
    pthread_mutex_unlock(&pending->lock);
    return count;
}
