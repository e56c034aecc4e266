/* The SMTP servers in order of preference. When one can't be used, for whatever reason concerns every mail,
 * the next one is, and the first again after a minute. Not thread-safe. */
#ifndef WEIR_NOTIFIER_RELAYS_H
#define WEIR_NOTIFIER_RELAYS_H

#include "consumers/plugins/notifier/session.h"
#include "consumers/plugins/notifier/settings.h"

enum { WEIR_RELAYS_BACK_MS = 60000 };

struct weir_relays {
    struct weir_smtp *servers[WEIR_NOTIFIER_RELAYS_MAX];
    size_t count, current;
    int64_t back_ms; /* monotonic: the first one is tried again */
};

/* WEIR_E_CONFIG: the CA file can't be used. After an error, too, the caller ends it by weir_relays_done. */
int weir_relays_open(const struct weir_notifier_settings *settings, int64_t drain_ms,
    struct weir_relays *ret_relays, struct weir_error *err);
void weir_relays_done(struct weir_relays *relays);

/* The server to use now. Borrowed. */
struct weir_smtp *weir_relays_current(struct weir_relays *relays, int64_t now_ms);
/* It could not be used. */
void weir_relays_failed(struct weir_relays *relays, int64_t now_ms);

#endif
