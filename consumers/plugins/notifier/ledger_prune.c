#include "consumers/plugins/notifier/ledger_parts.h"

#include <stdio.h>

/* Of one tick, which may take 5 ms. */
enum { PRUNE_MAX = 500, PRUNE_EVERY_MS = 1000 };

struct prune {
    struct weir_ledger *ledger;
    struct weir_ledger_change *change;
    int64_t before_ms;
    size_t left;
};

/* The row may have been written again since: then a younger entry stands for it. */
static bool is_of(struct weir_ledger *ledger, struct weir_bytes row_key, int64_t time_ms)
{
    struct weir_delivery_record record;

    return weir_ledger_db_get(ledger->db, row_key, &ledger->scratch, NULL) == 0 &&
           weir_delivery_read(weir_buffer_bytes(&ledger->scratch), &record) && record.time_ms == time_ms;
}

static bool prune_entry(void *context, struct weir_bytes entry, struct weir_bytes request)
{
    struct prune *prune = context;
    char key[WEIR_LEDGER_KEY_BYTES], asked[WEIR_LEDGER_KEY_BYTES], row[WEIR_LEDGER_KEY_BYTES];
    int64_t time_ms;
    struct weir_bytes name = weir_ledger_key_of_time(entry, &time_ms);

    if (time_ms >= prune->before_ms)
        return false;
    snprintf(key, sizeof(key), "%.*s", (int)name.len, name.data);
    snprintf(asked, sizeof(asked), "%.*s", (int)request.len, request.data);
    struct weir_bytes row_key = weir_ledger_row_key(row, key);
    if (is_of(prune->ledger, row_key, time_ms)) {
        weir_ledger_change_delete(prune->change, row_key);
        weir_ledger_change_delete(prune->change, weir_ledger_request_key(row, asked, key));
    }
    weir_ledger_change_delete(prune->change, entry);
    return --prune->left > 0;
}

/* The log forgets by itself, by the topic's retention. */
void weir_ledger_prune(struct weir_ledger *ledger)
{
    struct weir_error err;
    int64_t now_ms = ledger->host->now_ms();
    struct prune prune = {.ledger = ledger, .before_ms = now_ms - ledger->keep_ms, .left = PRUNE_MAX};

    if (now_ms - ledger->pruned_ms < PRUNE_EVERY_MS)
        return;
    ledger->pruned_ms = now_ms;
    prune.change = weir_ledger_change_new();
    int code =
        weir_ledger_db_each(ledger->db, weir_bytes(&(char){WEIR_LEDGER_TIME}, 1), prune_entry, &prune, &err);
    int written = weir_ledger_change_write(prune.change, ledger->db, &err);
    weir_ledger_checked(ledger, code < 0 ? code : written);
}
