#include "consumers/plugins/notifier/message.h"

#include "consumers/plugins/notifier/mime.h"
#include "consumers/plugins/notifier/pretty.h"

#include "common/clock.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* What of a document is shown; the rest is in the store. */
enum { DOCUMENT_BYTES = 64 * 1024, HASH_BYTES = 8, CONTEXTS = 4 };

/* "=_" stands in no quoted-printable and no base64 text, so the boundary occurs in no part. */
static const char boundary[] = "=_weir_part";

void weir_message_id(const char *event_id, const struct weir_letter *letter, const char *domain,
    char out[static WEIR_MESSAGE_ID_BYTES])
{
    char reason[512];
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    char hash[2 * HASH_BYTES + 1];

    int len = snprintf(reason, sizeof(reason), "%s%s%s", letter->subscription,
        letter->subscription[0] != '\0' ? " " : "", letter->recipient);
    EVP_Digest(reason, (size_t)len < sizeof(reason) ? (size_t)len : sizeof(reason) - 1, digest, NULL,
        EVP_sha256(), NULL);
    for (size_t i = 0; i < HASH_BYTES; i++)
        snprintf(hash + 2 * i, 3, "%02x", digest[i]);
    snprintf(out, WEIR_MESSAGE_ID_BYTES, "%s.%s@%s", event_id, hash, domain);
}

static void append_word(struct weir_buffer *out, const char *name, struct weir_bytes value)
{
    weir_buffer_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
    weir_buffer_append_json_string(out, value);
}

/* Where a character begins. */
static void cut(struct weir_buffer *text, size_t most)
{
    if (text->len <= most)
        return;
    while (most > 0 && ((unsigned char)text->data[most] & 0xc0) == 0x80)
        most--;
    text->len = most;
}

static void append_document(struct weir_buffer *out, struct weir_bytes document)
{
    WEIR_CLEANUP(buffer) struct weir_buffer pretty = {0};

    if (document.data == NULL)
        return;
    if (!weir_pretty_append(&pretty, document, DOCUMENT_BYTES)) {
        cut(&pretty, DOCUMENT_BYTES);
        weir_buffer_printf(&pretty, "\n[cut here: the document has %zu bytes]", document.len);
    }
    append_word(out, "document", weir_buffer_bytes(&pretty));
    out->failed |= pretty.failed;
}

int weir_message_words(const struct weir_event *event, const struct weir_message_sender *sender,
    struct weir_buffer *out, struct weir_error *err)
{
    char when[WEIR_CLOCK_RFC3339_BYTES];

    weir_buffer_append_str(out, "{");
    append_word(out, "verb", weir_bytes_str(weir_event_verb(event->operation)));
    append_word(out, "time", weir_bytes_str(weir_clock_rfc3339(event->time_ms, when)));
    append_word(out, "service", weir_bytes_str(sender->service));
    if (event->foreign) {
        append_word(out, "collection", weir_bytes_str(event->collection));
        append_word(out, "key", weir_bytes_str(event->key));
    }
    append_document(out, event->document);
    weir_buffer_append_str(out, "}");
    return out->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}

/* Of this one mail. */
static void append_own_words(struct weir_buffer *out, const struct weir_letter *letter)
{
    weir_buffer_append_str(out, "{");
    append_word(out, "recipient", weir_bytes_str(letter->recipient));
    if (letter->unsubscribe != NULL)
        append_word(out, "unsubscribe", weir_bytes_str(letter->unsubscribe));
    weir_buffer_append_str(out, "}");
}

/* What the parts of one mail are made from. */
struct draft {
    const struct weir_event *event;
    const struct weir_message_sender *sender;
    const struct weir_letter *letter;
    const char *id;
    struct weir_bytes contexts[CONTEXTS];
    size_t context_count;
};

static int render(
    const struct draft *draft, enum weir_template_part part, struct weir_buffer *out, struct weir_error *err)
{
    weir_buffer_append_str(out, "");
    return weir_templates_render(draft->sender->templates, draft->letter->template, part, draft->contexts,
        draft->context_count, out, err);
}

/* A line end in a value can't begin another header: the subject is one line, whatever came. */
static int append_subject(const struct draft *draft, struct weir_buffer *out, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer subject = {0};

    int code = render(draft, WEIR_TEMPLATE_SUBJECT, &subject, err);
    if (code < 0)
        return code;
    weir_mime_one_line(&subject, WEIR_MESSAGE_SUBJECT_MAX);
    return weir_mime_header(out, "Subject", subject.len > 0 ? subject.data : "", err);
}

/* RFC 2919, RFC 2369, RFC 8058. */
static void append_list(const struct draft *draft, struct weir_buffer *out)
{
    const struct weir_letter *letter = draft->letter;

    if (letter->list != NULL)
        weir_buffer_printf(out, "List-Id: <%s.%s>\r\n", letter->list, draft->sender->domain);
    if (letter->unsubscribe != NULL)
        weir_buffer_printf(out,
            "List-Unsubscribe: <%s>\r\n"
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            letter->unsubscribe);
}

static int append_headers(const struct draft *draft, struct weir_buffer *out, struct weir_error *err)
{
    char date[WEIR_MIME_DATE_BYTES];
    const struct weir_event *event = draft->event;

    int code = weir_mime_address(out, "From", draft->sender->from_name, draft->sender->from, err);
    if (code == 0)
        code = weir_mime_address(out, "To", NULL, draft->letter->recipient, err);
    if (code == 0)
        code = append_subject(draft, out, err);
    if (code < 0)
        return code;
    weir_buffer_printf(
        out, "Date: %s\r\nMessage-ID: <%s>\r\n", weir_mime_date(event->time_ms, date), draft->id);
    append_list(draft, out);
    weir_buffer_printf(out, "Auto-Submitted: auto-generated\r\nX-Weir-Event: %s\r\nMIME-Version: 1.0\r\n",
        event->given[0] != '\0' ? event->given : event->id);
    return 0;
}

static int append_part(const struct draft *draft, enum weir_template_part part, const char *subtype,
    struct weir_buffer *out, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0}, body = {0};

    int code = render(draft, part, &text, err);
    if (code < 0)
        return code;
    const char *encoding = weir_mime_encode(&body, weir_buffer_bytes(&text));
    weir_buffer_printf(out, "Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n",
        subtype, encoding);
    weir_buffer_append_bytes(out, weir_buffer_bytes(&body));
    out->failed |= text.failed || body.failed;
    return 0;
}

static int append_alternatives(const struct draft *draft, struct weir_buffer *out, struct weir_error *err)
{
    weir_buffer_printf(
        out, "Content-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n\r\n--%s\r\n", boundary, boundary);
    int code = append_part(draft, WEIR_TEMPLATE_TEXT, "plain", out, err);
    weir_buffer_printf(out, "\r\n--%s\r\n", boundary);
    if (code == 0)
        code = append_part(draft, WEIR_TEMPLATE_HTML, "html", out, err);
    weir_buffer_printf(out, "\r\n--%s--\r\n", boundary);
    return code;
}

int weir_message_build(const struct weir_event *event, struct weir_bytes words,
    const struct weir_message_sender *sender, const struct weir_letter *letter, const char *id,
    struct weir_buffer *out, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer own = {0};
    struct draft draft = {.event = event,
        .sender = sender,
        .letter = letter,
        .id = id,
        .contexts = {event->text, words},
        .context_count = 2};

    append_own_words(&own, letter);
    draft.contexts[draft.context_count++] = weir_buffer_bytes(&own);
    if (letter->words.data != NULL)
        draft.contexts[draft.context_count++] = letter->words;
    int code = append_headers(&draft, out, err);
    if (code == 0)
        code = weir_templates_have(sender->templates, letter->template, WEIR_TEMPLATE_HTML)
                   ? append_alternatives(&draft, out, err)
                   : append_part(&draft, WEIR_TEMPLATE_TEXT, "plain", out, err);
    if (code == 0 && (out->failed || own.failed))
        code = weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    return code;
}
