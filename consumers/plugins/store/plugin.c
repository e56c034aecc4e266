/* The one symbol that the host looks for. */
#include "consumers/plugins/store/store.h"

static const struct weir_table tables[WEIR_STORE_TABLE_COUNT] = {
    [WEIR_STORE_CHANGES] = {.topic = "{source}.changes", .mode = WEIR_TABLE_STANDBY, .if_option = "standby"},
    [WEIR_STORE_OUTCOMES] = {.topic = "{source}.{service}.outcomes",
        .mode = WEIR_TABLE_STANDBY,
        .if_option = "standby"},
};

WEIR_PLUGIN = {
    .abi = WEIR_PLUGIN_ABI,
    .struct_size = sizeof(struct weir_plugin),
    .name = "store",
    .version = WEIR_VERSION,
    .summary = "Keeps the documents of collections in RocksDB and emits a change event for each change",
    .options = weir_store_options,
    .option_count = WEIR_STORE_OPTION_COUNT,
    .settings_size = sizeof(struct weir_store_settings),
    .tables = tables,
    .table_count = sizeof(tables) / sizeof(tables[0]),
    .check = weir_store_settings_check,
    .open = weir_store_open,
    .assigned = weir_store_assigned,
    .revoked = weir_store_revoked,
    .handle = weir_store_handle,
    .dead_letter = weir_store_dead_letter,
    .committed = weir_store_committed,
    .aborted = weir_store_aborted,
    .tick = weir_store_tick,
    .table_position = weir_store_table_position,
    .table_apply = weir_store_table_apply,
    .table_caught_up = weir_store_table_caught_up,
    .table_followed = weir_store_table_followed,
    .health = weir_store_health,
    .close = weir_store_close,
};
