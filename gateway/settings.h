/* The [gateway] section: one option table and the struct that it fills. */
#ifndef WEIR_GATEWAY_SETTINGS_H
#define WEIR_GATEWAY_SETTINGS_H

#include "common/deployment.h"
#include "common/error.h"
#include "common/option.h"

#include <stdbool.h>
#include <stdint.h>

enum weir_gateway_auth {
    WEIR_GATEWAY_AUTH_LOOPBACK, /* no credentials, and therefore only callers on this machine */
    WEIR_GATEWAY_AUTH_NONE,     /* no credentials, written out by the operator */
    WEIR_GATEWAY_AUTH_KEYS,     /* a key of keys.file */
};

struct weir_gateway_settings {
    char *listen;
    char *management_listen;
    char *base_path;       /* "" or /staging: before the path of every route */
    char **dispatch_paths; /* NULL: none */
    int64_t auth;          /* enum weir_gateway_auth */
    char *keys_file;
    int64_t threads;
    int64_t connections;
    int64_t connections_per_thread;
    int64_t connections_per_address; /* 0: as many as connections */
    int64_t header_max_bytes;
    int64_t body_max_bytes;
    int64_t header_timeout_ms;
    int64_t body_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t timeout_ms;
    int64_t read_wait_ms;
    int64_t drain_timeout_ms;
    int64_t drain_delay_ms;
    int64_t queue_max;  /* records */
    int64_t rate_limit; /* requests a second; 0: none */
    int64_t rate_burst; /* requests; 0: as many as rate_limit */
    bool access_log;
    bool portal;
    char **cors_origins;   /* ended by NULL; NULL: none */
    char *tls_certificate; /* NULL: the listener speaks no TLS */
    char *tls_key;
    char *tls_client_ca; /* NULL: no certificates of clients */
    bool tls_client_required;
    bool feed;
    int64_t feed_buffer_bytes;
    int64_t feed_heartbeat_ms;
    bool dlq;
    char *store_url; /* dev broker only; so is the next */
    char *notifier_url;
    char *store_peer_secret;     /* NULL: none is sent */
    char *store_tls_ca;          /* NULL: the system's */
    char *store_tls_certificate; /* NULL: none is shown */
    char *store_tls_key;
};

extern const struct weir_option_table weir_gateway_options;

/* Reads and checks [gateway]. WEIR_E_CONFIG names the line, also when the gateway would listen beyond this
 * machine without `auth = none`. What *settings owns is freed by weir_gateway_settings_done, also after an
 * error. */
int weir_gateway_settings_load(
    const struct weir_deployment *deployment, struct weir_gateway_settings *settings, struct weir_error *err);
void weir_gateway_settings_done(struct weir_gateway_settings *settings);

static inline void weir_cleanup_gateway_settings(struct weir_gateway_settings *settings)
{
    weir_gateway_settings_done(settings);
}

#endif
