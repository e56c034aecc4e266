/* Plugins that must be refused, one for each -DBROKEN_…: what the host says of them is tested. */
#include <weir/plugin.h>

#include <stdlib.h>

static int open_broken(
    const struct weir_host *host, const void *settings, void **ret_instance, struct weir_error *err)
{
#ifdef BROKEN_OPEN
    abort();
#endif
    (void)host;
    (void)settings;
    (void)ret_instance;
    return weir_fail(err, WEIR_E_CONFIG, "it never opens");
}

__attribute__((unused)) static int handle(void *instance, struct weir_batch *batch, struct weir_error *err)
{
    (void)instance;
    (void)batch;
    (void)err;
    return 0;
}

static void close_broken(void *instance)
{
    (void)instance;
}

#ifdef BROKEN_HANDLE
#define HANDLE NULL
#else
#define HANDLE handle
#endif

#ifdef BROKEN_SWITCH
static int apply(
    void *instance, uint32_t table, const struct weir_record *records, size_t count, struct weir_error *err)
{
    (void)instance, (void)table, (void)records, (void)count, (void)err;
    return 0;
}

static const struct weir_table tables[] = {
    {.topic = "{source}.changes", .mode = WEIR_TABLE_STANDBY, .if_option = "warm"}};
#endif

#ifdef BROKEN_CONSTRUCTOR
__attribute__((constructor)) static void die(void)
{
    abort();
}
#endif

#ifdef BROKEN_EXIT
__attribute__((constructor)) static void leave(void)
{
    _Exit(3);
}
#endif

#ifdef BROKEN_SYMBOL
__attribute__((visibility("default"))) extern const struct weir_plugin weir_plug1n;
__attribute__((visibility("default"))) const struct weir_plugin weir_plug1n = {
#else
WEIR_PLUGIN = {
#endif
#ifdef BROKEN_ABI
    .abi = WEIR_PLUGIN_ABI + 1000,
#else
    .abi = WEIR_PLUGIN_ABI,
#endif
#if defined BROKEN_SIZE
    .struct_size = 8,
#elif defined SMALLEST
    .struct_size = offsetof(
        struct weir_plugin, check), /* as the first header may have ended; the rest is not looked at */
    .check = (int (*)(const void *, const struct weir_deployment *, const char *, struct weir_error *))(
        uintptr_t)1,
#else
.struct_size = sizeof(struct weir_plugin),
#endif
    .name = "broken",
    .version = "1",
    .summary = "Refused",
    .open = open_broken,
    .handle = HANDLE,
    .close = close_broken,
#ifdef BROKEN_SWITCH
    .tables = tables,
    .table_count = 1,
    .table_apply = apply,
#endif
};
