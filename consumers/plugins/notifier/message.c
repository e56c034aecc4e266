#include "consumers/plugins/notifier/message.h"

#include "common/html.h"
#include "consumers/plugins/notifier/mime.h"
#include "consumers/plugins/notifier/pretty.h"

#include "common/clock.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* What of a document is shown; the rest is in the store. */
enum { DOCUMENT_BYTES = 64 * 1024, HASH_BYTES = 8 };

/* "=_" can't stand in quoted-printable text, so the boundary occurs in no part. */
static const char boundary[] = "=_weir_part";

void weir_message_id(
    const char *event_id, const char *recipient, const char *domain, char out[static WEIR_MESSAGE_ID_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    char hash[2 * HASH_BYTES + 1];

    EVP_Digest(recipient, strlen(recipient), digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < HASH_BYTES; i++)
        snprintf(hash + 2 * i, 3, "%02x", digest[i]);
    snprintf(out, WEIR_MESSAGE_ID_BYTES, "%s.%s@%s", event_id, hash, domain);
}

/* The facts in the order they are shown. */
struct fact {
    const char *name;
    char value[300];
};

enum { FACT_COUNT = 5 };

static void fill_facts(const struct weir_event *event, struct fact facts[static FACT_COUNT])
{
    char when[WEIR_CLOCK_RFC3339_BYTES];
    struct fact *fact = facts;

    for (size_t i = 0; i < FACT_COUNT; i++)
        facts[i].name = (const char *const[]){"Collection", "Key", "Version", "Time", "Request"}[i];
    snprintf(fact++->value, sizeof(fact->value), "%s", event->collection);
    snprintf(fact++->value, sizeof(fact->value), "%s", event->key);
    snprintf(fact++->value, sizeof(fact->value), "%" PRId64, event->version);
    snprintf(fact++->value, sizeof(fact->value), "%s", weir_clock_rfc3339(event->time_ms, when));
    snprintf(fact++->value, sizeof(fact->value), "%s", event->request);
}

static void append_text(const struct weir_event *event, const struct weir_message_sender *sender,
    const struct fact facts[static FACT_COUNT], struct weir_bytes document, struct weir_buffer *out)
{
    weir_buffer_printf(
        out, "%s %s was %s.\n\n", event->collection, event->key, weir_event_verb(event->operation));
    for (size_t i = 0; i < FACT_COUNT; i++)
        if (facts[i].value[0] != '\0')
            weir_buffer_printf(out, "%-12s%s\n", facts[i].name, facts[i].value);
    if (document.len > 0) {
        weir_buffer_append_str(out, "\n");
        weir_buffer_append_bytes(out, document);
        weir_buffer_append_str(out, "\n");
    }
    weir_buffer_printf(out, "\n-- \nSent by Weir, service %s.\n", sender->service);
}

static void append_html(const struct weir_event *event, const struct weir_message_sender *sender,
    const struct fact facts[static FACT_COUNT], struct weir_bytes document, struct weir_buffer *out)
{
    weir_buffer_append_str(out, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n<p><b>");
    weir_html_append(out, weir_bytes_str(event->collection));
    weir_buffer_append_str(out, " ");
    weir_html_append(out, weir_bytes_str(event->key));
    weir_buffer_printf(out, "</b> was %s.</p>\n<table>\n", weir_event_verb(event->operation));
    for (size_t i = 0; i < FACT_COUNT; i++) {
        if (facts[i].value[0] == '\0')
            continue;
        weir_buffer_printf(out, "<tr><td>%s</td><td>", facts[i].name);
        weir_html_append(out, weir_bytes_str(facts[i].value));
        weir_buffer_append_str(out, "</td></tr>\n");
    }
    weir_buffer_append_str(out, "</table>\n");
    if (document.len > 0) {
        weir_buffer_append_str(out, "<pre>");
        weir_html_append(out, document);
        weir_buffer_append_str(out, "</pre>\n");
    }
    weir_buffer_append_str(out, "<p><small>Sent by Weir, service ");
    weir_html_append(out, weir_bytes_str(sender->service));
    weir_buffer_append_str(out, ".</small></p>\n</body></html>\n");
}

static int append_headers(const struct weir_event *event, const struct weir_message_sender *sender,
    const char *recipient, struct weir_buffer *out, struct weir_error *err)
{
    char date[WEIR_MIME_DATE_BYTES], id[WEIR_MESSAGE_ID_BYTES];
    WEIR_CLEANUP(buffer) struct weir_buffer subject = {0};

    weir_buffer_printf(
        &subject, "%s %s %s", event->collection, event->key, weir_event_verb(event->operation));
    if (subject.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    weir_message_id(event->id, recipient, sender->domain, id);
    weir_buffer_printf(out, "From: <%s>\r\nTo: <%s>\r\n", sender->from, recipient);
    int code = weir_mime_header(out, "Subject", subject.data, err);
    if (code < 0)
        return code;
    weir_buffer_printf(out, "Date: %s\r\nMessage-ID: <%s>\r\n", weir_mime_date(event->time_ms, date), id);
    weir_buffer_printf(out, "Auto-Submitted: auto-generated\r\nX-Weir-Event: %s\r\n",
        event->given[0] != '\0' ? event->given : event->id);
    weir_buffer_printf(
        out, "MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n", boundary);
    return 0;
}

static void append_part(struct weir_buffer *out, const char *subtype, const struct weir_buffer *body)
{
    weir_buffer_printf(out,
        "\r\n--%s\r\nContent-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: "
        "quoted-printable\r\n\r\n",
        boundary, subtype);
    weir_mime_quoted_printable(out, weir_buffer_bytes(body));
}

int weir_message_build(const struct weir_event *event, const struct weir_message_sender *sender,
    const char *recipient, struct weir_buffer *out, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer document = {0}, text = {0}, html = {0};
    struct fact facts[FACT_COUNT];

    int code = append_headers(event, sender, recipient, out, err);
    if (code < 0)
        return code;
    if (event->document.data != NULL && !weir_pretty_append(&document, event->document, DOCUMENT_BYTES))
        weir_buffer_printf(&document, "\n[cut here: the document has %zu bytes]", event->document.len);
    fill_facts(event, facts);
    append_text(event, sender, facts, weir_buffer_bytes(&document), &text);
    append_html(event, sender, facts, weir_buffer_bytes(&document), &html);
    append_part(out, "plain", &text);
    append_part(out, "html", &html);
    weir_buffer_printf(out, "\r\n--%s--\r\n", boundary);
    if (out->failed || document.failed || text.failed || html.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return 0;
}
