#include "consumers/plugins/notifier/ledger_parts.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

static int name_logs(struct weir_ledger *ledger, struct weir_error *err)
{
    const char *const *topics = ledger->host->topics;
    int code = 0;

    while (topics != NULL && topics[ledger->source_count] != NULL)
        ledger->source_count++;
    ledger->logs = calloc(ledger->source_count + 1, sizeof(*ledger->logs));
    if (ledger->logs == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    for (size_t i = 0; i < ledger->source_count && code == 0; i++)
        code = weir_topic_of_service(topics[i], ledger->host->service, "notifications", ledger->logs[i], err);
    return code;
}

static int open_db(struct weir_ledger *ledger, struct weir_error *err)
{
    int code = weir_ledger_db_open(ledger->path, &ledger->db, err);
    if (code == 0)
        code = weir_ledger_load_outbox(ledger, err);
    atomic_store(&ledger->broken, code < 0);
    return code;
}

int weir_ledger_open(
    const struct weir_ledger_options *options, struct weir_ledger **ret_ledger, struct weir_error *err)
{
    struct weir_ledger *ledger = calloc(1, sizeof(*ledger));
    if (ledger == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    pthread_rwlock_init(&ledger->lock, NULL);
    ledger->host = options->host;
    ledger->temporary = options->temporary;
    ledger->keep_ms = options->keep_ms;
    ledger->path = strdup(options->path);
    bool made = weir_marks_init(&ledger->marks) && ledger->path != NULL;
    int code = made ? name_logs(ledger, err) : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (code == 0 && ledger->temporary)
        code = weir_ledger_db_destroy(ledger->path, err);
    if (code == 0)
        code = open_db(ledger, err);
    if (code < 0) {
        weir_ledger_close(ledger);
        return code;
    }
    *ret_ledger = ledger;
    return 0;
}

void weir_ledger_close(struct weir_ledger *ledger)
{
    if (ledger == NULL)
        return;
    weir_ledger_db_close(ledger->db);
    if (ledger->temporary && ledger->db != NULL)
        (void)weir_ledger_db_destroy(ledger->path, NULL);
    weir_buffer_done(&ledger->carried);
    weir_buffer_done(&ledger->left);
    weir_buffer_done(&ledger->scratch);
    pthread_rwlock_destroy(&ledger->lock);
    weir_marks_done(&ledger->marks);
    free(ledger->owned);
    free(ledger->logs);
    free(ledger->path);
    free(ledger);
}

int weir_ledger_mend(struct weir_ledger *ledger, struct weir_error *err)
{
    if (!atomic_load(&ledger->broken))
        return 0;
    pthread_rwlock_wrlock(&ledger->lock);
    weir_ledger_db_close(ledger->db);
    ledger->db = NULL;
    int code = open_db(ledger, err);
    pthread_rwlock_unlock(&ledger->lock);
    return code;
}

int weir_ledger_sync(struct weir_ledger *ledger, struct weir_error *err)
{
    return weir_ledger_checked(ledger, weir_ledger_db_sync(ledger->db, err));
}

bool weir_ledger_find(
    struct weir_ledger *ledger, const char *key, int64_t event_ms, struct weir_delivery_record *ret_record)
{
    char row[WEIR_LEDGER_KEY_BYTES];
    struct weir_bytes row_key = weir_ledger_row_key(row, key);

    return weir_ledger_db_get(ledger->db, row_key, &ledger->scratch, NULL) == 0 &&
           weir_delivery_read(weir_buffer_bytes(&ledger->scratch), ret_record) &&
           ret_record->event_ms == event_ms;
}

void weir_ledger_put_row(struct weir_ledger_change *change, const char *key, const char *request,
    int64_t time_ms, struct weir_bytes value)
{
    char row[WEIR_LEDGER_KEY_BYTES];

    weir_ledger_change_put(change, weir_ledger_row_key(row, key), value);
    weir_ledger_change_put(change, weir_ledger_time_key(row, time_ms, key), weir_bytes_str(request));
    if (request[0] != '\0')
        weir_ledger_change_put(change, weir_ledger_request_key(row, request, key), weir_bytes_str(""));
}

void weir_ledger_put_position(struct weir_ledger *ledger, struct weir_ledger_change *change, uint32_t source,
    int32_t partition, int64_t offset)
{
    const struct weir_host *host = ledger->host;
    char key[WEIR_LEDGER_KEY_BYTES];
    uint64_t numbers[2] = {htole64((uint64_t)offset), htole64((uint64_t)host->now_ms())};

    weir_ledger_change_put(change,
        weir_ledger_position_key(
            key, host->cluster_id(host->context), weir_ledger_log_of(ledger, source), partition),
        weir_bytes(numbers, sizeof(numbers)));
}

void weir_ledger_note(struct weir_ledger *ledger, const struct weir_delivery *delivery,
    enum weir_delivery_status status, int code, const char *reply, struct weir_buffer *ret_record)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};
    char outbox[WEIR_LEDGER_KEY_BYTES];
    struct weir_error err;
    int64_t now_ms = ledger->host->now_ms();

    weir_delivery_write(delivery, status, code, reply, now_ms, &value);
    if (value.failed) {
        weir_ledger_checked(ledger, WEIR_E_INTERNAL);
        return;
    }
    struct weir_ledger_change *change = weir_ledger_change_new();
    weir_ledger_put_row(change, delivery->key, delivery->request, now_ms, weir_buffer_bytes(&value));
    weir_ledger_change_put(change,
        weir_ledger_outbox_key(
            outbox, weir_ledger_log_of(ledger, delivery->source), delivery->partition, delivery->key),
        weir_bytes_str(""));
    if (weir_ledger_checked(ledger, weir_ledger_change_write(change, ledger->db, &err)) < 0)
        weir_say(ledger->host, WEIR_SAY_ERROR, "ledger.failed", "reason=\"%s\"", err.text);
    weir_marks_move(&ledger->marks, weir_marks_place(&ledger->marks, weir_bytes_str(delivery->request)));
    if (ret_record == NULL)
        return;
    *ret_record = value;
    value = (struct weir_buffer){0};
}
