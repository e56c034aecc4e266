/* The store's settings: `store.*` in its [service] section. */
#ifndef WEIR_STORE_SETTINGS_H
#define WEIR_STORE_SETTINGS_H

#include "common/deployment.h"
#include "common/error.h"
#include "common/option.h"

#include <stddef.h>
#include <stdint.h>

struct weir_store_settings {
    char *path;
    int64_t memory_bytes;
    char *listen;
    char *advertise; /* NULL: the address that it listens on */
    int64_t free_min_bytes;
    char *peer_secret; /* NULL: none asked for */
    bool standby;
    int64_t moved_keep_ms;
};

enum { WEIR_STORE_OPTION_COUNT = 8 };
extern const struct weir_option weir_store_options[WEIR_STORE_OPTION_COUNT];

/* weir_plugin.check: no I/O. WEIR_E_CONFIG. */
int weir_store_settings_check(const void *settings, const struct weir_deployment *deployment,
    const char *service, struct weir_error *err);

#endif
