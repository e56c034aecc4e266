#include "consumers/plugins/notifier/ledger_parts.h"

#include <inttypes.h>
#include <stdio.h>

struct reading {
    struct weir_ledger *ledger;
    weir_ledger_take *take;
    void *context;
};

static bool take_row(void *context, struct weir_bytes key, struct weir_bytes value)
{
    const struct reading *reading = context;
    return reading->take(reading->context, weir_bytes(key.data + 1, key.len - 1), value);
}

int weir_ledger_of_event(struct weir_ledger *ledger, const char *event_id, weir_ledger_take *take,
    void *context, struct weir_error *err)
{
    char prefix[WEIR_LEDGER_KEY_BYTES];
    struct reading reading = {ledger, take, context};

    pthread_rwlock_rdlock(&ledger->lock);
    int code =
        weir_ledger_db_each(ledger->db, weir_ledger_row_key(prefix, event_id), take_row, &reading, err);
    pthread_rwlock_unlock(&ledger->lock);
    return code;
}

static bool take_request(void *context, struct weir_bytes entry, struct weir_bytes none)
{
    const struct reading *reading = context;
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};
    char text[WEIR_LEDGER_KEY_BYTES], row[WEIR_LEDGER_KEY_BYTES];
    struct weir_bytes key = weir_ledger_key_of_request(entry);

    (void)none;
    snprintf(text, sizeof(text), "%.*s", (int)key.len, key.data);
    if (weir_ledger_db_get(reading->ledger->db, weir_ledger_row_key(row, text), &value, NULL) < 0)
        return true;
    return reading->take(reading->context, key, weir_buffer_bytes(&value));
}

int weir_ledger_of_request(struct weir_ledger *ledger, const char *request, weir_ledger_take *take,
    void *context, struct weir_error *err)
{
    char prefix[WEIR_LEDGER_KEY_BYTES];
    struct reading reading = {ledger, take, context};

    pthread_rwlock_rdlock(&ledger->lock);
    int code = weir_ledger_db_each(
        ledger->db, weir_ledger_request_key(prefix, request, ""), take_request, &reading, err);
    pthread_rwlock_unlock(&ledger->lock);
    return code;
}

bool weir_ledger_serves(struct weir_ledger *ledger, uint32_t source, int32_t partition)
{
    pthread_rwlock_rdlock(&ledger->lock);
    bool owned = weir_ledger_owns(ledger, source, partition, NULL);
    pthread_rwlock_unlock(&ledger->lock);
    return owned;
}

uint32_t weir_ledger_mark(struct weir_ledger *ledger, struct weir_bytes request)
{
    return weir_marks_read(&ledger->marks, request);
}

/* A partition that was away may have come back with what another instance told of it. */
void weir_ledger_write_mark(const struct weir_ledger *ledger, char out[static WEIR_LEDGER_MARK_BYTES])
{
    snprintf(out, WEIR_LEDGER_MARK_BYTES, "%016" PRIx64 "-%" PRIx32, ledger->marks.life,
        atomic_load(&ledger->takings));
}
