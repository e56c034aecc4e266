/* The thread that works for /v1/dlq, and what waits for it. */
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "gateway/dlq_parts.h"
#include "gateway/pending.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENT "weir-gateway-dlq"
#define ENDING "this gateway is shutting down; ask again"

enum { QUEUE_MAX = 16, SCAN_MS = 3000 };

struct weir_dlq {
    struct weir_gateway *gateway;
    pthread_mutex_t lock; /* the queue */
    pthread_cond_t wanted;
    struct weir_dlq_job *first, *last;
    size_t count; /* waiting, with the places that are taken for those to come */
    atomic_bool ending;
    pthread_t worker;
    bool worker_runs;
    struct weir_metric *gauge;
};

bool weir_dlq_is_ending(const struct weir_gateway *gateway)
{
    return atomic_load(&gateway->dlq->ending);
}

void weir_dlq_job_free(struct weir_dlq_job *job)
{
    if (job == NULL)
        return;
    weir_dlq_query_done(job);
    weir_buffer_done(&job->answer);
    weir_request_unref(job->request);
    free(job);
}

/* ---- the queue ---- */

static bool take_place(struct weir_dlq *dlq)
{
    pthread_mutex_lock(&dlq->lock);
    bool is_free = dlq->count < QUEUE_MAX && !atomic_load(&dlq->ending);
    dlq->count += is_free;
    pthread_mutex_unlock(&dlq->lock);
    return is_free;
}

enum weir_step weir_dlq_queue_take(struct weir_dlq *dlq, struct weir_dlq_job *job, const char *late)
{
    if (!take_place(dlq)) {
        enum weir_step step = weir_request_refuse(job->request, MHD_HTTP_SERVICE_UNAVAILABLE,
            "too many requests about dead letters wait already; nothing was done");
        weir_dlq_job_free(job);
        return step;
    }
    weir_pending_add(job->gateway->pending, job->request, late);
    weir_metric_add(dlq->gauge, 1);
    pthread_mutex_lock(&dlq->lock);
    if (dlq->last != NULL)
        dlq->last->next = job;
    else
        dlq->first = job;
    dlq->last = job;
    pthread_cond_signal(&dlq->wanted);
    pthread_mutex_unlock(&dlq->lock);
    return WEIR_STEP_SUSPENDED;
}

/* The one that waits longest; NULL when all is to end and none is left. */
static struct weir_dlq_job *await_job(struct weir_dlq *dlq)
{
    pthread_mutex_lock(&dlq->lock);
    while (dlq->first == NULL && !atomic_load(&dlq->ending))
        pthread_cond_wait(&dlq->wanted, &dlq->lock);
    struct weir_dlq_job *job = dlq->first;
    if (job != NULL) {
        dlq->first = job->next;
        dlq->count--;
    }
    if (dlq->first == NULL)
        dlq->last = NULL;
    pthread_mutex_unlock(&dlq->lock);
    return job;
}

/* ---- one job ---- */

/* How far the reading is: a record at offset is visited next unless there is no more time. */
static bool go_on(
    void *context, const struct weir_kafka_range *range, int64_t begin, int64_t offset, int64_t end)
{
    struct weir_dlq_job *job = context;
    bool has_time = !weir_dlq_is_ending(job->gateway) && weir_clock_ms() < job->deadline_ms;
    (void)begin, (void)end;
    if (offset < 0)
        return has_time;
    snprintf(job->read.topic, sizeof(job->read.topic), "%s", range->topic);
    job->read.partition = range->partition;
    job->read.offset = has_time ? offset + 1 : offset;
    return has_time;
}

static unsigned status_of(int code)
{
    unsigned status = (unsigned)weir_code_http_status(code);
    if (code == WEIR_E_FENCED)
        return MHD_HTTP_CONFLICT;
    return status == MHD_HTTP_INTERNAL_SERVER_ERROR || status == MHD_HTTP_NOT_IMPLEMENTED
               ? MHD_HTTP_SERVICE_UNAVAILABLE
               : status;
}

static void fill_problem(struct weir_dlq_job *job, int code, const struct weir_error *err)
{
    struct weir_request *request = job->request;
    if (job->unknown && code != WEIR_E_FENCED)
        weir_request_refuse(request, MHD_HTTP_GATEWAY_TIMEOUT, "%s: %s", request->pending.late, err->text);
    else if (weir_dlq_is_ending(job->gateway))
        weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", ENDING);
    else if (code == WEIR_E_TIMEOUT)
        weir_request_refuse(request, MHD_HTTP_GATEWAY_TIMEOUT, "%s: %s", request->pending.late, err->text);
    else
        weir_request_refuse(request, status_of(code), "%s", err->text);
}

static void answer(struct weir_dlq_job *job, int code, const struct weir_error *err)
{
    struct weir_request *request = job->request;
    if (!weir_pending_take(job->gateway->pending, request))
        return; /* its deadline came first */
    if (code < 0) {
        fill_problem(job, code, err);
    } else if (job->answer.failed) {
        weir_request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    } else {
        request->outcome.kind = WEIR_OUTCOME_DOCUMENT;
        request->outcome.status = MHD_HTTP_OK;
        request->outcome.document = job->answer;
        job->answer = (struct weir_buffer){0};
    }
    weir_pending_resume(request);
}

/* The clients of Kafka stay for the next job. */
static int do_job(struct weir_dlq_job *job, struct weir_kafka_scan **scan, struct weir_error *err)
{
    if (weir_dlq_is_ending(job->gateway) || weir_clock_ms() >= job->deadline_ms)
        return weir_error_set(err, WEIR_E_TIMEOUT, "it waited too long");
    int code = *scan == NULL ? weir_kafka_scan_open(job->gateway->deployment, CLIENT, SCAN_MS, scan, err) : 0;
    if (code < 0)
        return code;
    job->scan = *scan;
    weir_kafka_scan_on_tick(*scan, go_on, job);
    code = job->work(job, err);
    weir_kafka_scan_on_tick(*scan, NULL, NULL);
    return code;
}

static void *run(void *context)
{
    struct weir_dlq *dlq = context;
    struct weir_kafka_scan *scan = NULL;
    for (struct weir_dlq_job *job; (job = await_job(dlq)) != NULL;) {
        struct weir_error err = {0};
        int code = do_job(job, &scan, &err);
        if (code < 0 && status_of(code) >= MHD_HTTP_INTERNAL_SERVER_ERROR)
            weir_log(WEIR_LOG_WARNING, "dlq.failed", "request=%s reason=%s", job->request->id, err.text);
        answer(job, code, &err);
        weir_metric_add(dlq->gauge, -1);
        weir_dlq_job_free(job);
    }
    weir_kafka_scan_close(scan);
    return NULL;
}

/* ---- making and ending ---- */

int weir_dlq_open(struct weir_gateway *gateway, struct weir_dlq **ret_dlq, struct weir_error *err)
{
    struct weir_dlq *dlq = calloc(1, sizeof(*dlq));
    if (dlq == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    dlq->gateway = gateway;
    pthread_mutex_init(&dlq->lock, NULL);
    pthread_cond_init(&dlq->wanted, NULL);
    dlq->gauge = weir_metric(WEIR_METRIC_GAUGE, "weir_gateway_dlq_requests", "",
        "Requests about dead letters that wait or are worked on");
    *ret_dlq = dlq;
    dlq->worker_runs = pthread_create(&dlq->worker, NULL, run, dlq) == 0;
    return dlq->worker_runs ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "no thread for the dead letters");
}

void weir_dlq_end(struct weir_dlq *dlq)
{
    if (dlq == NULL)
        return;
    pthread_mutex_lock(&dlq->lock);
    atomic_store(&dlq->ending, true);
    pthread_cond_signal(&dlq->wanted);
    pthread_mutex_unlock(&dlq->lock);
}

void weir_dlq_close(struct weir_dlq *dlq)
{
    if (dlq == NULL)
        return;
    weir_dlq_end(dlq);
    if (dlq->worker_runs)
        pthread_join(dlq->worker, NULL);
    pthread_cond_destroy(&dlq->wanted);
    pthread_mutex_destroy(&dlq->lock);
    free(dlq);
}
