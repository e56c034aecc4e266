/* The mail servers of the notifiers, for the doctor, as far as a session goes without a mail: greeting,
 * STARTTLS, a certificate that is believed, authentication. Named as what may see the notifier's settings is.
 */
#include "consumers/plugins/notifier/mailbox.h"
#include "consumers/plugins/notifier/settings.h"
#include "consumers/plugins/notifier/tls.h"
#include "deploy/weirctl/doctor.h"
#include "deploy/weirctl/mails.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define AREA "relays"

enum { WAIT_S = 10, REPLY_BYTES = 4096, DAY_S = 24 * 3600 };

/* A session so far. */
struct relay {
    const struct weir_notifier_settings *settings;
    const char *server;
    char host[300];
    int port, fd;
    SSL *tls; /* NULL: in clear */
    char reply[REPLY_BYTES];
};

static int open_socket(const struct addrinfo *found)
{
    const struct timeval patience = {.tv_sec = WAIT_S};
    int fd = -1;

    for (const struct addrinfo *each = found; each != NULL && fd < 0; each = each->ai_next) {
        fd = socket(each->ai_family, each->ai_socktype | SOCK_CLOEXEC, each->ai_protocol);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (connect(fd, each->ai_addr, each->ai_addrlen) == 0)
            return fd;
        int number = errno;
        close(fd);
        fd = -1;
        errno = number;
    }
    return fd;
}

static int dial(struct relay *relay, struct weir_error *err)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[8];

    int code = weir_notifier_server(relay->server, relay->host, sizeof(relay->host), &relay->port, err);
    if (code < 0)
        return code;
    snprintf(port, sizeof(port), "%d", relay->port);
    int failed = getaddrinfo(relay->host, port, &wanted, &found);
    if (failed != 0)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "%s", gai_strerror(failed));
    relay->fd = open_socket(found);
    int number = errno;
    freeaddrinfo(found);
    return relay->fd >= 0 ? 0 : weir_error_set(err, WEIR_E_UNAVAILABLE, "%s", strerror(number));
}

/* The last line of a reply has a space behind its code. */
static bool is_whole(const char *reply)
{
    const char *line = reply;

    for (const char *next; (next = strchr(line, '\n')) != NULL && next[1] != '\0';)
        line = next + 1;
    return strlen(line) >= 4 && line[3] == ' ' && strchr(line, '\n') != NULL;
}

/* Sends the line, if there is one, and reads the reply, whose code has to begin with that digit. */
static int say(struct relay *relay, const char *line, char wanted, struct weir_error *err)
{
    size_t len = 0;

    if (line != NULL && (relay->tls != NULL ? SSL_write(relay->tls, line, (int)strlen(line))
                                            : (int)send(relay->fd, line, strlen(line), MSG_NOSIGNAL)) <= 0)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "the server does not listen");
    relay->reply[0] = '\0';
    while (!is_whole(relay->reply) && len + 1 < sizeof(relay->reply)) {
        size_t room = sizeof(relay->reply) - len - 1;
        ssize_t got = relay->tls != NULL ? SSL_read(relay->tls, relay->reply + len, (int)room)
                                         : recv(relay->fd, relay->reply + len, room, 0);
        if (got <= 0)
            return weir_error_set(err, WEIR_E_UNAVAILABLE, "no whole reply within %d s", WAIT_S);
        len += (size_t)got;
        relay->reply[len] = '\0';
    }
    if (relay->reply[0] == wanted)
        return 0;
    return weir_error_set(
        err, WEIR_E_UNAVAILABLE, "it says %.*s", (int)strcspn(relay->reply, "\r\n"), relay->reply);
}

static int greet(struct relay *relay, struct weir_error *err)
{
    char line[400];

    snprintf(line, sizeof(line), "EHLO %.300s\r\n", weir_notifier_domain(relay->settings));
    return say(relay, line, '2', err);
}

static bool offers(const struct relay *relay, const char *word)
{
    char upper[REPLY_BYTES];
    size_t i = 0;

    for (; relay->reply[i] != '\0'; i++)
        upper[i] =
            (char)(relay->reply[i] >= 'a' && relay->reply[i] <= 'z' ? relay->reply[i] - 32 : relay->reply[i]);
    upper[i] = '\0';
    return strstr(upper, word) != NULL;
}

static int start_tls(struct relay *relay, struct weir_error *err)
{
    SSL_CTX *context = NULL;

    int code = say(relay, "STARTTLS\r\n", '2', err);
    if (code == 0)
        code = weir_tls_context_new(relay->settings->ca, relay->host, &context, err);
    if (code < 0)
        return code;
    relay->tls = SSL_new(context);
    SSL_CTX_free(context);
    if (relay->tls == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    SSL_set_fd(relay->tls, relay->fd);
    if (SSL_connect(relay->tls) != 1)
        return weir_error_set(err, WEIR_E_UNAVAILABLE, "%s", weir_tls_failure());
    return greet(relay, err);
}

static void tell_expiry(struct doctor *doctor, const struct relay *relay)
{
    X509 *certificate = relay->tls != NULL ? SSL_get1_peer_certificate(relay->tls) : NULL;
    int days = 0, seconds = 0;
    char whose[400];

    snprintf(whose, sizeof(whose), "the certificate of the mail server %s", relay->server);
    if (certificate != NULL && ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1)
        doctor_expiry(doctor, AREA, whose, (int64_t)days * DAY_S + seconds);
    X509_free(certificate);
}

static int converse(struct relay *relay, bool *ret_offers_tls, struct weir_error *err)
{
    int code = dial(relay, err);

    if (code == 0)
        code = say(relay, NULL, '2', err);
    if (code == 0)
        code = greet(relay, err);
    *ret_offers_tls = code == 0 && offers(relay, "STARTTLS");
    if (code == 0 && *ret_offers_tls && weir_notifier_needs_tls(relay->settings, relay->server))
        code = start_tls(relay, err);
    return code;
}

static void look_at(struct doctor *doctor, const char *service, struct relay *relay)
{
    struct weir_error why = {0};
    bool offers_tls = false;

    int code = converse(relay, &offers_tls, &why);
    if (code < 0)
        doctor_find(doctor, AREA, DOCTOR_ILL,
            "see notifier.smtp, the firewall, the server's certificate, and notifier.smtp.ca",
            "%s: mail server %s: %s", service, relay->server, why.text);
    else if (!offers_tls && weir_notifier_needs_tls(relay->settings, relay->server))
        doctor_find(doctor, AREA, DOCTOR_ILL, "have the server offer STARTTLS, or name another one",
            "%s: mail server %s does not offer STARTTLS, so nothing is sent to it", service, relay->server);
    else if (relay->settings->user != NULL && !offers(relay, "AUTH"))
        doctor_find(doctor, AREA, DOCTOR_ILL,
            "take notifier.smtp.user away, or name the submission port (587)",
            "%s: mail server %s asks nobody for a password, and one is set", service, relay->server);
    else
        doctor_find(doctor, AREA, DOCTOR_WELL, "", "%s: mail server %s answers%s", service, relay->server,
            relay->tls != NULL ? ", encrypted" : "");
    if (code == 0)
        tell_expiry(doctor, relay);
}

static void look_at_server(struct doctor *doctor, const char *service,
    const struct weir_notifier_settings *settings, const char *server)
{
    struct relay relay = {.settings = settings, .server = server, .fd = -1};

    look_at(doctor, service, &relay);
    SSL_free(relay.tls);
    if (relay.fd >= 0)
        close(relay.fd);
}

static int view_service(struct doctor *doctor, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_error *err)
{
    struct weir_notifier_settings settings;

    int code = mails_settings_read(deployment, service, &settings, err);
    for (char **server = settings.smtp; code == 0 && server != NULL && *server != NULL; server++)
        look_at_server(doctor, service->name, &settings, *server);
    mails_settings_done(&settings);
    return code;
}

int doctor_relays(struct doctor *doctor, struct weir_error *err)
{
    const struct weir_deployment *deployment = doctor->ctl->deployment;

    (void)err;
    for (size_t i = 0; i < deployment->service_count; i++)
        if (mails_is_notifier(&deployment->services[i]))
            doctor_view_as(doctor, deployment->services[i].name, AREA, view_service);
    return 0;
}
