#include "consumers/plugins/notifier/smtp.h"

#include "consumers/plugins/notifier/clean.h"
#include "consumers/plugins/notifier/tls.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* In this order: libesmtp.h declares what it has for SSL_CTX and for authentication only after these two. */
#include <auth-client.h>
#include <libesmtp.h>

/* What libesmtp is given for one mail. */
struct transfer {
    struct weir_attempt *attempt;
    struct weir_mail *mail;
    bool given;    /* the message was handed over since the last rewind */
    bool withheld; /* the connection was shut before it */
    smtp_message_t message;
    smtp_recipient_t recipient;
};

/* The server has answered every mail before this one when it wants its message: the one place where a session
 * can be left without a mail whose fate is unknown. */
static void stop_here(struct transfer *transfer)
{
    weir_socket_shut(&transfer->attempt->socket);
    transfer->withheld = true;
    transfer->attempt->stopped = true;
}

static const char *give_message(void **context, int *len, void *argument)
{
    struct transfer *transfer = argument;

    (void)context;
    if (len == NULL) {
        transfer->given = false;
        return NULL;
    }
    if (!transfer->given && atomic_load(&transfer->attempt->stop))
        stop_here(transfer);
    *len = transfer->given ? 0 : (int)transfer->mail->message.len;
    transfer->given = true;
    return transfer->mail->message.data;
}

/* The peer was verified against the configured name already (tls.h); libesmtp compares with a name from DNS.
 */
static void allow_name(va_list arguments)
{
    int *allowed = va_arg(arguments, int *);
    *allowed = 1;
}

static void acknowledge(va_list arguments);

/* False when another attempt is connecting for longer than a session may last. */
static bool claim(struct weir_attempt *attempt)
{
    struct weir_smtp *smtp = attempt->smtp;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += smtp->timeout_ms / 1000 + 1;
    pthread_mutex_lock(&smtp->connect_lock);
    while (smtp->connecting != NULL &&
           pthread_cond_timedwait(&smtp->connect_free, &smtp->connect_lock, &until) == 0)
        ;
    bool claimed = smtp->connecting == NULL;
    if (claimed)
        smtp->connecting = attempt;
    pthread_mutex_unlock(&smtp->connect_lock);
    return claimed;
}

static bool is_connecting(const struct weir_attempt *attempt)
{
    pthread_mutex_lock(&attempt->smtp->connect_lock);
    bool connecting = attempt->smtp->connecting == attempt;
    pthread_mutex_unlock(&attempt->smtp->connect_lock);
    return connecting;
}

void weir_smtp_release(struct weir_smtp *smtp, const struct weir_attempt *attempt)
{
    pthread_mutex_lock(&smtp->connect_lock);
    if (smtp->connecting == attempt) {
        smtp->connecting = NULL;
        pthread_cond_signal(&smtp->connect_free);
    }
    pthread_mutex_unlock(&smtp->connect_lock);
}

/* One that was left behind meanwhile has no socket to call its own. */
static void adopt_socket(struct weir_attempt *attempt)
{
    attempt->socket_lost =
        !is_connecting(attempt) || !weir_socket_adopt(&attempt->socket, attempt->smtp->port);
    weir_smtp_release(attempt->smtp, attempt);
}

static void on_event(smtp_session_t session, int event, void *argument, ...)
{
    struct weir_attempt *attempt = argument;
    va_list arguments;

    (void)session;
    va_start(arguments, argument);
    switch (event) {
    case SMTP_EV_CONNECT:
        attempt->connected = true;
        attempt->transcript = (struct weir_transcript){0};
        attempt->owed = 0;
        adopt_socket(attempt);
        break;
    case SMTP_EV_DISCONNECT:
        weir_socket_drop(&attempt->socket);
        break;
    case SMTP_EV_MESSAGESENT:
        acknowledge(arguments);
        break;
    case SMTP_EV_STARTTLS_OK:
        attempt->encrypted = true;
        break;
    case SMTP_EV_EXTNA_STARTTLS:
        attempt->starttls_missing = true;
        break;
    case SMTP_EV_WRONG_PEER_CERTIFICATE:
        allow_name(arguments);
        break;
    default:
        break;
    }
    va_end(arguments);
}

/* What the settings demand has come about. libesmtp goes on without authentication when the server offers
 * none. */
static bool may_send(const struct weir_attempt *attempt)
{
    return (attempt->encrypted || !attempt->smtp->needs_tls) &&
           (attempt->transcript.authenticated || attempt->smtp->user == NULL);
}

/* Replies that end in these bytes; the line they begin with may have begun before. */
static size_t count_replies(const char *bytes, size_t len)
{
    size_t count = 0;
    const char *line = bytes, *end = bytes + len, *newline;

    for (; (newline = memchr(line, '\n', (size_t)(end - line))) != NULL; line = newline + 1)
        count += newline - line < 4 || line[3] != '-';
    return count;
}

/* While replies are owed, those that come are acknowledged at once: see weir_socket_hurry. */
static void note_owed(struct weir_attempt *attempt, const char *bytes, size_t len, bool written)
{
    size_t count = count_replies(bytes, len);

    if (written)
        attempt->owed += count;
    else
        attempt->owed -= count < attempt->owed ? count : attempt->owed;
    if (!written && (attempt->owed > 0 || attempt->transcript.step != WEIR_STEP_MAIL))
        weir_socket_hurry(&attempt->socket);
}

/* The bytes from the server lie in libesmtp's own read buffer and are parsed after this call; that they may
 * be changed here is what transcript.h's masking and the refusal below live from. */
static void on_bytes(const char *bytes, int len, int writing, void *argument)
{
    struct weir_attempt *attempt = argument;

    if (len <= 0 || writing == SMTP_CB_HEADERS)
        return;
    note_owed(attempt, bytes, (size_t)len, writing == SMTP_CB_WRITING);
    if (writing == SMTP_CB_WRITING) {
        weir_transcript_give(&attempt->transcript, bytes, (size_t)len);
        if (attempt->transcript.step == WEIR_STEP_MAIL && !may_send(attempt))
            weir_socket_shut(&attempt->socket);
        return;
    }
    char *own = (char *)(uintptr_t)bytes;
    /* A session that can't be ended from outside must not begin: 220 becomes 520. */
    if (attempt->socket_lost)
        own[0] = '5';
    if (!weir_transcript_take(&attempt->transcript, own, (size_t)len))
        weir_socket_shut(&attempt->socket);
}

static int give_credentials(auth_client_request_t request, char **result, int fields, void *argument)
{
    const struct weir_smtp *smtp = ((struct weir_attempt *)argument)->smtp;

    for (int i = 0; i < fields; i++) {
        if ((request[i].flags & AUTH_USER) != 0)
            result[i] = smtp->user;
        else if ((request[i].flags & AUTH_PASS) != 0)
            result[i] = smtp->password;
        else
            return 0;
    }
    return 1;
}

static void set_timeouts(smtp_session_t session, long timeout_ms)
{
    static const int which[] = {
        Timeout_GREETING, Timeout_ENVELOPE, Timeout_DATA, Timeout_TRANSFER, Timeout_DATA2};

    for (size_t i = 0; i < sizeof(which) / sizeof(which[0]); i++)
        smtp_set_timeout(session, which[i] | Timeout_OVERRIDE_RFC2822_MINIMUM, timeout_ms);
}

static bool configure(smtp_session_t session, auth_context_t credentials, struct weir_attempt *attempt)
{
    const struct weir_smtp *smtp = attempt->smtp;

    set_timeouts(session, (long)(smtp->command_ms < smtp->timeout_ms ? smtp->command_ms : smtp->timeout_ms));
    smtp_set_eventcb(session, on_event, attempt);
    smtp_set_monitorcb(session, on_bytes, attempt, 0);
    if (credentials != NULL) {
        auth_set_mechanism_flags(credentials, AUTH_PLUGIN_PLAIN, 0);
        auth_set_interact_cb(credentials, give_credentials, attempt);
        smtp_auth_set_context(session, credentials);
    }
    if (smtp->tls != NULL && smtp_starttls_set_ctx(session, smtp->tls) == 0)
        return false;
    return smtp_starttls_enable(session, smtp->needs_tls ? Starttls_REQUIRED : Starttls_DISABLED) != 0 &&
           smtp_set_server(session, smtp->server) != 0 && smtp_set_hostname(session, smtp->hostname) != 0;
}

static bool add_mails(smtp_session_t session, struct weir_attempt *attempt, struct transfer *transfers)
{
    for (size_t i = 0; i < attempt->count; i++) {
        struct transfer *transfer = &transfers[i];
        transfer->attempt = attempt;
        transfer->mail = &attempt->mails[i];
        transfer->message = smtp_add_message(session);
        if (transfer->message == NULL || smtp_set_reverse_path(transfer->message, attempt->smtp->from) == 0 ||
            smtp_set_messagecb(transfer->message, give_message, transfer) == 0)
            return false;
        smtp_message_set_application_data_release(transfer->message, transfer, NULL);
        transfer->recipient = smtp_add_recipient(transfer->message, transfer->mail->recipient);
        if (transfer->recipient == NULL)
            return false;
    }
    return true;
}

/* As the server wrote it; libesmtp takes code and enhanced code (RFC 2034) apart. */
static void copy_reply(const smtp_status_t *status, char out[static WEIR_REPLY_BYTES])
{
    char text[WEIR_REPLY_BYTES - 40], enhanced[40] = "";

    weir_clean_line(status->text, text, sizeof(text));
    if (status->enh_class != 0)
        snprintf(enhanced, sizeof(enhanced), "%d.%d.%d ", status->enh_class, status->enh_subject,
            status->enh_detail);
    snprintf(out, WEIR_REPLY_BYTES, "%s%s", enhanced, text);
}

/* libesmtp takes the enhanced code apart only if the server has announced them. */
static bool is_personal(const smtp_status_t *status)
{
    const char *text = status->text != NULL ? status->text : "";

    if (status->enh_class != 0)
        return status->enh_subject == 1 || status->enh_subject == 2;
    return strncmp(text, "4.1.", 4) == 0 || strncmp(text, "4.2.", 4) == 0;
}

static void take_result(const struct transfer *transfer)
{
    const smtp_status_t *sender = smtp_reverse_path_status(transfer->message);
    const smtp_status_t *recipient = smtp_recipient_status(transfer->recipient);
    const smtp_status_t *message = smtp_message_transfer_status(transfer->message);
    const struct weir_replies replies = {.sender = sender->code,
        .recipient = recipient->code,
        .message = message->code,
        .complete = smtp_recipient_check_complete(transfer->recipient) != 0,
        .personal = is_personal(recipient->code >= 400 ? recipient : message)};
    struct weir_mail *mail = transfer->mail;

    mail->result = weir_replies_judge(&replies, &mail->code);
    if (transfer->withheld && mail->code == 0)
        mail->result = WEIR_MAIL_UNTRIED;
    mail->unknown = transfer->given && mail->result == WEIR_MAIL_BLOCKED && mail->code == 0;
    const smtp_status_t *deciding[] = {sender, recipient, message};
    for (size_t i = 0;
         mail->code != 0 && mail->reply[0] == '\0' && i < sizeof(deciding) / sizeof(deciding[0]); i++)
        if (deciding[i]->code == mail->code)
            copy_reply(deciding[i], mail->reply);
}

static void acknowledge(va_list arguments)
{
    const struct transfer *transfer = smtp_message_get_application_data(va_arg(arguments, smtp_message_t));

    take_result(transfer);
    if (transfer->mail->result != WEIR_MAIL_SENT)
        return;
    atomic_store(&transfer->mail->acknowledged, true);
    transfer->attempt->taken(transfer->attempt->taken_context, transfer->mail);
}

static void explain(struct weir_attempt *attempt, const char *type, const char *text)
{
    attempt->failure.type = type;
    snprintf(attempt->failure.text, sizeof(attempt->failure.text), "%s: %s", attempt->smtp->server, text);
}

/* On the thread that ran the session: libesmtp keeps its error there. */
static void explain_error(struct weir_attempt *attempt, const char *type)
{
    char buffer[128] = "", text[128];
    const char *said = smtp_strerror(smtp_errno(), buffer, sizeof(buffer));

    weir_clean_line(said != NULL ? said : "no reason known", text, sizeof(text));
    explain(attempt, type, text);
}

static void explain_security(struct weir_attempt *attempt)
{
    if (attempt->transcript.injected)
        explain(attempt, "smtp-tls", "plain text came behind the reply to STARTTLS");
    else if (attempt->starttls_missing)
        explain(attempt, "smtp-tls", "the server offers no STARTTLS, which is required");
    else if (attempt->transcript.refused != 0)
        explain(attempt, "smtp-tls", attempt->transcript.reply);
    else
        explain(attempt, "smtp-tls",
            weir_tls_failure()[0] != '\0' ? weir_tls_failure() : "no TLS session came about");
}

/* Why mails were left untried or unanswered. */
static void find_failure(struct weir_attempt *attempt)
{
    const struct weir_transcript *said = &attempt->transcript;

    if (!attempt->connected)
        explain_error(attempt, "smtp-unreachable");
    else if (attempt->socket_lost)
        explain(attempt, "smtp-unreachable", "the connection's descriptor was not found");
    else if (said->injected || attempt->starttls_missing || said->step == WEIR_STEP_STARTTLS)
        explain_security(attempt);
    else if (said->step == WEIR_STEP_MAIL && attempt->smtp->user != NULL && !said->authenticated)
        explain(attempt, "smtp-auth",
            said->refused != 0 ? said->reply : "the server offers no authentication by PLAIN or LOGIN");
    else if (said->step == WEIR_STEP_AUTH)
        explain(attempt, "smtp-auth", said->refused != 0 ? said->reply : "no answer to the credentials");
    else if (said->step != WEIR_STEP_MAIL && said->refused != 0)
        explain(attempt, "smtp-refused", said->reply);
    else
        explain(attempt, "smtp-lost", "the connection ended before the server answered");
}

static void send_mails(struct weir_attempt *attempt, smtp_session_t session, auth_context_t credentials,
    struct transfer *transfers)
{
    if (!configure(session, credentials, attempt) || !add_mails(session, attempt, transfers)) {
        explain_error(attempt, "smtp-unreachable");
        return;
    }
    if (!claim(attempt)) {
        explain(attempt, "smtp-unreachable", "earlier attempts to connect have not ended yet");
        return;
    }
    smtp_start_session(session);
    weir_smtp_release(attempt->smtp, attempt);
    bool unanswered = false;
    for (size_t i = 0; i < attempt->count; i++) {
        take_result(&transfers[i]);
        unanswered |= transfers[i].mail->code == 0;
    }
    if (unanswered)
        find_failure(attempt);
}

void weir_smtp_send(struct weir_attempt *attempt)
{
    struct transfer *transfers = calloc(attempt->count, sizeof(*transfers));
    smtp_session_t session = smtp_create_session();
    auth_context_t credentials = attempt->smtp->user != NULL ? auth_create_context() : NULL;

    if (transfers != NULL && session != NULL && (credentials != NULL || attempt->smtp->user == NULL))
        send_mails(attempt, session, credentials, transfers);
    else
        explain(attempt, "smtp-unreachable", "out of memory");
    if (session != NULL)
        smtp_destroy_session(session);
    if (credentials != NULL)
        auth_destroy_context(credentials);
    free(transfers);
    weir_socket_drop(&attempt->socket);
}
