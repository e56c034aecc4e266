/* The notifier's settings: keys notifier.… of its [service] section. */
#ifndef WEIR_NOTIFIER_SETTINGS_H
#define WEIR_NOTIFIER_SETTINGS_H

#include "common/error.h"
#include "common/option.h"

#include <stdbool.h>
#include <stdint.h>

struct weir_deployment;
struct weir_notify;

enum weir_starttls { WEIR_STARTTLS_AUTO, WEIR_STARTTLS_REQUIRED, WEIR_STARTTLS_NONE };

struct weir_notifier_settings {
    char **smtp;        /* host:port in order of preference; the host is a name or an IPv4 address */
    char *from;         /* checked mailbox */
    char *from_name;    /* NULL: none */
    char **to;          /* checked addresses and paths, NULL-terminated; NULL: none */
    char *template;     /* of the mails to `to` */
    char *templates;    /* folder; NULL: none */
    char *hostname;     /* NULL: the domain of `from` */
    int64_t batch;      /* mails a round */
    int64_t sessions;   /* at once, 1 to WEIR_NOTIFIER_SESSIONS_MAX */
    int64_t timeout_ms; /* of a session, absolute */
    int64_t starttls;   /* enum weir_starttls */
    char *ca;           /* NULL: the system's authorities */
    char *user;         /* NULL: no authentication */
    char *password;
    char *ledger_path; /* NULL: in the service's state.dir */
    int64_t ledger_keep_ms;
    char *listen;                   /* of the reads; NULL: none */
    char *advertise;                /* NULL: the address of listen */
    char *peer_secret;              /* NULL: whoever reaches it may read */
    int64_t connect_ms, command_ms; /* of a session, within timeout_ms */
    int64_t suspend_after;          /* refusals in a row; 0: never */
    int64_t rate, domain_rate;      /* mails a second; 0: as fast as it goes */
};

enum { WEIR_NOTIFIER_OPTION_COUNT = 24, WEIR_NOTIFIER_SESSIONS_MAX = 64, WEIR_NOTIFIER_RELAYS_MAX = 8 };
extern const struct weir_option weir_notifier_options[WEIR_NOTIFIER_OPTION_COUNT];

/* No I/O. The text of an error begins with the full key. `deployment` may be NULL (tests). */
int weir_notifier_settings_check(const struct weir_notifier_settings *settings,
    const struct weir_deployment *deployment, const char *service, struct weir_error *err);

/* The right side of Message-IDs and the name in EHLO: hostname, else the domain of `from`. Borrowed. */
const char *weir_notifier_domain(const struct weir_notifier_settings *settings);

/* Whether the service sends the mails of that section: it reads the collection's changes. */
bool weir_notifier_takes(
    const struct weir_deployment *deployment, const char *service, const struct weir_notify *notify);

/* The name, without prefix, of the service's topic number `source` if it is of others: not the changes of a
 * collection, and a [notify NAME] section names it. NULL otherwise. */
const char *weir_notifier_foreign_topic(
    const struct weir_deployment *deployment, const char *service, uint32_t source);

/* The service's drain.timeout, or its default. */
int64_t weir_notifier_drain_ms(const struct weir_deployment *deployment, const char *service);

/* The folder of the ledger; on the dev broker, which forgets all, one of its own. out has PATH_MAX bytes.
 * WEIR_E_CONFIG: too long. */
int weir_notifier_ledger_path(const struct weir_notifier_settings *settings,
    const struct weir_deployment *deployment, const char *service, char *out, struct weir_error *err);

/* Whether STARTTLS is required of that server (of settings->smtp): always but on loopback. */
bool weir_notifier_needs_tls(const struct weir_notifier_settings *settings, const char *server);

/* Splits one of settings->smtp. host has room for WEIR_MAILBOX's host names. WEIR_E_CONFIG: no host:port that
 * libesmtp can reach. */
int weir_notifier_server(
    const char *server, char *host, size_t host_size, int *ret_port, struct weir_error *err);

#endif
