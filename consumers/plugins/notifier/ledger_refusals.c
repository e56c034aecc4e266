#include "consumers/plugins/notifier/ledger_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The row is the count, the event and the version, each on a line. */
static bool read_refusals(struct weir_bytes row, const char *version, struct weir_refusals *ret_refusals)
{
    char text[WEIR_LEDGER_KEY_BYTES], *end = NULL;

    snprintf(text, sizeof(text), "%.*s", (int)row.len, row.data);
    long count = strtol(text, &end, 10);
    char *event = end + 1, *mark = *end == '\n' ? strchr(event, '\n') : NULL;
    if (mark == NULL || mark - event >= WEIR_ID_BYTES || strcmp(mark + 1, version) != 0)
        return false;
    *ret_refusals = (struct weir_refusals){.count = (int)count};
    memcpy(ret_refusals->event, event, (size_t)(mark - event));
    return true;
}

bool weir_ledger_find_refusals(struct weir_ledger *ledger, const char *subscription, const char *version,
    struct weir_refusals *ret_refusals)
{
    char key[WEIR_LEDGER_KEY_BYTES];

    return weir_ledger_db_get(
               ledger->db, weir_ledger_refusals_key(key, subscription), &ledger->scratch, NULL) == 0 &&
           read_refusals(weir_buffer_bytes(&ledger->scratch), version, ret_refusals);
}

void weir_ledger_put_refusals(struct weir_ledger *ledger, const char *subscription, const char *version,
    const struct weir_refusals *refusals)
{
    WEIR_CLEANUP(buffer) struct weir_buffer row = {0};
    struct weir_ledger_change *change = weir_ledger_change_new();
    char key[WEIR_LEDGER_KEY_BYTES];
    struct weir_bytes row_key = weir_ledger_refusals_key(key, subscription);

    weir_buffer_printf(&row, "%d\n%s\n%s", refusals->count, refusals->event, version);
    if (refusals->count > 0 && !row.failed)
        weir_ledger_change_put(change, row_key, weir_buffer_bytes(&row));
    else
        weir_ledger_change_delete(change, row_key);
    weir_ledger_checked(ledger, weir_ledger_change_write(change, ledger->db, NULL));
}
