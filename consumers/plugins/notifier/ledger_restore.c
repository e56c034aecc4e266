#include "consumers/plugins/notifier/ledger_parts.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int weir_ledger_position(struct weir_ledger *ledger, uint32_t source, int32_t partition, int64_t *ret_offset,
    struct weir_error *err)
{
    const struct weir_host *host = ledger->host;
    char key[WEIR_LEDGER_KEY_BYTES];
    uint64_t numbers[2] = {0, 0};

    *ret_offset = 0;
    int code = weir_ledger_db_get(ledger->db,
        weir_ledger_position_key(
            key, host->cluster_id(host->context), weir_ledger_log_of(ledger, source), partition),
        &ledger->scratch, err);
    if (code < 0)
        return code == WEIR_E_NOT_FOUND ? 0 : code;
    if (ledger->scratch.len == sizeof(numbers))
        memcpy(numbers, ledger->scratch.data, sizeof(numbers));
    /* What the log has forgotten since then was to be forgotten here, too. */
    if (host->now_ms() - (int64_t)le64toh(numbers[1]) < ledger->keep_ms)
        *ret_offset = (int64_t)le64toh(numbers[0]);
    return 0;
}

/* A mail that was sent stays sent, whatever another instance found out of it that did not know. */
static int apply_record(struct weir_ledger *ledger, struct weir_ledger_change **change,
    const struct weir_record *record, struct weir_error *err)
{
    char key[WEIR_LEDGER_DELIVERY_MAX + 1];
    struct weir_delivery_record told, known;

    if (record->key.len > WEIR_LEDGER_DELIVERY_MAX || !weir_delivery_read(record->value, &told) ||
        told.time_ms < ledger->host->now_ms() - ledger->keep_ms)
        return 0;
    snprintf(key, sizeof(key), "%.*s", (int)record->key.len, record->key.data);
    if (told.status != WEIR_DELIVERY_SENT) {
        int code = weir_ledger_checked(ledger, weir_ledger_change_write(*change, ledger->db, err));
        *change = weir_ledger_change_new();
        if (code < 0 ||
            (weir_ledger_find(ledger, key, told.event_ms, &known) && known.status == WEIR_DELIVERY_SENT))
            return code;
    }
    weir_ledger_put_row(*change, key, told.request, told.time_ms, record->value);
    return 0;
}

int weir_ledger_apply(
    struct weir_ledger *ledger, const struct weir_record *records, size_t count, struct weir_error *err)
{
    struct weir_ledger_change *change = weir_ledger_change_new();
    int code = 0;

    for (size_t i = 0; i < count && code == 0; i++)
        code = apply_record(ledger, &change, &records[i], err);
    int written = weir_ledger_checked(ledger, weir_ledger_change_write(change, ledger->db, err));
    return code < 0 ? code : written;
}

bool weir_ledger_owns(const struct weir_ledger *ledger, uint32_t source, int32_t partition, size_t *ret_at)
{
    for (size_t i = 0; i < ledger->owned_count; i++) {
        if (ledger->owned[i].source != source || ledger->owned[i].partition != partition)
            continue;
        if (ret_at != NULL)
            *ret_at = i;
        return true;
    }
    return false;
}

static bool add_owned(struct weir_ledger *ledger, struct weir_ledger_place place)
{
    struct weir_ledger_place *owned =
        reallocarray(ledger->owned, ledger->owned_count + 1, sizeof(*ledger->owned));
    if (owned == NULL)
        return false;
    ledger->owned = owned;
    owned[ledger->owned_count++] = place;
    return true;
}

int weir_ledger_caught_up(
    struct weir_ledger *ledger, uint32_t source, int32_t partition, int64_t offset, struct weir_error *err)
{
    struct weir_ledger_change *change = weir_ledger_change_new();

    weir_ledger_put_position(ledger, change, source, partition, offset);
    int code = weir_ledger_checked(ledger, weir_ledger_change_write(change, ledger->db, err));
    if (code < 0 || weir_ledger_owns(ledger, source, partition, NULL))
        return code;
    pthread_rwlock_wrlock(&ledger->lock);
    bool added = add_owned(ledger, (struct weir_ledger_place){source, partition});
    atomic_fetch_add(&ledger->takings, 1);
    pthread_rwlock_unlock(&ledger->lock);
    return added ? 0 : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

void weir_ledger_revoked(struct weir_ledger *ledger, uint32_t source, int32_t partition)
{
    size_t at = 0;

    pthread_rwlock_wrlock(&ledger->lock);
    if (weir_ledger_owns(ledger, source, partition, &at))
        ledger->owned[at] = ledger->owned[--ledger->owned_count];
    pthread_rwlock_unlock(&ledger->lock);
}

bool weir_ledger_owned(const struct weir_ledger *ledger, uint32_t *ret_source, int32_t *ret_partition)
{
    if (ledger->owned_count == 0)
        return false;
    *ret_source = ledger->owned[0].source;
    *ret_partition = ledger->owned[0].partition;
    return true;
}
