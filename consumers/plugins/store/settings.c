#include "consumers/plugins/store/settings.h"

#include "common/http.h"

#include <string.h>

const struct weir_option weir_store_options[WEIR_STORE_OPTION_COUNT] = {
    {.key = "path",
        .type = WEIR_OPTION_PATH,
        .fallback = "/var/lib/weir/store/db",
        .offset = offsetof(struct weir_store_settings, path),
        .help = "folder of the documents; one process has it open; backups begin beside it, as "
                "PATH.snapshot; on the "
                "dev broker PATH.dev, fresh at each start"},
    {.key = "memory",
        .type = WEIR_OPTION_SIZE,
        .fallback = "256MiB",
        .offset = offsetof(struct weir_store_settings, memory_bytes),
        .min = 8LL << 20,
        .max = 1LL << 40,
        .help = "memory of RocksDB: half for write buffers, half for a cache of blocks, indexes and filters"},
    {.key = "listen",
        .type = WEIR_OPTION_ADDRESS,
        .fallback = "127.0.0.1:8090",
        .offset = offsetof(struct weir_store_settings, listen),
        .help = "address of the reads; beyond loopback only with store.peer.secret or tls.client.ca"},
    {.key = "advertise",
        .type = WEIR_OPTION_URL,
        .offset = offsetof(struct weir_store_settings, advertise),
        .help = "URL at which gateways reach the reads; default: http://, with tls.certificate https://, and "
                "the address of store.listen, which has to be one host's then"},
    {.key = "free.min",
        .type = WEIR_OPTION_SIZE,
        .fallback = "1GiB",
        .offset = offsetof(struct weir_store_settings, free_min_bytes),
        .min = 0,
        .max = INT64_MAX,
        .help = "below this much free disk, or four times the write buffers, the store waits"},
    {.key = "peer.secret",
        .type = WEIR_OPTION_SECRET,
        .offset = offsetof(struct weir_store_settings, peer_secret),
        .min = 16,
        .max = 200,
        .help = "what readers have to send as header Weir-Peer"},
    {.key = "moved.keep",
        .type = WEIR_OPTION_DURATION,
        .fallback = "1h",
        .offset = offsetof(struct weir_store_settings, moved_keep_ms),
        .min = 0,
        .max = 30LL * 24 * 3600 * 1000,
        .help = "how long the documents of a partition that moved to another instance stay here; until then "
                "it comes "
                "back quickly"},
    {.key = "standby",
        .type = WEIR_OPTION_BOOL,
        .fallback = "false",
        .offset = offsetof(struct weir_store_settings, standby),
        .help = "also keep a copy of what other instances own: a takeover takes seconds, and clients that "
                "say Prefer: standby are answered from it while the owner is away"},
};

static bool is_command_topic(const struct weir_deployment *deployment, const char *topic)
{
    for (size_t i = 0; i < deployment->collection_count; i++)
        if (strcmp(deployment->collections[i].command_topic, topic) == 0)
            return true;
    return false;
}

static int check_topics(const struct weir_deployment *deployment, const char *name, struct weir_error *err)
{
    const struct weir_service *service = weir_deployment_service(deployment, name);

    if (service == NULL || service->source_topics == NULL)
        return 0;
    for (char **topic = service->source_topics; *topic != NULL; topic++)
        if (!is_command_topic(deployment, *topic))
            return weir_error_set(err, WEIR_E_CONFIG,
                "[service %s] topics: %s is the command topic of no [collection]; the store keeps "
                "collections",
                name, *topic);
    return 0;
}

/* Whether an address says where one host is, so that others can be told. */
static bool names_a_host(const char *address)
{
    static const char *const nowhere[] = {"0.0.0.0:", "[::]:", "unix:", ":"};

    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        if (strncmp(address, nowhere[i], strlen(nowhere[i])) == 0)
            return false;
    return true;
}

int weir_store_settings_check(const void *settings, const struct weir_deployment *deployment,
    const char *service, struct weir_error *err)
{
    const struct weir_store_settings *own = settings;

    if (!weir_address_is_loopback(own->listen) && own->peer_secret == NULL &&
        !weir_service_asks_for_certificates(weir_deployment_service(deployment, service)))
        return weir_error_set(err, WEIR_E_CONFIG,
            "[service %s] store.listen = %s: beyond loopback the reads need a store.peer.secret or a "
            "tls.client.ca",
            service, own->listen);
    if (own->advertise == NULL && !names_a_host(own->listen))
        return weir_error_set(err, WEIR_E_CONFIG,
            "[service %s] store.listen = %s: gateways can't be told of it; set store.advertise to a URL that "
            "reaches it",
            service, own->listen);
    return check_topics(deployment, service, err);
}
