#include "consumers/plugins/notifier/relays.h"

#include "consumers/plugins/notifier/mailbox.h"

int weir_relays_open(const struct weir_notifier_settings *settings, int64_t drain_ms,
    struct weir_relays *ret_relays, struct weir_error *err)
{
    char host[WEIR_HOSTNAME_BYTES + 1];
    struct weir_smtp_options options = {.host = host,
        .hostname = weir_notifier_domain(settings),
        .from = settings->from,
        .ca = settings->ca,
        .user = settings->user,
        .password = settings->password,
        .timeout_ms = settings->timeout_ms,
        .connect_ms = settings->connect_ms,
        .command_ms = settings->command_ms,
        .stop_ms = drain_ms / 2};
    int code = 0;

    *ret_relays = (struct weir_relays){0};
    for (char *const *server = settings->smtp; *server != NULL && code == 0; server++) {
        options.needs_tls = weir_notifier_needs_tls(settings, *server);
        code = weir_notifier_server(*server, host, sizeof(host), &options.port, err);
        if (code == 0)
            code = weir_smtp_new(&options, &ret_relays->servers[ret_relays->count], err);
        ret_relays->count += code == 0;
    }
    return code;
}

void weir_relays_done(struct weir_relays *relays)
{
    for (size_t i = 0; i < relays->count; i++)
        weir_smtp_unref(relays->servers[i]);
    relays->count = 0;
}

struct weir_smtp *weir_relays_current(struct weir_relays *relays, int64_t now_ms)
{
    if (relays->current != 0 && now_ms >= relays->back_ms)
        relays->current = 0;
    return relays->servers[relays->current];
}

void weir_relays_failed(struct weir_relays *relays, int64_t now_ms)
{
    relays->current = (relays->current + 1) % relays->count;
    relays->back_ms = now_ms + WEIR_RELAYS_BACK_MS;
}
