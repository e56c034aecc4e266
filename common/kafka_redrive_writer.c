#include "common/kafka_redrive_writer.h"

#include "common/clock.h"
#include "common/kafka.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A transaction is far younger than transaction.timeout.ms when it ends, and holds back readers of the retry
 * topic for no longer. */
enum {
    FIXED_VUS = 6,
    RECORDS_MAX = 500,
    BYTES_MAX = 4 << 20,
    AGE_MS = 1000,
    AGAIN_MS = 10,
    DESTROY_MS = 3000
};

struct weir_redrive_writer {
    const struct weir_letters_topic *topic;
    rd_kafka_t *handle;
    int32_t partitions; /* of the retry topic */
    int timeout_ms;
    bool open; /* a transaction */
    int64_t began_ms, records;
    size_t bytes;
    struct weir_error refused; /* the first delivery that failed */
};

/* Called inside poll and commit of our own thread. The opaque is the letter's offset. */
static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
    struct weir_redrive_writer *writer = opaque;

    (void)handle;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR || writer->refused.code != 0)
        return;
    weir_error_set(&writer->refused, weir_kafka_code(message->err),
        "%s did not take the letter at offset %" PRIdPTR " of %s: %s", writer->topic->retry,
        (intptr_t)message->_private, writer->topic->letters, rd_kafka_err2str(message->err));
}

static int handle_open(
    const struct weir_deployment *deployment, struct weir_redrive_writer *writer, struct weir_error *err)
{
    char id[WEIR_TOPIC_NAME_BYTES + sizeof(".redrive")];
    rd_kafka_conf_t *conf = NULL;

    snprintf(id, sizeof(id), "%s.redrive", writer->topic->letters);
    int code = weir_kafka_conf(deployment, WEIR_KAFKA_TRANSACTIONAL, id, id, &conf, err);
    if (code < 0)
        return code;
    rd_kafka_conf_set_opaque(conf, writer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    return weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, &writer->handle, err);
}

static int init(struct weir_redrive_writer *writer, struct weir_error *err)
{
    int64_t deadline_ms = weir_clock_ms() + writer->timeout_ms;
    bool again = true;

    while (again) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(writer->handle, writer->timeout_ms);
        if (error == NULL)
            return 0;
        again = rd_kafka_error_is_retriable(error) && weir_clock_ms() < deadline_ms;
        weir_kafka_error_take(error, writer->topic->letters, err);
    }
    return err->code;
}

int weir_redrive_writer_open(const struct weir_deployment *deployment, const struct weir_letters_topic *topic,
    int timeout_ms, struct weir_redrive_writer **ret_writer, struct weir_error *err)
{
    struct weir_redrive_writer *writer = calloc(1, sizeof(*writer));

    if (writer == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    writer->topic = topic;
    writer->timeout_ms = timeout_ms;
    int code = handle_open(deployment, writer, err);
    if (code == 0)
        code = weir_kafka_partition_count(writer->handle, topic->retry, timeout_ms, &writer->partitions, err);
    if (code == 0)
        code = init(writer, err);
    if (code < 0) {
        weir_redrive_writer_close(writer);
        return code;
    }
    *ret_writer = writer;
    return 0;
}

static void abort_open(struct weir_redrive_writer *writer)
{
    if (writer->open)
        rd_kafka_error_destroy(rd_kafka_abort_transaction(writer->handle, writer->timeout_ms));
    writer->open = false;
}

void weir_redrive_writer_close(struct weir_redrive_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->handle != NULL) {
        abort_open(writer);
        weir_kafka_destroy(writer->handle, DESTROY_MS);
    }
    free(writer);
}

/* Fencing shows as a fatal error, whatever the call says. */
static int fail(struct weir_redrive_writer *writer, rd_kafka_error_t *error, struct weir_error *err)
{
    char text[WEIR_ERROR_TEXT_BYTES];
    int fatal = weir_kafka_code(rd_kafka_fatal_error(writer->handle, text, sizeof(text)));
    int code = weir_kafka_error_take(error, writer->topic->retry, err);

    if (fatal == WEIR_E_FENCED || code == WEIR_E_FENCED)
        return weir_error_set(err, WEIR_E_FENCED,
            "another redrive of %s has taken over; what this one had not committed is for that one to do",
            writer->topic->letters);
    if (writer->refused.code == 0)
        return code;
    *err = writer->refused;
    return err->code;
}

static int begin(struct weir_redrive_writer *writer, struct weir_error *err)
{
    if (writer->open)
        return 0;
    rd_kafka_error_t *error = rd_kafka_begin_transaction(writer->handle);
    if (error != NULL)
        return fail(writer, error, err);
    writer->open = true;
    writer->began_ms = weir_clock_ms();
    writer->records = 0;
    writer->bytes = 0;
    return 0;
}

static rd_kafka_vu_t memory(rd_kafka_vtype_t type, struct weir_bytes bytes)
{
    return (rd_kafka_vu_t){.vtype = type, .u.mem = {.ptr = (void *)(uintptr_t)bytes.data, .size = bytes.len}};
}

static size_t fill(rd_kafka_vu_t *vus, const struct weir_redrive_writer *writer,
    const struct weir_letter *letter, struct weir_bytes value, const struct weir_letter_return *back)
{
    int32_t partition =
        letter->key.len > 0 ? weir_topic_partition(letter->key, writer->partitions) : letter->partition;
    size_t n = 0;

    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = writer->topic->retry};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition};
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY};
    vus[n++] = memory(RD_KAFKA_VTYPE_KEY, letter->key);
    vus[n++] = memory(RD_KAFKA_VTYPE_VALUE, value);
    vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(intptr_t)letter->offset};
    for (size_t i = 0; i < back->header_count; i++) {
        const struct weir_header *header = &back->headers[i];
        vus[n++] = (rd_kafka_vu_t){.vtype = RD_KAFKA_VTYPE_HEADER,
            .u.header = {
                .name = header->name, .val = header->value.data, .size = (ssize_t)header->value.len}};
    }
    return n;
}

/* A full queue is back-pressure: what is in it goes out meanwhile. */
static rd_kafka_error_t *produce(struct weir_redrive_writer *writer, const rd_kafka_vu_t *vus, size_t count)
{
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(writer->handle, vus, count);
        if (error == NULL || rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return error;
        rd_kafka_error_destroy(error);
        rd_kafka_poll(writer->handle, AGAIN_MS);
    }
}

static bool is_due(const struct weir_redrive_writer *writer)
{
    return writer->records >= RECORDS_MAX || writer->bytes >= BYTES_MAX ||
           weir_clock_ms() - writer->began_ms >= AGE_MS;
}

int weir_redrive_writer_send(struct weir_redrive_writer *writer, const struct weir_letter *letter,
    struct weir_bytes value, const struct weir_letter_return *back, int64_t *ret_committed,
    struct weir_error *err)
{
    WEIR_CLEANUP(free) rd_kafka_vu_t *vus = calloc(FIXED_VUS + back->header_count, sizeof(*vus));

    *ret_committed = 0;
    if (vus == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = begin(writer, err);
    if (code < 0)
        return code;
    rd_kafka_error_t *error = produce(writer, vus, fill(vus, writer, letter, value, back));
    if (error != NULL)
        return fail(writer, error, err);
    rd_kafka_poll(writer->handle, 0);
    writer->records++;
    writer->bytes += letter->key.len + value.len;
    return is_due(writer) ? weir_redrive_writer_commit(writer, ret_committed, err) : 0;
}

int weir_redrive_writer_commit(
    struct weir_redrive_writer *writer, int64_t *ret_committed, struct weir_error *err)
{
    int64_t deadline_ms = weir_clock_ms() + writer->timeout_ms;
    bool again = true;

    *ret_committed = 0;
    while (writer->open && again) {
        rd_kafka_error_t *error = rd_kafka_commit_transaction(writer->handle, writer->timeout_ms);
        if (error == NULL) {
            writer->open = false;
            *ret_committed = writer->records;
            return 0;
        }
        again = rd_kafka_error_is_retriable(error) && weir_clock_ms() < deadline_ms;
        fail(writer, error, err);
    }
    return writer->open ? err->code : 0;
}
