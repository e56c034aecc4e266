#include "consumers/plugins/notifier/settings.h"

#include "consumers/plugins/notifier/mailbox.h"
#include "consumers/plugins/notifier/rule.h"

#include "common/deployment.h"
#include "common/http.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLE_TIMEOUT_MS = 60000, DRAIN_TIMEOUT_MS = 20000, DRAIN_LEAST_MS = 4000 };

#define MEMBER(name) offsetof(struct weir_notifier_settings, name)

const struct weir_option weir_notifier_options[WEIR_NOTIFIER_OPTION_COUNT] = {
    {.key = "smtp",
        .type = WEIR_OPTION_LIST,
        .fallback = "127.0.0.1:25",
        .offset = MEMBER(smtp),
        .min = 1,
        .max = WEIR_NOTIFIER_RELAYS_MAX,
        .help = "SMTP servers in order of preference, host:port with a name or an IPv4 address; the next one "
                "is used "
                "while one can't be"},
    {.key = "from",
        .type = WEIR_OPTION_STRING,
        .offset = MEMBER(from),
        .required = true,
        .help = "sender's address"},
    {.key = "from.name",
        .type = WEIR_OPTION_STRING,
        .offset = MEMBER(from_name),
        .min = 1,
        .max = 200,
        .help = "sender's name, shown beside the address"},
    {.key = "to",
        .type = WEIR_OPTION_LIST,
        .offset = MEMBER(to),
        .help = "who gets a mail for each change, at most 100: addresses, or paths into the change event to "
                "where they stand (after.customer.email); mails by filters are [notify NAME] sections"},
    {.key = "template",
        .type = WEIR_OPTION_STRING,
        .fallback = "change",
        .offset = MEMBER(template),
        .min = 1,
        .max = 63,
        .help = "name of the template of the mails to notifier.to"},
    {.key = "templates",
        .type = WEIR_OPTION_PATH,
        .offset = MEMBER(templates),
        .reload = true,
        .help = "folder of the mails' templates, NAME.subject.mustache, NAME.txt.mustache and "
                "NAME.html.mustache; change and confirm are built in"},
    {.key = "hostname",
        .type = WEIR_OPTION_STRING,
        .offset = MEMBER(hostname),
        .help = "full host name for EHLO and Message-IDs, the same on every instance; default: the domain of "
                "from"},
    {.key = "smtp.batch",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "100",
        .offset = MEMBER(batch),
        .min = 1,
        .max = 10000,
        .help = "mails that are sent before their events are committed: what a kill may repeat"},
    {.key = "smtp.sessions",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "1",
        .offset = MEMBER(sessions),
        .min = 1,
        .max = WEIR_NOTIFIER_SESSIONS_MAX,
        .help = "SMTP sessions at once, each with its share of smtp.batch"},
    {.key = "smtp.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "30s",
        .offset = MEMBER(timeout_ms),
        .min = 1000,
        .max = 600000,
        .help = "time that one SMTP session may take in all; at most half of handle.timeout; after "
                "SIGTERM half of drain.timeout is left of it"},
    {.key = "smtp.starttls",
        .type = WEIR_OPTION_CHOICE,
        .choices = "auto|required|none",
        .fallback = "auto",
        .offset = MEMBER(starttls),
        .help = "encryption; none is allowed on loopback only, where auto means none"},
    {.key = "smtp.ca",
        .type = WEIR_OPTION_PATH,
        .offset = MEMBER(ca),
        .help =
            "file with the authorities (PEM) that the server's certificate is checked against; default: the "
            "system's"},
    {.key = "smtp.user",
        .type = WEIR_OPTION_STRING,
        .offset = MEMBER(user),
        .min = 1,
        .max = 255,
        .help = "user name for AUTH PLAIN or LOGIN; unset: no authentication"},
    {.key = "smtp.password",
        .type = WEIR_OPTION_SECRET,
        .offset = MEMBER(password),
        .min = 1,
        .max = 255,
        .help = "password of smtp.user"},
    {.key = "smtp.connect.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "10s",
        .offset = MEMBER(connect_ms),
        .min = 100,
        .max = 600000,
        .help = "time until a connection to the server has to stand; within smtp.timeout"},
    {.key = "smtp.command.timeout",
        .type = WEIR_OPTION_DURATION,
        .fallback = "60s",
        .offset = MEMBER(command_ms),
        .min = 100,
        .max = 600000,
        .help = "time that a server may be silent at a command; within smtp.timeout"},
    {.key = "smtp.rate",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "0",
        .offset = MEMBER(rate),
        .min = 0,
        .max = 1000000,
        .help =
            "mails a second that one instance gives to one server, after a burst of as many; 0: no limit"},
    {.key = "smtp.domain.rate",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "0",
        .offset = MEMBER(domain_rate),
        .min = 0,
        .max = 1000000,
        .help = "the same for the recipients of one domain; their events are deferred, others go on; 0: no "
                "limit"},
    {.key = "suspend.after",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "3",
        .offset = MEMBER(suspend_after),
        .min = 0,
        .max = 100,
        .help =
            "events in a row for which a subscriber's address is refused for good (550, 551, 553) until its "
            "subscription is SUSPENDED; 0: never"},
    {.key = "listen",
        .type = WEIR_OPTION_ADDRESS,
        .offset = MEMBER(listen),
        .help = "address of the reads, which tell what became of mails; beyond loopback only with "
                "notifier.peer.secret or tls.client.ca; default: there are none"},
    {.key = "advertise",
        .type = WEIR_OPTION_URL,
        .offset = MEMBER(advertise),
        .help =
            "URL at which others reach the reads; default: http://, with tls.certificate https://, and the "
            "address of notifier.listen"},
    {.key = "peer.secret",
        .type = WEIR_OPTION_SECRET,
        .offset = MEMBER(peer_secret),
        .min = 16,
        .max = 200,
        .help = "what readers have to send as header Weir-Peer"},
    {.key = "ledger.path",
        .type = WEIR_OPTION_PATH,
        .offset = MEMBER(ledger_path),
        .help =
            "folder of the ledger, which says what became of each mail; one process has it open; default: "
            "ledger in state.dir; on the dev broker PATH.dev, fresh at each start"},
    {.key = "ledger.keep",
        .type = WEIR_OPTION_DURATION,
        .fallback = "30d",
        .offset = MEMBER(ledger_keep_ms),
        .min = 3600000,
        .max = 31536000000,
        .help = "how long the ledger and its topics remember a mail; longer than any event may come again"},
};

const char *weir_notifier_domain(const struct weir_notifier_settings *settings)
{
    return settings->hostname != NULL ? settings->hostname : strrchr(settings->from, '@') + 1;
}

int weir_notifier_server(
    const char *server, char *host, size_t host_size, int *ret_port, struct weir_error *err)
{
    const char *colon = strrchr(server, ':');
    size_t len = colon != NULL ? (size_t)(colon - server) : 0;

    if (strchr(server, '@') != NULL) /* not repeated: there may be a password in it */
        return weir_error_set(err, WEIR_E_CONFIG,
            "notifier.smtp: a server is host:port; who logs in stands in notifier.smtp.user and "
            "notifier.smtp.password");
    if (len == 0 || memchr(server, ':', len) != NULL || memchr(server, '/', len) != NULL)
        return weir_error_set(err, WEIR_E_CONFIG,
            "notifier.smtp = %s: write host:port with a name or an IPv4 address (libesmtp takes no IPv6 "
            "literal and no "
            "Unix socket)",
            server);
    if (len >= host_size)
        return weir_error_set(err, WEIR_E_CONFIG, "notifier.smtp: the host name is too long");
    snprintf(host, host_size, "%.*s", (int)len, server);
    *ret_port = (int)strtol(colon + 1, NULL, 10);
    if (*ret_port < 1 || *ret_port > 65535)
        return weir_error_set(
            err, WEIR_E_CONFIG, "notifier.smtp = %s: the port is not within 1..65535", server);
    return weir_hostname_check(host, err) < 0 ? weir_error_prefix(err, "notifier.smtp = %s", server) : 0;
}

static bool is_loopback(const char *server)
{
    char host[WEIR_HOSTNAME_BYTES + 1];
    struct in_addr address;
    int port = 0;

    if (weir_notifier_server(server, host, sizeof(host), &port, NULL) < 0)
        return false;
    if (inet_pton(AF_INET, host, &address) == 1)
        return (ntohl(address.s_addr) >> 24) == 127;
    return strcmp(host, "localhost") == 0;
}

bool weir_notifier_needs_tls(const struct weir_notifier_settings *settings, const char *server)
{
    return settings->starttls == WEIR_STARTTLS_REQUIRED ||
           (settings->starttls == WEIR_STARTTLS_AUTO && !is_loopback(server));
}

static bool lists(char *const *topics, const char *topic)
{
    for (; topics != NULL && *topics != NULL; topics++)
        if (strcmp(*topics, topic) == 0)
            return true;
    return false;
}

bool weir_notifier_takes(
    const struct weir_deployment *deployment, const char *service, const struct weir_notify *notify)
{
    const struct weir_service *found = weir_deployment_service(deployment, service);

    if (notify->topic != NULL)
        return found != NULL && lists(found->topics, notify->topic);
    for (size_t i = 0; found != NULL && i < deployment->collection_count; i++)
        if (strcmp(deployment->collections[i].name, notify->collection) == 0)
            return lists(found->source_topics, deployment->collections[i].changes_topic);
    return false;
}

static bool is_changes(const struct weir_deployment *deployment, const char *topic)
{
    for (size_t i = 0; i < deployment->collection_count; i++)
        if (strcmp(deployment->collections[i].changes_topic, topic) == 0)
            return true;
    return false;
}

const char *weir_notifier_foreign_topic(
    const struct weir_deployment *deployment, const char *service, uint32_t source)
{
    const struct weir_service *found = weir_deployment_service(deployment, service);

    if (found == NULL || found->source_topics == NULL || is_changes(deployment, found->source_topics[source]))
        return NULL;
    for (size_t i = 0; i < deployment->notify_count; i++)
        if (deployment->notifies[i].topic != NULL &&
            strcmp(deployment->notifies[i].topic, found->topics[source]) == 0)
            return found->topics[source];
    return NULL;
}

/* The addresses and paths of the [notify NAME] sections are the notifier's to check. */
static int check_notifies(
    const struct weir_deployment *deployment, const char *service, size_t *ret_count, struct weir_error *err)
{
    *ret_count = 0;
    for (size_t i = 0; deployment != NULL && i < deployment->notify_count; i++) {
        const struct weir_notify *notify = &deployment->notifies[i];
        if (!weir_notifier_takes(deployment, service, notify))
            continue;
        ++*ret_count;
        if (weir_rule_check_to(notify->to, notify->topic == NULL, err) < 0)
            return weir_error_prefix(err, "to of [notify %s]", notify->name);
    }
    return 0;
}

static int check_recipients(const struct weir_notifier_settings *settings,
    const struct weir_deployment *deployment, const char *service, struct weir_error *err)
{
    size_t count = 0;

    int code = check_notifies(deployment, service, &count, err);
    if (code < 0)
        return code;
    if (settings->to == NULL && (count > 0 || (deployment != NULL && deployment->subscriptions != NULL)))
        return 0;
    if (settings->to == NULL)
        return weir_error_set(err, WEIR_E_CONFIG,
            "notifier.to: nobody gets a mail: name addresses here, or in a [notify NAME] section for a "
            "collection whose changes this service reads, or write a section [subscriptions]");
    return weir_rule_check_to(settings->to, true, err) < 0 ? weir_error_prefix(err, "notifier.to") : 0;
}

static int check_security(const struct weir_notifier_settings *settings, struct weir_error *err)
{
    for (char *const *server = settings->smtp; *server != NULL; server++)
        if (settings->starttls == WEIR_STARTTLS_NONE && !is_loopback(*server))
            return weir_error_set(err, WEIR_E_CONFIG,
                "notifier.smtp.starttls: none is allowed on loopback only, and notifier.smtp = %s is not",
                *server);
    if ((settings->user == NULL) != (settings->password == NULL))
        return weir_error_set(err, WEIR_E_CONFIG,
            "notifier.smtp.%s: a user needs a password and a password a user",
            settings->user == NULL ? "password" : "user");
    /* libesmtp copies both into a buffer for 255 bytes each without looking. */
    if (settings->user != NULL && (strlen(settings->user) > 255 || strlen(settings->password) > 255))
        return weir_error_set(err, WEIR_E_CONFIG, "notifier.smtp.%s: more than 255 bytes",
            strlen(settings->user) > 255 ? "user" : "password");
    return 0;
}

int weir_notifier_ledger_path(const struct weir_notifier_settings *settings,
    const struct weir_deployment *deployment, const char *service, char *out, struct weir_error *err)
{
    const struct weir_service *found = weir_deployment_service(deployment, service);
    const char *folder = found != NULL && found->state_dir != NULL ? found->state_dir : "/var/lib/weir";
    bool dev = deployment != NULL && deployment->kafka.dev;

    int len = settings->ledger_path != NULL
                  ? snprintf(out, PATH_MAX, "%s%s", settings->ledger_path, dev ? ".dev" : "")
                  : snprintf(out, PATH_MAX, "%s/ledger%s", folder, dev ? ".dev" : "");
    return len < PATH_MAX ? 0
                          : weir_error_set(err, WEIR_E_CONFIG, "notifier.ledger.path: longer than %d bytes",
                                PATH_MAX - 1);
}

int64_t weir_notifier_drain_ms(const struct weir_deployment *deployment, const char *service)
{
    const struct weir_service *found = weir_deployment_service(deployment, service);
    return found != NULL ? found->drain_timeout_ms : DRAIN_TIMEOUT_MS;
}

/* Of drain.timeout, the mail in flight gets half, the session's thread a second to end, the commit the rest.
 */
static int check_drain(const struct weir_notifier_settings *settings,
    const struct weir_deployment *deployment, const char *service, struct weir_error *err)
{
    int64_t drain_ms = weir_notifier_drain_ms(deployment, service);
    if (drain_ms >= DRAIN_LEAST_MS)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG,
        "drain.timeout: %" PRId64
        " ms are less than %d ms, too short to end a mail that notifier.smtp.timeout gives "
        "%" PRId64 " ms",
        drain_ms, DRAIN_LEAST_MS, settings->timeout_ms);
}

static int check_timeout(const struct weir_notifier_settings *settings,
    const struct weir_deployment *deployment, const char *service, struct weir_error *err)
{
    const struct weir_service *found = weir_deployment_service(deployment, service);
    int64_t handle_ms = found != NULL ? found->handle_timeout_ms : HANDLE_TIMEOUT_MS;
    if (settings->timeout_ms * 2 <= handle_ms)
        return check_drain(settings, deployment, service, err);
    return weir_error_set(err, WEIR_E_CONFIG,
        "notifier.smtp.timeout: %" PRId64 " ms are more than half of handle.timeout (%" PRId64 " ms)",
        settings->timeout_ms, handle_ms);
}

static int check_servers(const struct weir_notifier_settings *settings, struct weir_error *err)
{
    char host[WEIR_HOSTNAME_BYTES + 1];
    int port = 0, code = 0;

    for (char *const *server = settings->smtp; *server != NULL && code == 0; server++)
        code = weir_notifier_server(*server, host, sizeof(host), &port, err);
    return code;
}

int weir_notifier_settings_check(const struct weir_notifier_settings *settings,
    const struct weir_deployment *deployment, const char *service, struct weir_error *err)
{
    int code = check_servers(settings, err);
    if (code < 0)
        return code;
    if (weir_mailbox_check(settings->from, err) < 0)
        return weir_error_prefix(err, "notifier.from");
    if (settings->hostname != NULL && weir_hostname_check(settings->hostname, err) < 0)
        return weir_error_prefix(err, "notifier.hostname");
    code = check_recipients(settings, deployment, service, err);
    if (code == 0)
        code = check_security(settings, err);
    if (code == 0 && settings->listen != NULL && !weir_address_is_loopback(settings->listen) &&
        settings->peer_secret == NULL &&
        !weir_service_asks_for_certificates(weir_deployment_service(deployment, service)))
        code = weir_error_set(err, WEIR_E_CONFIG,
            "notifier.listen = %s: beyond loopback the reads need a notifier.peer.secret or a tls.client.ca",
            settings->listen);
    return code < 0 ? code : check_timeout(settings, deployment, service, err);
}
