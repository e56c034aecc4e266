#include "consumers/runtime/transaction.h"

#include "common/clock.h"
#include "common/log.h"
#include "common/service.h"
#include "consumers/runtime/watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIXED_VUS = 6,
    FEW_RECORDS = 256,
    DESTROY_LIMIT_MS = 5000,
    FENCE_MEMORY_MS = 120000,
    STEP_MS = 2000,
    OFFSETS_LIMIT_MS = 10000,
    ABORT_LIMIT_MS = 5000,
    EXIT_SOFTWARE = 70,
};

struct weir_transaction {
    const struct weir_deployment *deployment;
    const struct weir_limits *limits;
    const char *id;
    _Atomic bool *reachable;
    rd_kafka_t *handle;
    struct weir_target **targets;
    size_t target_count;
    rd_kafka_vu_t *vus;
    size_t vu_capacity;

    struct weir_output *outputs; /* of the batch under way; delivery reports fill it */
    bool broken;                 /* a connection broke since the transaction began */
    bool suspect;
    int64_t began_ms;
    int64_t fenced_ms[2];
};

/* Called inside poll, flush and commit of our own thread. */
static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    (void)handle;
    struct weir_transaction *transaction = opaque;
    size_t index = (size_t)(uintptr_t)message->_private;
    if (transaction->outputs != NULL && message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        transaction->outputs[index].offset = message->offset;
}

static void on_error(rd_kafka_t *handle, int error, const char *reason, void *opaque)
{
    (void)handle;
    struct weir_transaction *transaction = opaque;
    transaction->broken = true;
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        *transaction->reachable = false;
    weir_log(WEIR_LOG_DEBUG, "kafka.producer", "error=%s reason=\"%s\"",
        rd_kafka_err2name((rd_kafka_resp_err_t)error), reason);
}

/* A batch is refused as a whole when it is larger than its topic takes, and librdkafka does not split it. */
static int limit_batches(rd_kafka_conf_t *conf, const struct weir_limits *limits, struct weir_error *err)
{
    char text[256] = "";
    size_t size = sizeof(text), least = weir_limits_least_bytes(limits);
    if (rd_kafka_conf_get(conf, "batch.size", text, &size) == RD_KAFKA_CONF_OK &&
        strtoull(text, NULL, 10) <= least)
        return 0;
    char bytes[24];
    snprintf(bytes, sizeof(bytes), "%zu", least);
    if (rd_kafka_conf_set(conf, "batch.size", bytes, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        return weir_error_set(err, WEIR_E_CONFIG, "batch.size: %s", text);
    return 0;
}

static int handle_new(struct weir_transaction *transaction, struct weir_error *err)
{
    rd_kafka_conf_t *conf;
    int rc = weir_kafka_conf(
        transaction->deployment, WEIR_KAFKA_TRANSACTIONAL, transaction->id, transaction->id, &conf, err);
    if (rc < 0)
        return rc;
    rc = limit_batches(conf, transaction->limits, err);
    if (rc < 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    rd_kafka_conf_set_opaque(conf, transaction);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    return weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, &transaction->handle, err);
}

int weir_transaction_open(const struct weir_deployment *deployment, const struct weir_limits *limits,
    const char *id, _Atomic bool *reachable, struct weir_transaction **ret_transaction,
    struct weir_error *err)
{
    struct weir_transaction *transaction = calloc(1, sizeof(*transaction));
    if (transaction == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    transaction->deployment = deployment;
    transaction->limits = limits;
    transaction->id = id;
    transaction->reachable = reachable;
    int rc = handle_new(transaction, err);
    if (rc < 0) {
        free(transaction);
        return rc;
    }
    *ret_transaction = transaction;
    return 0;
}

int weir_transaction_init(struct weir_transaction *transaction, int timeout_ms, struct weir_error *err)
{
    rd_kafka_poll(transaction->handle, 0);
    rd_kafka_error_t *error = rd_kafka_init_transactions(transaction->handle, timeout_ms);
    if (error == NULL)
        return 0;
    bool retriable = rd_kafka_error_is_retriable(error);
    weir_kafka_error_take(error, "init_transactions", err);
    return retriable ? WEIR_E_UNAVAILABLE : err->code;
}

static void handle_destroy(struct weir_transaction *transaction)
{
    if (transaction->handle == NULL)
        return;
    for (size_t i = 0; i < transaction->target_count; i++) {
        if (transaction->targets[i]->handle != NULL)
            rd_kafka_topic_destroy(transaction->targets[i]->handle);
        transaction->targets[i]->handle = NULL;
    }
    transaction->outputs = NULL;
    rd_kafka_purge(transaction->handle,
        RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_poll(transaction->handle, 0);
    rd_kafka_destroy(transaction->handle);
    transaction->handle = NULL;
}

int weir_transaction_renew(struct weir_transaction *transaction, struct weir_error *err)
{
    weir_watchdog_arm("ending a broken producer", DESTROY_LIMIT_MS, EXIT_SOFTWARE);
    handle_destroy(transaction);
    weir_watchdog_disarm();
    transaction->broken = transaction->suspect = false;
    return handle_new(transaction, err);
}

void weir_transaction_close(struct weir_transaction *transaction)
{
    if (transaction == NULL)
        return;
    handle_destroy(transaction);
    for (size_t i = 0; i < transaction->target_count; i++) {
        free(transaction->targets[i]->name);
        free(transaction->targets[i]);
    }
    free(transaction->targets);
    free(transaction->vus);
    free(transaction);
}

void weir_transaction_serve(struct weir_transaction *transaction)
{
    rd_kafka_poll(transaction->handle, 0);
}

static struct weir_target *target_new(struct weir_transaction *transaction, const char *topic)
{
    struct weir_target **targets =
        reallocarray(transaction->targets, transaction->target_count + 1, sizeof(struct weir_target *));
    if (targets == NULL)
        return NULL;
    transaction->targets = targets;
    struct weir_target *target = calloc(1, sizeof(*target));
    if (target == NULL)
        return NULL;
    target->name = strdup(topic);
    if (target->name == NULL) {
        free(target);
        return NULL;
    }
    target->limit_bytes = weir_limits_topic_bytes(transaction->limits, topic);
    return targets[transaction->target_count++] = target;
}

struct weir_target *weir_transaction_target(struct weir_transaction *transaction, const char *topic)
{
    for (size_t i = 0; i < transaction->target_count; i++)
        if (strcmp(transaction->targets[i]->name, topic) == 0)
            return transaction->targets[i];
    return target_new(transaction, topic);
}

static int vus_reserve(struct weir_transaction *transaction, size_t count)
{
    if (count <= transaction->vu_capacity)
        return 0;
    rd_kafka_vu_t *vus = reallocarray(transaction->vus, count * 2, sizeof(*vus));
    if (vus == NULL)
        return WEIR_E_INTERNAL;
    transaction->vus = vus;
    transaction->vu_capacity = count * 2;
    return 0;
}

static int target_handle(struct weir_transaction *transaction, struct weir_target *target)
{
    if (target->handle == NULL)
        target->handle = rd_kafka_topic_new(transaction->handle, target->name, NULL);
    return target->handle != NULL ? 0 : WEIR_E_INTERNAL;
}

/* The value stays in the batch's arena, which outlives the transaction; key and headers librdkafka copies
 * anyway. */
static size_t fill_vus(rd_kafka_vu_t *vus, const struct weir_emitted *record, size_t index)
{
    size_t n = 0;
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = record->target->handle};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = weir_emitted_partition(record)};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = 0};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_KEY,
        .u.mem = {.ptr = (void *)(uintptr_t)record->key.data, .size = record->key.len}};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_VALUE,
        .u.mem = {.ptr = (void *)(uintptr_t)record->value.data, .size = record->value.len}};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)index};
    for (size_t i = 0; i < record->header_count; i++) {
        const struct weir_header *header = &record->headers[i];
        vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER,
            .u.header = {
                .name = header->name, .val = header->value.data, .size = (ssize_t)header->value.len}};
    }
    return n;
}

/* A full queue is back-pressure: what is in it goes out meanwhile. */
static rd_kafka_error_t *produce_one(
    struct weir_transaction *transaction, const rd_kafka_vu_t *vus, size_t count)
{
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(transaction->handle, vus, count);
        if (error == NULL || rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return error;
        rd_kafka_error_destroy(error);
        rd_kafka_poll(transaction->handle, 10);
    }
}

static int produce(struct weir_transaction *transaction, struct weir_batch *batch, struct weir_error *err)
{
    for (size_t i = 0; i < batch->emitted_count; i++) {
        const struct weir_emitted *record = &batch->emitted[i];
        if (vus_reserve(transaction, FIXED_VUS + record->header_count) < 0 ||
            target_handle(transaction, record->target) < 0)
            return weir_error_set(err, WEIR_E_INTERNAL, "produce to %s: memory is out", record->target->name);
        if (i > 0)
            weir_crash_point("mid-produce");
        size_t count = fill_vus(transaction->vus, record, i);
        rd_kafka_error_t *error = produce_one(transaction, transaction->vus, count);
        if (error != NULL)
            return weir_kafka_error_take(error, record->target->name, err);
    }
    rd_kafka_poll(transaction->handle, 0);
    return 0;
}

static bool is_beyond_repair(const struct weir_transaction *transaction)
{
    char text[8];
    return rd_kafka_fatal_error(transaction->handle, text, sizeof(text)) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool is_fence(rd_kafka_resp_err_t error)
{
    return error == RD_KAFKA_RESP_ERR__FENCED || error == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           error == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* A transaction older than its timeout was ended by the coordinator, which looks the same: that is no twin.
 */
static void note_fence(struct weir_transaction *transaction)
{
    char text[8];
    int64_t now_ms = weir_clock_ms();
    if (!is_fence(rd_kafka_fatal_error(transaction->handle, text, sizeof(text))) ||
        now_ms - transaction->began_ms >= WEIR_TRANSACTION_LIMIT_MS)
        return;
    transaction->fenced_ms[0] = transaction->fenced_ms[1];
    transaction->fenced_ms[1] = now_ms;
}

static enum weir_ending doubtful(struct weir_transaction *transaction)
{
    note_fence(transaction);
    return WEIR_ENDING_DOUBTFUL;
}

/* What an abort can't end in time, or is not waited for at the end of the process, the next producer's
 * init_transactions ends. */
static enum weir_ending abort_transaction(struct weir_transaction *transaction)
{
    if (weir_service_stopping())
        return doubtful(transaction);
    rd_kafka_error_t *error = rd_kafka_abort_transaction(transaction->handle, ABORT_LIMIT_MS);
    if (error == NULL)
        return WEIR_ENDING_ABORTED;
    struct weir_error err;
    weir_kafka_error_take(error, "abort_transaction", &err);
    weir_log(WEIR_LOG_WARNING, "transaction.abort_failed", "reason=\"%s\"", err.text);
    return doubtful(transaction);
}

/* Between the steps of a call that takes long: the supervisor sees life, readiness the brokers' absence. */
static void breathe(struct weir_transaction *transaction)
{
    weir_service_alive();
    rd_kafka_poll(transaction->handle, 0);
}

/* A process that is asked to end does not wait for a broker that does not answer. */
static bool may_go_on(int64_t until_ms)
{
    return !weir_service_stopping() && weir_clock_ms() < until_ms;
}

static int send_offsets(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err)
{
    int64_t until_ms = weir_clock_ms() + OFFSETS_LIMIT_MS;
    for (;;) {
        rd_kafka_error_t *error =
            rd_kafka_send_offsets_to_transaction(transaction->handle, input->offsets, input->group, STEP_MS);
        if (error == NULL)
            return 0;
        bool again = rd_kafka_error_is_retriable(error) && may_go_on(until_ms);
        weir_kafka_error_take(error, "send_offsets_to_transaction", err);
        if (!again)
            return err->code;
        breathe(transaction);
    }
}

/* Resumed once all records are delivered, the call may have two requests to end the transaction on their way:
 * that makes the producer suspect. */
static rd_kafka_error_t *commit_in_steps(struct weir_transaction *transaction)
{
    for (int64_t until_ms = transaction->began_ms + WEIR_TRANSACTION_LIMIT_MS;;) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(transaction->handle, STEP_MS);
        if (error == NULL || !rd_kafka_error_is_retriable(error) || !may_go_on(until_ms))
            return error;
        rd_kafka_error_destroy(error);
        breathe(transaction);
        transaction->broken |= rd_kafka_outq_len(transaction->handle) == 0;
    }
}

static enum weir_ending commit(struct weir_transaction *transaction, struct weir_error *err)
{
    transaction->broken = false;
    rd_kafka_error_t *error = commit_in_steps(transaction);
    if (error == NULL) {
        transaction->suspect |= transaction->broken;
        return WEIR_ENDING_COMMITTED;
    }
    bool abortable = rd_kafka_error_txn_requires_abort(error);
    weir_kafka_error_take(error, "commit_transaction", err);
    return abortable ? abort_transaction(transaction) : doubtful(transaction);
}

/* A process that dies between produce and commit leaves its records in the log, not only in its own memory.
 */
static void settle_for_crash(struct weir_transaction *transaction)
{
#ifdef WEIR_CRASH_POINTS
    if (getenv("WEIR_CRASH_AT") != NULL)
        rd_kafka_flush(transaction->handle, WEIR_TRANSACTION_LIMIT_MS);
#else
    (void)transaction;
#endif
}

static int produce_all(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err)
{
    int rc = produce(transaction, input->batch, err);
    settle_for_crash(transaction);
    weir_crash_point("after-produce");
    return rc;
}

static int send_all_offsets(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err)
{
    weir_crash_point("before-offsets");
    int rc = send_offsets(transaction, input, err);
    weir_crash_point("after-offsets");
    return rc;
}

/* Until the markers of the transaction before are written, the coordinator refuses the next. librdkafka asks
 * again for offsets after retry.backoff.ms, for partitions only after 20 ms: so few records follow the
 * offsets, which have waited it out, while many use that time to be compressed and sent. */
static int fill(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err)
{
    bool few = input->batch->emitted_count <= FEW_RECORDS;
    int rc = few ? send_all_offsets(transaction, input, err) : produce_all(transaction, input, err);
    if (rc < 0)
        return rc;
    return few ? produce_all(transaction, input, err) : send_all_offsets(transaction, input, err);
}

static enum weir_ending run(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err)
{
    weir_crash_point("before-produce");
    if (weir_kafka_error_take(rd_kafka_begin_transaction(transaction->handle), "begin_transaction", err) < 0)
        return doubtful(transaction);
    if (fill(transaction, input, err) < 0)
        return is_beyond_repair(transaction) ? doubtful(transaction) : abort_transaction(transaction);
    if (input->before_commit != NULL) {
        rd_kafka_flush(transaction->handle, WEIR_TRANSACTION_LIMIT_MS);
        input->before_commit(input->context);
    }
    weir_crash_point("before-commit");
    enum weir_ending ending = commit(transaction, err);
    weir_crash_point("after-commit");
    return ending;
}

enum weir_ending weir_transaction_run(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err)
{
    transaction->outputs = input->batch->outputs;
    transaction->began_ms = weir_clock_ms();
#ifdef WEIR_MUTANT_OFFSETS_FIRST
    /* The judge has to catch this one: what dies between the two has consumed records and written nothing for
     * them. */
    enum weir_ending first = weir_transaction_commit_offsets(transaction, input, err);
    if (first != WEIR_ENDING_COMMITTED)
        return first;
#endif
    enum weir_ending ending = run(transaction, input, err);
    transaction->outputs = NULL;
    return ending;
}

enum weir_ending weir_transaction_commit_offsets(
    struct weir_transaction *transaction, const struct weir_transaction_input *input, struct weir_error *err)
{
    transaction->began_ms = weir_clock_ms();
    if (weir_kafka_error_take(rd_kafka_begin_transaction(transaction->handle), "begin_transaction", err) < 0)
        return doubtful(transaction);
    if (send_offsets(transaction, input, err) < 0)
        return is_beyond_repair(transaction) ? doubtful(transaction) : abort_transaction(transaction);
    return commit(transaction, err);
}

bool weir_transaction_is_suspect(const struct weir_transaction *transaction)
{
    return transaction->suspect;
}

unsigned weir_transaction_fences(const struct weir_transaction *transaction)
{
    int64_t since_ms = weir_clock_ms() - FENCE_MEMORY_MS;
    unsigned fences = 0;
    for (size_t i = 0; i < 2; i++)
        fences += transaction->fenced_ms[i] != 0 && transaction->fenced_ms[i] > since_ms;
    return fences;
}
