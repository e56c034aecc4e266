#include "consumers/plugins/notifier/reads.h"

#include "common/deployment.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_BYTES = 256, MARK_BYTES = WEIR_LEDGER_MARK_BYTES + 20, WAIT_MS_MAX = 60000 };

static const char path_begin[] = "/deliveries/";

static bool may_read(const struct weir_notifier *notifier, const struct weir_http_request *request)
{
    const char *wanted = notifier->settings->peer_secret;
    const char *given = notifier->host->request_header(request, "Weir-Peer");

    return wanted == NULL || (given != NULL && strlen(given) == strlen(wanted) &&
                                 CRYPTO_memcmp(given, wanted, strlen(wanted)) == 0);
}

/* Of "/deliveries/orders.changes/3". */
static bool read_place(
    const struct weir_notifier *notifier, const char *path, uint32_t *ret_source, int32_t *ret_partition)
{
    const char *name = path + sizeof(path_begin) - 1, *slash = strrchr(path, '/');
    char *end = NULL;

    if (strncmp(path, path_begin, sizeof(path_begin) - 1) != 0 || slash < name || slash[1] == '\0')
        return false;
    long partition = strtol(slash + 1, &end, 10);
    if (*end != '\0' || partition < 0 || partition > INT32_MAX)
        return false;
    *ret_partition = (int32_t)partition;
    for (*ret_source = 0; notifier->host->topics[*ret_source] != NULL; ++*ret_source) {
        const char *topic = notifier->host->topics[*ret_source];
        if (strlen(topic) == (size_t)(slash - name) && memcmp(topic, name, strlen(topic)) == 0)
            return true;
    }
    return false;
}

static bool append_record(void *context, struct weir_bytes key, struct weir_bytes value)
{
    struct weir_buffer *out = context;

    (void)key;
    if (out->data[out->len - 1] == '}')
        weir_buffer_append_str(out, ",");
    weir_buffer_append_bytes(out, value);
    return !out->failed;
}

/* Takes the next id off those that have a space between them; false at the end. */
static bool next_id(const char **ids, struct weir_bytes *ret_id)
{
    *ids += strspn(*ids, " ");
    *ret_id = weir_bytes(*ids, strcspn(*ids, " "));
    *ids += ret_id->len;
    return ret_id->len > 0;
}

static void write_mark(
    const struct weir_notifier *notifier, const char *requests, char out[static MARK_BYTES])
{
    char ledger[WEIR_LEDGER_MARK_BYTES];
    struct weir_bytes id;
    uint64_t sum = 0;

    while (next_id(&requests, &id))
        sum += weir_ledger_mark(notifier->ledger, id);
    weir_ledger_write_mark(notifier->ledger, ledger);
    snprintf(out, MARK_BYTES, "%s-%" PRIx64, ledger, sum);
}

static int append_requests(const struct weir_notifier *notifier, const char *requests,
    struct weir_buffer *out, struct weir_error *err)
{
    char text[REQUEST_BYTES];
    struct weir_bytes id;
    int code = 0;

    while (code == 0 && next_id(&requests, &id)) {
        snprintf(text, sizeof(text), "%.*s", (int)id.len, id.data);
        if (id.len < sizeof(text))
            code = weir_ledger_of_request(notifier->ledger, text, append_record, out, err);
    }
    return code;
}

/* mark NULL: the answer has none. */
static void answer_records(const struct weir_notifier *notifier, const char *by_request, const char *by_event,
    const char *mark, struct weir_http_reply *reply)
{
    const struct weir_host *host = notifier->host;
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct weir_error err;

    weir_buffer_append_str(&out, "{\"deliveries\":[");
    int code = by_request != NULL
                   ? append_requests(notifier, by_request, &out, &err)
                   : weir_ledger_of_event(notifier->ledger, by_event, append_record, &out, &err);
    weir_buffer_append_str(&out, "]}");
    if (code < 0 || out.failed) {
        host->reply_problem(reply, 503, code < 0 ? err.text : "out of memory");
        return;
    }
    host->reply_body(reply, 200, "application/json", weir_buffer_bytes(&out));
    if (mark != NULL)
        host->reply_header(reply, "Weir-Mark", mark);
}

static int64_t wait_ms_of(const struct weir_host *host, const struct weir_http_request *request)
{
    const char *text = host->request_query(request, "wait");
    int64_t wait_ms = text != NULL ? strtoll(text, NULL, 10) : 0;
    return wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX;
}

static void answer_requests(const struct weir_notifier *notifier, const char *by_request,
    const struct weir_http_request *request, struct weir_http_reply *reply)
{
    const struct weir_host *host = notifier->host;
    const char *known = host->request_query(request, "mark");
    char mark[MARK_BYTES];

    write_mark(notifier, by_request, mark);
    if (known == NULL || strcmp(known, mark) != 0)
        answer_records(notifier, by_request, NULL, mark, reply);
    else if (host->request_waited_ms(request) < wait_ms_of(host, request))
        host->reply_later(reply);
    else
        host->reply_body(reply, 304, "application/json", weir_bytes("", 0));
}

static void answer_query(const struct weir_notifier *notifier, const struct weir_http_request *request,
    struct weir_http_reply *reply)
{
    const struct weir_host *host = notifier->host;
    const char *by_request = host->request_query(request, "request");
    const char *by_event = host->request_query(request, "event");

    if ((by_request == NULL) == (by_event == NULL))
        host->reply_problem(reply, 400, "ask by either request= or event=");
    else if (by_request != NULL)
        answer_requests(notifier, by_request, request, reply);
    else
        answer_records(notifier, NULL, by_event, NULL, reply);
}

static void answer(void *context, const struct weir_http_request *request, struct weir_http_reply *reply)
{
    struct weir_notifier *notifier = context;
    const struct weir_host *host = notifier->host;
    uint32_t source;
    int32_t partition;

    if (!may_read(notifier, request))
        host->reply_problem(reply, 403, "the header Weir-Peer has to hold the secret");
    else if (strcmp(host->request_method(request), "GET") != 0)
        host->reply_problem(reply, 405, "only GET is answered");
    else if (!read_place(notifier, host->request_path(request), &source, &partition))
        host->reply_problem(reply, 404, "there is no such page: /deliveries/TOPIC/PARTITION");
    else if (!weir_ledger_serves(notifier->ledger, source, partition))
        host->reply_problem(reply, 503, "this instance does not have the partition now");
    else
        answer_query(notifier, request, reply);
}

void weir_reads_wake(const struct weir_notifier *notifier)
{
    if (notifier->http != NULL)
        notifier->host->http_wake(notifier->http);
}

int weir_reads_open(struct weir_notifier *notifier, struct weir_error *err)
{
    const struct weir_host *host = notifier->host;
    const struct weir_notifier_settings *settings = notifier->settings;
    char url[300];

    if (settings->listen == NULL)
        return 0;
    int code = host->http_listen(settings->listen, answer, notifier, &notifier->http, err);
    if (code < 0)
        return code;
    snprintf(url, sizeof(url), "%s://%s",
        weir_service_scheme(weir_deployment_service(host->deployment, host->service)),
        host->http_address(notifier->http));
    host->advertise(host->context, settings->advertise != NULL ? settings->advertise : url);
    return 0;
}

void weir_reads_close(struct weir_notifier *notifier)
{
    if (notifier->http != NULL)
        notifier->host->http_close(notifier->http);
    notifier->http = NULL;
}
