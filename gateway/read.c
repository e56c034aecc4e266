#include "gateway/read.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "gateway/owner.h"
#include "gateway/pending.h"
#include "gateway/read_job.h"
#include "gateway/store_tls.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RETRY_MS = 100,
    CONNECT_MS = 1000,
    SPARES = 64,
    STORE_CONNECTIONS = 256,       /* many wait for an outcome, each on a connection of its own */
    DOCUMENT_MAX_BYTES = 64 << 20, /* more is no document but a fault */
};

struct list {
    struct weir_read_job *first;
};

struct weir_read {
    struct weir_gateway *gateway;
    CURLM *multi;
    struct curl_slist *headers;
    CURL *spares[SPARES];
    size_t spare_count;
    pthread_mutex_t lock; /* arrived */
    struct list arrived;
    struct list waiting, running; /* the thread's own */
    atomic_bool learnt, hurried, stopping;
    pthread_t thread;
    bool thread_runs;
    struct weir_metric *tries, *retries;
};

static void push(struct list *list, struct weir_read_job *job)
{
    job->previous = NULL;
    job->next = list->first;
    if (job->next != NULL)
        job->next->previous = job;
    list->first = job;
}

static void drop(struct list *list, struct weir_read_job *job)
{
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        list->first = job->next;
    if (job->next != NULL)
        job->next->previous = job->previous;
}

/* ---- the request's side ---- */

static struct weir_read_job *make_job(struct weir_request *request, const struct weir_read_kind *kind,
    int32_t partition, int64_t wait_ms, int64_t timeout_ms)
{
    struct weir_read *read = request->gateway->read;
    struct weir_read_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return NULL;
    job->read = read;
    job->request = weir_request_ref(request);
    job->kind = kind;
    job->partition = partition;
    int64_t now_ms = weir_clock_ms();
    job->give_up_ms = now_ms + wait_ms;
    job->deadline_ms = now_ms + timeout_ms;
    snprintf(job->problem, sizeof(job->problem), "no store is known that keeps partition %" PRId32 " of %s",
        job->partition, request->collection->config->command_topic);
    return job;
}

static void arrive(struct weir_read *read, struct weir_read_job *job)
{
    pthread_mutex_lock(&read->lock);
    push(&read->arrived, job);
    pthread_mutex_unlock(&read->lock);
    curl_multi_wakeup(read->multi);
}

bool weir_read_begin(struct weir_request *request, const struct weir_read_kind *kind, int32_t partition,
    int64_t wait_ms, const char *late)
{
    struct weir_read *read = request->gateway->read;
    int64_t timeout_ms =
        late != NULL ? read->gateway->settings.timeout_ms : wait_ms + WEIR_READ_MARGIN_MS / 2;
    struct weir_read_job *job = make_job(request, kind, partition, wait_ms, timeout_ms);
    if (job == NULL)
        return false;
    if (late != NULL)
        weir_pending_add(request->gateway->pending, request, late);
    arrive(read, job);
    return true;
}

struct weir_read_job *weir_read_add(
    struct weir_read_job *job, const struct weir_read_kind *kind, int64_t give_up_ms, int64_t deadline_ms)
{
    int64_t now_ms = weir_clock_ms();
    struct weir_read_job *added =
        make_job(job->request, kind, job->partition, give_up_ms - now_ms, deadline_ms - now_ms);
    if (added == NULL)
        return NULL;
    memcpy(added->marks, job->marks, sizeof(job->marks));
    arrive(job->read, added);
    return added;
}

/* ---- the end of a read ---- */

static void free_job(struct weir_read_job *job)
{
    if (job->twin != NULL)
        job->twin->twin = NULL;
    weir_request_unref(job->request);
    weir_buffer_done(&job->body);
    weir_buffer_done(&job->gathered);
    free(job);
}

void weir_read_copy_header(const struct weir_read_job *job, const char *name, char *out, size_t size)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(job->easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        snprintf(out, size, "%s", header->value);
}

void weir_read_end_problem(struct weir_read_job *job, unsigned status, const char *detail)
{
    if (weir_pending_take(job->read->gateway->pending, job->request)) {
        weir_request_refuse(job->request, status, "%s", detail);
        weir_pending_resume(job->request);
    }
}

void weir_read_late(struct weir_read_job *job)
{
    weir_read_end_problem(job, MHD_HTTP_GATEWAY_TIMEOUT, WEIR_READ_LATE);
}

void weir_read_give_up(struct weir_read_job *job)
{
    weir_read_end_problem(job, MHD_HTTP_SERVICE_UNAVAILABLE, job->problem);
}

/* ---- one try ---- */

static size_t take_bytes(char *data, size_t size, size_t count, void *context)
{
    struct weir_read_job *job = context;
    size_t len = size * count;
    if (len > DOCUMENT_MAX_BYTES - job->body.len)
        return 0;
    weir_buffer_append(&job->body, data, len);
    return job->body.failed ? 0 : len;
}

static CURL *take_easy(struct weir_read *read)
{
    if (read->spare_count > 0)
        return read->spares[--read->spare_count];
    CURL *easy = curl_easy_init();
    if (easy == NULL)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, read->headers);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    weir_store_tls_apply(&read->gateway->settings, easy);
    return easy;
}

static void give_easy(struct weir_read *read, CURL *easy)
{
    if (read->spare_count < SPARES)
        read->spares[read->spare_count++] = easy;
    else
        curl_easy_cleanup(easy);
}

static bool set_try(struct weir_read_job *job, const char *owner)
{
    WEIR_CLEANUP(buffer) struct weir_buffer url = {0};
    int64_t left_ms = job->deadline_ms - weir_clock_ms();
    job->kind->write_url(job, owner, &url);
    weir_buffer_clear(&job->body);
    return !url.failed && curl_easy_setopt(job->easy, CURLOPT_URL, url.data) == CURLE_OK &&
           curl_easy_setopt(job->easy, CURLOPT_WRITEDATA, job) == CURLE_OK &&
           curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job) == CURLE_OK &&
           curl_easy_setopt(job->easy, CURLOPT_TIMEOUT_MS, (long)(left_ms > 1 ? left_ms : 1)) == CURLE_OK &&
           curl_multi_add_handle(job->read->multi, job->easy) == CURLM_OK;
}

/* In a list that only the next turn knows, it is left to that. */
void weir_read_drop_twin(struct weir_read_job *job)
{
    struct weir_read_job *twin = job->twin;
    if (twin == NULL)
        return;
    twin->dropped = true;
    if (twin->easy == NULL)
        return;
    curl_multi_remove_handle(twin->read->multi, twin->easy);
    drop(&twin->read->running, twin);
    give_easy(twin->read, twin->easy);
    free_job(twin);
}

/* Sends the job, or frees it when memory is out. It is in no list. */
static void send_try(struct weir_read_job *job, const char *url)
{
    struct weir_read *read = job->read;
    weir_metric_add(read->tries, 1);
    job->again = false;
    job->easy = take_easy(read);
    if (job->easy != NULL && set_try(job, url)) {
        push(&read->running, job);
        return;
    }
    if (job->easy != NULL)
        give_easy(read, job->easy);
    weir_read_end_problem(job, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    free_job(job);
}

/* The owner did not answer: one after the other of those that may follow its partition; then the owner again.
 */
static bool try_standby(struct weir_read_job *job)
{
    char url[WEIR_OWNER_URL_BYTES];
    job->standby = job->kind->from_standby && job->request->takes_standby &&
                   weir_owner_find_standby(job->read->gateway->owner, job->request->collection,
                       job->partition, job->standbys, url);
    job->standbys = job->standby ? job->standbys + 1 : 0;
    if (job->standby)
        send_try(job, url);
    return job->standby;
}

/* Waits for a better moment, or gives up when there is no time left for one. The job is in no list. */
static void postpone(struct weir_read_job *job)
{
    int64_t now_ms = weir_clock_ms();
    weir_owner_refresh(job->read->gateway->owner);
    if (try_standby(job))
        return;
    if (now_ms + RETRY_MS >= job->give_up_ms) {
        job->kind->give_up(job);
        free_job(job);
        return;
    }
    weir_metric_add(job->read->retries, 1);
    job->next_try_ms = now_ms + RETRY_MS;
    push(&job->read->waiting, job);
}

/* The job is in no list. */
static void begin_try(struct weir_read_job *job)
{
    char owner[WEIR_OWNER_URL_BYTES];
    struct weir_read *read = job->read;
    if (job->dropped) {
        free_job(job);
        return;
    }
    if (!weir_owner_find(
            read->gateway->owner, job->kind->owner, job->request->collection, job->partition, owner)) {
        postpone(job);
        return;
    }
    send_try(job, owner);
}

/* ---- what a try brought ---- */

/* True when the read is over. */
static bool judge_answer(struct weir_read_job *job)
{
    long status = 0;
    curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
    if (job->kind->judge(job, status))
        return true;
    if (job->standby) /* what the owner's try came to is told */
        return false;
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        snprintf(job->problem, sizeof(job->problem), "the store that keeps this key is not ready for it yet");
    else
        snprintf(job->problem, sizeof(job->problem), "the store that keeps this key answered %ld", status);
    return false;
}

static bool judge_failure(struct weir_read_job *job, CURLcode result)
{
    if (result == CURLE_OPERATION_TIMEDOUT && weir_clock_ms() >= job->deadline_ms) {
        job->kind->late(job);
        return true;
    }
    if (!job->standby)
        snprintf(job->problem, sizeof(job->problem), "the store that keeps this key can't be reached: %s",
            curl_easy_strerror(result));
    return false;
}

static void end_try(struct weir_read *read, CURL *easy, CURLcode result)
{
    struct weir_read_job *job = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &job);
    curl_multi_remove_handle(read->multi, easy);
    drop(&read->running, job);
    bool over = result == CURLE_OK ? judge_answer(job) : judge_failure(job, result);
    job->easy = NULL;
    give_easy(read, easy);
    if (over)
        free_job(job);
    else if (job->again)
        begin_try(job);
    else
        postpone(job);
}

/* ---- the thread ---- */

static void take_arrived(struct weir_read *read)
{
    pthread_mutex_lock(&read->lock);
    struct weir_read_job *job = read->arrived.first;
    read->arrived.first = NULL;
    pthread_mutex_unlock(&read->lock);
    for (struct weir_read_job *next; job != NULL; job = next) {
        next = job->next;
        begin_try(job);
    }
}

/* Begins what is due; answers how long the next one has to wait. */
static int begin_due(struct weir_read *read)
{
    bool all = atomic_exchange(&read->learnt, false);
    int64_t now_ms = weir_clock_ms(), nearest_ms = now_ms + 1000;
    struct list due = {NULL};
    for (struct weir_read_job *job = read->waiting.first, *next; job != NULL; job = next) {
        next = job->next;
        if (all || job->next_try_ms <= now_ms) {
            drop(&read->waiting, job);
            push(&due, job);
        } else if (job->next_try_ms < nearest_ms) {
            nearest_ms = job->next_try_ms;
        }
    }
    for (struct weir_read_job *job; (job = due.first) != NULL;) {
        drop(&due, job);
        begin_try(job);
    }
    return (int)(nearest_ms - now_ms);
}

static void end_tries(struct weir_read *read)
{
    int left = 0;
    for (CURLMsg *message; (message = curl_multi_info_read(read->multi, &left)) != NULL;) {
        if (message->msg == CURLMSG_DONE)
            end_try(read, message->easy_handle, message->data.result);
    }
}

static void hurry_list(struct list *list)
{
    for (struct weir_read_job *job = list->first; job != NULL; job = job->next) {
        if (job->kind->hurry != NULL && !job->dropped)
            job->kind->hurry(job);
    }
}

static void *run(void *context)
{
    struct weir_read *read = context;
    int running = 0;
    while (!atomic_load(&read->stopping)) {
        take_arrived(read);
        if (atomic_exchange(&read->hurried, false)) {
            hurry_list(&read->waiting);
            hurry_list(&read->running);
        }
        int wait_ms = begin_due(read);
        curl_multi_perform(read->multi, &running);
        end_tries(read);
        curl_multi_poll(read->multi, NULL, 0,
            wait_ms < RETRY_MS || read->waiting.first == NULL ? wait_ms : RETRY_MS, NULL);
    }
    return NULL;
}

void weir_read_learnt(void *context)
{
    struct weir_read *read = context;
    atomic_store(&read->learnt, true);
    curl_multi_wakeup(read->multi);
}

void weir_read_hurry(struct weir_read *read)
{
    atomic_store(&read->hurried, true);
    curl_multi_wakeup(read->multi);
}

/* ---- making ---- */

static int make_headers(struct weir_read *read, struct weir_error *err)
{
    const char *secret = read->gateway->settings.store_peer_secret;
    WEIR_CLEANUP(buffer) struct weir_buffer line = {0};
    if (secret == NULL)
        return 0;
    weir_buffer_printf(&line, "Weir-Peer: %s", secret);
    read->headers = line.failed ? NULL : curl_slist_append(NULL, line.data);
    return read->headers != NULL ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

static int start(struct weir_read *read, struct weir_error *err)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    read->multi = curl_multi_init();
    if (read->multi == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "libcurl does not start");
    curl_multi_setopt(read->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)STORE_CONNECTIONS);
    curl_multi_setopt(read->multi, CURLMOPT_MAXCONNECTS, (long)STORE_CONNECTIONS * 4);
    int rc = make_headers(read, err);
    if (rc < 0)
        return rc;
    if (pthread_create(&read->thread, NULL, run, read) != 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "no thread for reads");
    read->thread_runs = true;
    return 0;
}

int weir_read_open(struct weir_gateway *gateway, struct weir_read **ret_read, struct weir_error *err)
{
    struct weir_read *read = calloc(1, sizeof(*read));
    if (read == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    read->gateway = gateway;
    pthread_mutex_init(&read->lock, NULL);
    read->tries =
        weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_store_requests_total", "", "Requests sent to stores");
    read->retries = weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_store_retries_total", "",
        "Reads that had to wait for a store that was unknown, not ready or unreachable");
    int rc = start(read, err);
    if (rc < 0) {
        weir_read_close(read);
        return rc;
    }
    *ret_read = read;
    return 0;
}

static void free_jobs(struct weir_read *read, struct list *list)
{
    for (struct weir_read_job *job; (job = list->first) != NULL;) {
        drop(list, job);
        if (job->easy != NULL) {
            curl_multi_remove_handle(read->multi, job->easy);
            curl_easy_cleanup(job->easy);
        }
        free_job(job);
    }
}

static void stop(struct weir_read *read)
{
    atomic_store(&read->stopping, true);
    if (!read->thread_runs)
        return;
    curl_multi_wakeup(read->multi);
    pthread_join(read->thread, NULL);
}

void weir_read_close(struct weir_read *read)
{
    if (read == NULL)
        return;
    stop(read);
    free_jobs(read, &read->arrived);
    free_jobs(read, &read->waiting);
    free_jobs(read, &read->running);
    while (read->spare_count > 0)
        curl_easy_cleanup(read->spares[--read->spare_count]);
    if (read->multi != NULL)
        curl_multi_cleanup(read->multi);
    curl_slist_free_all(read->headers);
    pthread_mutex_destroy(&read->lock);
    free(read);
    curl_global_cleanup();
}
