#include "gateway/owner.h"

#include "common/clock.h"
#include "common/kafka.h"
#include "common/log.h"
#include "common/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PAUSE_MS = 200, /* between two looks */
    LOOK_MS = 1000, /* then the question is asked again: a coordinator that is still loading loses some */
    /* librdkafka (2.0.2, and by its source later ones) aborts the process when it learns of a group's
     * coordinator after the request that looked for it has timed out. So none may time out: long before, the
     * handle is closed with all that was asked of it. Soon at first, for a newer one (2.14.2) waits for ever
     * for a coordinator that was away while it asked for the brokers; then later, for one may be slow. */
    PATIENCE_MS = 2500,
    MAX_PATIENCE_MS = 15000,
    REQUEST_MS = 60000,
    LOG_PAUSE_MS = 10000,
    DESTROY_MS = 3000,
    SERVE_MS = 1000,
};

typedef char weir_owner_url[WEIR_OWNER_URL_BYTES];

struct weir_owner {
    const struct weir_gateway *gateway;
    void (*learnt)(void *context);
    void *context;
    rd_kafka_t *handle; /* the asking thread's; NULL with the dev broker and after no answer */
    rd_kafka_queue_t *answers;
    int open;    /* questions without an answer */
    bool misled; /* asked a broker that is no longer the coordinator; librdkafka would go on for minutes */
    int64_t open_since_ms; /* since then there has always been one */
    int64_t answered_ms;   /* when the last answer came */
    int patience_ms;       /* how long none may come */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    weir_owner_url **urls[WEIR_OWNER_KINDS]; /* [collection][partition]; "" when unknown */
    bool wanted, stopping;
    bool asked_for[WEIR_OWNER_KINDS];
    pthread_t thread;
    bool running;
    int64_t next_log_ms;
    struct weir_metric *asked, *failed;
};

/* ---- what is known ---- */

/* The service that keeps a collection, NULL for none; and the topic whose partitions it is assigned. */
static const char *keeper_of(const struct weir_collection *collection, enum weir_owner_kind kind)
{
    return kind == WEIR_OWNER_STORE ? collection->store_service : collection->mail_service;
}

static const char *topic_of(const struct weir_collection *collection, enum weir_owner_kind kind)
{
    return kind == WEIR_OWNER_STORE ? collection->command_topic : collection->changes_topic;
}

bool weir_owner_find(struct weir_owner *owner, enum weir_owner_kind kind,
    const struct weir_gateway_collection *collection, int32_t partition,
    char out[static WEIR_OWNER_URL_BYTES])
{
    const struct weir_gateway_settings *settings = &owner->gateway->settings;
    const char *fixed = kind == WEIR_OWNER_STORE ? settings->store_url : settings->notifier_url;
    if (owner->gateway->deployment->kafka.dev) {
        snprintf(out, WEIR_OWNER_URL_BYTES, "%s", fixed != NULL ? fixed : "");
        return out[0] != '\0';
    }
    pthread_mutex_lock(&owner->lock);
    owner->asked_for[kind] = true;
    memcpy(out, owner->urls[kind][collection->index][partition], WEIR_OWNER_URL_BYTES);
    pthread_mutex_unlock(&owner->lock);
    return out[0] != '\0';
}

/* Whoever owns another partition of the collection, each once. */
static bool find_other(const weir_owner_url *urls, int32_t count, int32_t partition, unsigned nth,
    char out[static WEIR_OWNER_URL_BYTES])
{
    unsigned found = 0;
    for (int32_t p = 0; p < count; p++) {
        bool told = urls[p][0] == '\0' || strcmp(urls[p], urls[partition]) == 0;
        for (int32_t before = 0; before < p && !told; before++)
            told = strcmp(urls[before], urls[p]) == 0;
        if (!told && found++ == nth) {
            memcpy(out, urls[p], WEIR_OWNER_URL_BYTES);
            return true;
        }
    }
    return false;
}

bool weir_owner_find_standby(struct weir_owner *owner, const struct weir_gateway_collection *collection,
    int32_t partition, unsigned nth, char out[static WEIR_OWNER_URL_BYTES])
{
    if (owner->gateway->deployment->kafka.dev)
        return false;
    pthread_mutex_lock(&owner->lock);
    bool found = find_other(owner->urls[WEIR_OWNER_STORE][collection->index],
        (int32_t)collection->config->partitions, partition, nth, out);
    pthread_mutex_unlock(&owner->lock);
    return found;
}

void weir_owner_refresh(struct weir_owner *owner)
{
    pthread_mutex_lock(&owner->lock);
    owner->wanted = true;
    pthread_cond_signal(&owner->changed);
    pthread_mutex_unlock(&owner->lock);
}

/* ---- asking ---- */

/* The URL in a client.id; false when there is none. Kafka's word is trusted no further than its form. */
static bool read_url(const char *client_id, char out[static WEIR_OWNER_URL_BYTES])
{
    const char *url = client_id != NULL ? strstr(client_id, "http") : NULL;
    if (url == NULL || (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
        return false;
    size_t len = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/.-_[]");
    if (url[len] != '\0' || len >= WEIR_OWNER_URL_BYTES)
        return false;
    memcpy(out, url, len + 1);
    while (len > 0 && out[len - 1] == '/')
        out[--len] = '\0';
    return true;
}

static bool is_kept_by(
    const struct weir_collection *collection, enum weir_owner_kind kind, const char *service)
{
    const char *keeper = keeper_of(collection, kind);
    return keeper != NULL && strcmp(keeper, service) == 0;
}

static void forget(struct weir_owner *owner, enum weir_owner_kind kind, const char *service)
{
    const struct weir_gateway *gateway = owner->gateway;
    for (size_t i = 0; i < gateway->collection_count; i++) {
        const struct weir_collection *collection = gateway->collections[i].config;
        if (is_kept_by(collection, kind, service))
            memset(owner->urls[kind][i], 0, (size_t)collection->partitions * sizeof(weir_owner_url));
    }
}

static void learn_partition(struct weir_owner *owner, enum weir_owner_kind kind, const char *service,
    const rd_kafka_topic_partition_t *partition, const char *url)
{
    const struct weir_gateway *gateway = owner->gateway;
    for (size_t i = 0; i < gateway->collection_count; i++) {
        const struct weir_collection *collection = gateway->collections[i].config;
        if (is_kept_by(collection, kind, service) &&
            strcmp(topic_of(collection, kind), partition->topic) == 0 && partition->partition >= 0 &&
            partition->partition < collection->partitions)
            memcpy(owner->urls[kind][i][partition->partition], url, WEIR_OWNER_URL_BYTES);
    }
}

static void learn_member(struct weir_owner *owner, enum weir_owner_kind kind, const char *service,
    const rd_kafka_MemberDescription_t *member)
{
    weir_owner_url url = "";
    const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(member);
    const rd_kafka_topic_partition_list_t *partitions =
        assignment != NULL ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;
    if (partitions == NULL || !read_url(rd_kafka_MemberDescription_client_id(member), url))
        return;
    for (int i = 0; i < partitions->cnt; i++)
        learn_partition(owner, kind, service, &partitions->elems[i], url);
}

static int learn_group(struct weir_owner *owner, const char *service,
    const rd_kafka_ConsumerGroupDescription_t *group, struct weir_error *err)
{
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(group);
    if (error != NULL) {
        owner->misled |= rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
        return weir_kafka_error_set(err, rd_kafka_error_code(error), service);
    }
    pthread_mutex_lock(&owner->lock);
    for (enum weir_owner_kind kind = 0; kind < WEIR_OWNER_KINDS; kind++) {
        forget(owner, kind, service);
        for (size_t i = 0; i < rd_kafka_ConsumerGroupDescription_member_count(group); i++)
            learn_member(owner, kind, service, rd_kafka_ConsumerGroupDescription_member(group, i));
    }
    pthread_mutex_unlock(&owner->lock);
    return 0;
}

static int read_answer(
    struct weir_owner *owner, const char *service, rd_kafka_event_t *event, struct weir_error *err)
{
    size_t count = 0;
    rd_kafka_resp_err_t failed = rd_kafka_event_error(event);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return weir_error_set(err, weir_kafka_code(failed), "%s", rd_kafka_event_error_string(event));
    const rd_kafka_ConsumerGroupDescription_t **groups = rd_kafka_DescribeConsumerGroups_result_groups(
        rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    if (count != 1)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "no group for service %s", service);
    return learn_group(owner, service, groups[0], err);
}

static void log_failure(struct weir_owner *owner, const char *service, const char *reason)
{
    if (weir_clock_ms() < owner->next_log_ms)
        return;
    owner->next_log_ms = weir_clock_ms() + LOG_PAUSE_MS;
    weir_log(WEIR_LOG_WARNING, "owner.unknown", "service=%s reason=%s", service, reason);
}

static void take_answer(struct weir_owner *owner, rd_kafka_event_t *event)
{
    struct weir_error err;
    const struct weir_service *service = rd_kafka_event_opaque(event);
    int rc = read_answer(owner, service->name, event, &err);
    owner->open--;
    owner->answered_ms = weir_clock_ms();
    owner->patience_ms = PATIENCE_MS;
    rd_kafka_event_destroy(event);
    weir_metric_add(rc < 0 ? owner->failed : owner->asked, 1);
    if (rc < 0)
        log_failure(owner, service->name, err.text);
    else
        owner->learnt(owner->context);
}

static int make_handle(struct weir_owner *owner, struct weir_error *err)
{
    rd_kafka_conf_t *conf = NULL;
    int rc =
        weir_kafka_conf(owner->gateway->deployment, WEIR_KAFKA_ADMIN, "weir-gateway-owner", NULL, &conf, err);
    if (rc == 0)
        rc = weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, &owner->handle, err);
    if (rc == 0)
        owner->answers = rd_kafka_queue_new(owner->handle);
    return rc;
}

static void close_handle(struct weir_owner *owner)
{
    if (owner->answers != NULL)
        rd_kafka_queue_destroy(owner->answers);
    weir_kafka_destroy(owner->handle, DESTROY_MS);
    owner->answers = NULL;
    owner->handle = NULL;
    owner->open = 0;
    owner->misled = false;
}

static void ask(struct weir_owner *owner, const struct weir_service *service)
{
    const char *group = service->group;
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(owner->handle, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, NULL, 0);
    rd_kafka_AdminOptions_set_opaque(options, (void *)(uintptr_t)service);
    rd_kafka_DescribeConsumerGroups(owner->handle, &group, 1, options, owner->answers);
    rd_kafka_AdminOptions_destroy(options);
    if (owner->open++ == 0)
        owner->open_since_ms = weir_clock_ms();
}

static bool keeps_something(
    const struct weir_gateway *gateway, enum weir_owner_kind kind, const struct weir_service *service)
{
    for (size_t i = 0; i < gateway->collection_count; i++) {
        if (is_kept_by(gateway->collections[i].config, kind, service->name))
            return true;
    }
    return false;
}

static bool is_wanted(struct weir_owner *owner, const struct weir_service *service)
{
    pthread_mutex_lock(&owner->lock);
    bool notifiers = owner->asked_for[WEIR_OWNER_NOTIFIER];
    pthread_mutex_unlock(&owner->lock);
    return keeps_something(owner->gateway, WEIR_OWNER_STORE, service) ||
           (notifiers && keeps_something(owner->gateway, WEIR_OWNER_NOTIFIER, service));
}

static void ask_all(struct weir_owner *owner)
{
    const struct weir_deployment *deployment = owner->gateway->deployment;
    for (size_t i = 0; i < deployment->service_count; i++) {
        if (is_wanted(owner, &deployment->services[i]))
            ask(owner, &deployment->services[i]);
    }
}

static void take_answers(struct weir_owner *owner, int64_t until_ms)
{
    for (int64_t left_ms; owner->open > 0 && (left_ms = until_ms - weir_clock_ms()) > 0;) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(owner->answers, (int)left_ms);
        if (event != NULL)
            take_answer(owner, event);
    }
}

/* One question may be lost while the next ones are answered. */
static bool is_patient(const struct weir_owner *owner)
{
    int64_t now_ms = weir_clock_ms();
    int64_t since_ms = owner->answered_ms > owner->open_since_ms ? owner->answered_ms : owner->open_since_ms;
    return now_ms < since_ms + owner->patience_ms && now_ms < owner->open_since_ms + MAX_PATIENCE_MS;
}

static void look(struct weir_owner *owner)
{
    struct weir_error err;
    if (owner->handle == NULL && make_handle(owner, &err) < 0) {
        log_failure(owner, "-", err.text);
        return;
    }
    ask_all(owner);
    take_answers(owner, weir_clock_ms() + LOOK_MS);
    if (owner->open == 0 && owner->misled)
        close_handle(owner);
    if (owner->open == 0 || is_patient(owner))
        return;
    owner->patience_ms = owner->patience_ms < MAX_PATIENCE_MS / 2 ? owner->patience_ms * 2 : MAX_PATIENCE_MS;
    log_failure(owner, "-", "no answer about the stores' consumer groups");
    weir_metric_add(owner->failed, 1);
    close_handle(owner);
}

static void wait_locked(struct weir_owner *owner, int64_t until_ms)
{
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_cond_timedwait(&owner->changed, &owner->lock, &until);
}

/* What nobody asked for, statistics and errors, would pile up in a handle that is never polled. */
static void serve_locked(struct weir_owner *owner)
{
    pthread_mutex_unlock(&owner->lock);
    if (owner->handle != NULL)
        rd_kafka_poll(owner->handle, 0);
    pthread_mutex_lock(&owner->lock);
}

/* Waits until a look is wanted, or an answer is missing, and the last look is a while ago; false when
 * stopping. */
static bool await_wish(struct weir_owner *owner, int64_t earliest_ms)
{
    pthread_mutex_lock(&owner->lock);
    serve_locked(owner);
    while (!owner->stopping && !owner->wanted && owner->open == 0) {
        wait_locked(owner, weir_clock_ms() + SERVE_MS);
        serve_locked(owner);
    }
    while (!owner->stopping && weir_clock_ms() < earliest_ms)
        wait_locked(owner, earliest_ms);
    owner->wanted = false;
    bool go_on = !owner->stopping;
    pthread_mutex_unlock(&owner->lock);
    return go_on;
}

static void *run(void *context)
{
    struct weir_owner *owner = context;
    for (int64_t earliest_ms = 0; await_wish(owner, earliest_ms);) {
        look(owner);
        earliest_ms = weir_clock_ms() + PAUSE_MS;
    }
    return NULL;
}

/* ---- making ---- */

static bool make_urls_of(const struct weir_gateway *gateway, weir_owner_url ***ret_urls)
{
    weir_owner_url **urls = *ret_urls = calloc(gateway->collection_count + 1, sizeof(*urls));
    for (size_t i = 0; urls != NULL && i < gateway->collection_count; i++) {
        urls[i] = calloc((size_t)gateway->collections[i].config->partitions, sizeof(weir_owner_url));
        if (urls[i] == NULL)
            return false;
    }
    return urls != NULL;
}

static int make_urls(struct weir_owner *owner, struct weir_error *err)
{
    for (int kind = 0; kind < WEIR_OWNER_KINDS; kind++) {
        if (!make_urls_of(owner->gateway, &owner->urls[kind]))
            return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    return 0;
}

static int start(struct weir_owner *owner, struct weir_error *err)
{
    int rc = make_urls(owner, err);
    if (rc < 0 || owner->gateway->deployment->kafka.dev)
        return rc;
    rc = make_handle(owner, err);
    if (rc < 0)
        return rc;
    owner->wanted = true; /* the first look takes longest: before the first read */
    if (pthread_create(&owner->thread, NULL, run, owner) != 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "no thread to look for the stores");
    owner->running = true;
    return 0;
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

int weir_owner_open(const struct weir_gateway *gateway, void (*learnt)(void *context), void *context,
    struct weir_owner **ret_owner, struct weir_error *err)
{
    struct weir_owner *owner = calloc(1, sizeof(*owner));
    if (owner == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    *owner = (struct weir_owner){
        .gateway = gateway, .learnt = learnt, .context = context, .patience_ms = PATIENCE_MS};
    pthread_mutex_init(&owner->lock, NULL);
    init_condition(&owner->changed);
    owner->asked = weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_owner_lookups_total", "result=\"ok\"",
        "Looks at the stores' consumer groups");
    owner->failed = weir_metric(WEIR_METRIC_COUNTER, "weir_gateway_owner_lookups_total", "result=\"failed\"",
        "Looks at the stores' consumer groups");
    int rc = start(owner, err);
    if (rc < 0) {
        weir_owner_close(owner);
        return rc;
    }
    *ret_owner = owner;
    return 0;
}

static void stop(struct weir_owner *owner)
{
    pthread_mutex_lock(&owner->lock);
    owner->stopping = true;
    pthread_cond_signal(&owner->changed);
    pthread_mutex_unlock(&owner->lock);
    if (owner->running)
        pthread_join(owner->thread, NULL);
}

void weir_owner_close(struct weir_owner *owner)
{
    if (owner == NULL)
        return;
    stop(owner);
    close_handle(owner);
    for (int kind = 0; kind < WEIR_OWNER_KINDS; kind++) {
        for (size_t i = 0; owner->urls[kind] != NULL && i < owner->gateway->collection_count; i++)
            free(owner->urls[kind][i]);
        free(owner->urls[kind]);
    }
    pthread_cond_destroy(&owner->changed);
    pthread_mutex_destroy(&owner->lock);
    free(owner);
}
