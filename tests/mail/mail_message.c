/* The whole message: byte for byte, and under hostile values. */
#include "support/test.h"

#include "consumers/plugins/notifier/message.h"

#include "common/json.h"

static struct weir_message_sender sender = {
    .from = "weir@example.com", .domain = "host.example.com", .service = "notifier"};

static const struct weir_letter to_team = {
    .recipient = "team@example.org", .subscription = "", .list = "notifier", .template = "change"};

static struct weir_record record_of(const char *value)
{
    return (struct weir_record){
        .topic = "orders.changes", .partition = 3, .offset = 17, .value = weir_bytes_str(value)};
}

/* Builds the mail about `value`, by the templates of `folder` (NULL: those built in). */
static int build_by(const char *folder, const struct weir_letter *letter, const char *value,
    struct weir_buffer *out, struct weir_error *err)
{
    WEIR_CLEANUP(templates) struct weir_templates *templates = NULL;
    WEIR_CLEANUP(buffer) struct weir_buffer words = {0};
    struct weir_record record = record_of(value);
    struct weir_event event = {0};
    char id[WEIR_MESSAGE_ID_BYTES];

    weir_json_init();
    int code = weir_templates_load(folder, &templates, err);
    sender.templates = templates;
    if (code == 0)
        code = weir_event_read(&record, "cluster", &event, err);
    if (code == 0)
        code = weir_message_words(&event, &sender, &words, err);
    weir_message_id(event.id, letter, sender.domain, id);
    if (code == 0)
        code = weir_message_build(&event, weir_buffer_bytes(&words), &sender, letter, id, out, err);
    weir_event_done(&event);
    return code;
}

/* The caller frees. */
static struct weir_buffer build(const char *value)
{
    struct weir_error err = {0};
    struct weir_buffer out = {0};

    if (build_by(NULL, &to_team, value, &out, &err) < 0)
        fail_msg("%s", err.text);
    return out;
}

/* Every line ends in CRLF, holds printable ASCII only and at most `most` bytes; the Message-ID is not folded.
 */
static void assert_clean(const struct weir_buffer *message, size_t most)
{
    static const char id[] = "Message-ID: ";
    size_t column = 0, limit = most;

    for (size_t i = 0; i < message->len; i++) {
        unsigned char c = (unsigned char)message->data[i];
        if (column == 0)
            limit = strncmp(message->data + i, id, strlen(id)) == 0 ? 998 : most;
        if (c == '\r' || c == '\n') {
            assert_int_equal(c, '\r');
            assert_int_equal(message->data[++i], '\n');
            column = 0;
            continue;
        }
        assert_in_range(c, ' ', '~');
        assert_in_range(++column, 1, limit);
    }
    assert_int_equal(column, 0);
}

static void golden_created(void **state)
{
    static const char wanted[] =
        "From: <weir@example.com>\r\n"
        "To: <team@example.org>\r\n"
        "Subject: orders o-1 created\r\n"
        "Date: Sat, 21 Nov 2026 06:40:20 +0000\r\n"
        "Message-ID: <b7016fdf-1939-59d1-9493-ff3e6e932829.8793dea05f323177@host.example.com>\r\n"
        "List-Id: <notifier.host.example.com>\r\n"
        "Auto-Submitted: auto-generated\r\n"
        "X-Weir-Event: 0190a5f0-req\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative;\r\n boundary=\"=_weir_part\"\r\n"
        "\r\n--=_weir_part\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "orders o-1 was created.\r\n"
        "\r\n"
        "Collection  orders\r\n"
        "Key         o-1\r\n"
        "Version     1\r\n"
        "Time        2026-11-21T06:40:20.123Z\r\n"
        "Request     0190a5f0-req\r\n"
        "\r\n"
        "{\r\n"
        "  \"orderID\": \"o-1\",\r\n"
        "  \"total\": 19.99,\r\n"
        "  \"lines\": [\r\n"
        "    {},\r\n"
        "    \"caf=C3=A9 <b>\"\r\n"
        "  ]\r\n"
        "}\r\n"
        "\r\n"
        "--=20\r\n"
        "Sent by Weir, service notifier.\r\n"
        "\r\n--=_weir_part\r\n"
        "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "<!DOCTYPE html>\r\n"
        "<html><head><meta charset=3D\"utf-8\"></head><body>\r\n"
        "<p><b>orders o-1</b> was created.</p>\r\n"
        "<table>\r\n"
        "<tr><td>Collection</td><td>orders</td></tr>\r\n"
        "<tr><td>Key</td><td>o-1</td></tr>\r\n"
        "<tr><td>Version</td><td>1</td></tr>\r\n"
        "<tr><td>Time</td><td>2026-11-21T06:40:20.123Z</td></tr>\r\n"
        "<tr><td>Request</td><td>0190a5f0-req</td></tr>\r\n"
        "</table>\r\n"
        "<pre>{\r\n"
        "  &quot;orderID&quot;: &quot;o-1&quot;,\r\n"
        "  &quot;total&quot;: 19.99,\r\n"
        "  &quot;lines&quot;: [\r\n"
        "    {},\r\n"
        "    &quot;caf=C3=A9 &lt;b&gt;&quot;\r\n"
        "  ]\r\n"
        "}</pre>\r\n"
        "<p><small>Sent by Weir, service notifier.</small></p>\r\n"
        "</body></html>\r\n"
        "\r\n--=_weir_part--\r\n";
    (void)state;
    struct weir_buffer message =
        build("{\"op\":\"c\",\"collection\":\"orders\",\"key\":\"o-1\",\"version\":1,"
              "\"request\":\"0190a5f0-req\",\"ts_ms\":1795243220123,\"after\":"
              "{\"orderID\":\"o-1\",\"total\":19.99,\"lines\":[ { } ,\"caf\xc3\xa9 <b>\"]}}");
    assert_string_equal(message.data, wanted);
    assert_clean(&message, 78);
    weir_buffer_done(&message);
}

static void golden_deleted(void **state)
{
    (void)state;
    struct weir_buffer message =
        build("{\"op\":\"d\",\"collection\":\"orders\",\"key\":\"o-1\",\"version\":4,"
              "\"request\":\"r\",\"ts_ms\":0}");
    assert_non_null(strstr(message.data, "Subject: orders o-1 deleted\r\n"));
    assert_non_null(strstr(message.data, "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n"));
    assert_non_null(strstr(message.data, "orders o-1 was deleted.\r\n"));
    assert_null(strstr(message.data, "<pre>"));
    assert_clean(&message, 78);
    weir_buffer_done(&message);
}

static void same_at_every_try(void **state)
{
    static const char value[] = "{\"op\":\"u\",\"collection\":\"orders\",\"key\":\"o-1\",\"version\":2,"
                                "\"request\":\"r\",\"ts_ms\":1,\"after\":{}}";
    (void)state;
    struct weir_buffer once = build(value), again = build(value);
    assert_string_equal(once.data, again.data);
    weir_buffer_done(&once);
    weir_buffer_done(&again);
}

/* A key of other scripts: encoded words of at most 75 bytes, cut between characters, in folded lines. */
static void subject_is_encoded(void **state)
{
    char value[1000], key[256] = "";
    (void)state;
    for (int i = 0; i < 63; i++)
        memcpy(key + 4 * i, "\xf0\x9f\x8d\x8b", 5);
    snprintf(value, sizeof(value),
        "{\"op\":\"c\",\"collection\":\"orders\",\"key\":\"%s\",\"version\":1,\"request\":\"r\",\"ts_ms\":1,"
        "\"after\":{}}",
        key);
    struct weir_buffer message = build(value);
    assert_non_null(strstr(message.data, "Subject: =?UTF-8?B?"));
    assert_clean(&message, 78);
    weir_buffer_done(&message);
}

static void key_is_no_encoded_word(void **state)
{
    (void)state;
    struct weir_buffer message = build("{\"op\":\"c\",\"collection\":\"orders\",\"key\":\"=?UTF-8?Q?fake?=\","
                                       "\"version\":1,\"request\":\"r\",\"ts_ms\":1,\"after\":{}}");
    assert_null(strstr(message.data, "Subject: orders =?"));
    assert_non_null(strstr(message.data, "Subject: =?UTF-8?B?b3JkZXJzID0/"));
    weir_buffer_done(&message);
}

/* What a document may hold without ever becoming a line of SMTP or a header. */
static void document_stays_content(void **state)
{
    static const char *const hostile[] = {"\\r\\n.\\r\\nMAIL FROM:<x@example.org>\\r\\n", "\\n.\\n",
        "\\r.\\r", "\\u0000", "\\u2028", "\x7f",
        "\r\n--=_weir_part--\r\n" /* as it stands: not JSON, refused before */};
    (void)state;
    for (size_t i = 0; i + 1 < sizeof(hostile) / sizeof(hostile[0]); i++) {
        char value[500];
        if (strstr(hostile[i], "u0000") != NULL)
            continue;
        snprintf(value, sizeof(value),
            "{\"op\":\"c\",\"collection\":\"orders\",\"key\":\"k\",\"version\":1,\"request\":\"r\",\"ts_ms\":"
            "1,\"after\":{\"a\":\"%s\"}}",
            hostile[i]);
        struct weir_buffer message = build(value);
        assert_clean(&message, 78);
        weir_buffer_done(&message);
    }
}

static void lines_are_cut_softly(void **state)
{
    size_t len = 200000;
    char *value = malloc(len + 200);
    (void)state;
    int head = snprintf(value, 200,
        "{\"op\":\"c\",\"collection\":\"orders\",\"key\":\"k\",\"version\":1,\"request\":\"r\",\"ts_ms\":1,"
        "\"after\":{\"a\":\"");
    memset(value + head, '.', 5000);
    memset(value + head + 5000, '=', len - 5000);
    snprintf(value + head + len, 10, "\"}}");
    struct weir_buffer message = build(value);
    assert_clean(&message, 78);
    weir_buffer_done(&message);
    free(value);
}

static void long_document_is_cut(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};
    (void)state;
    weir_buffer_append_str(&value, "{\"op\":\"c\",\"collection\":\"orders\",\"key\":\"k\",\"version\":1,"
                                   "\"request\":\"r\",\"ts_ms\":1,\"after\":{\"a\":[0");
    for (int i = 0; i < 60000; i++)
        weir_buffer_append_str(&value, ",1");
    weir_buffer_append_str(&value, "]}}");
    struct weir_buffer message = build(value.data);
    assert_non_null(strstr(message.data, "[cut here: the document has 120009 bytes]"));
    assert_in_range(message.len, 100000, 400000);
    assert_clean(&message, 78);
    weir_buffer_done(&message);
}

/* An id that comes with the record never reaches a mail but as one word of letters, digits and hyphens, and
 * names no event. */
static void event_id_is_one_word(void **state)
{
    static const struct {
        const char *header, *request, *wanted;
    } cases[] = {{"id-1", "r", "id-1"}, {"", "r-2", "r-2"}, {"a\r\nBcc: <x@example.org>", "r-2", "r-2"},
        {"a b", "a@b", ""}, {NULL, NULL, ""}};
    char value[500];
    (void)state;
    weir_json_init();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct weir_header header = {.name = "ce_id", .value = weir_bytes_str(cases[i].header)};
        struct weir_event event;
        snprintf(value, sizeof(value),
            "{\"op\":\"d\",\"collection\":\"orders\",\"key\":\"k\",\"version\":1,\"ts_ms\":1%s%s%s}",
            cases[i].request != NULL ? ",\"request\":\"" : "",
            cases[i].request != NULL ? cases[i].request : "", cases[i].request != NULL ? "\"" : "");
        struct weir_record record = record_of(value);
        record.headers = &header;
        record.header_count = 1;
        assert_int_equal(weir_event_read(&record, "cluster", &event, NULL), 0);
        assert_string_equal(event.given, cases[i].wanted);
        assert_string_equal(event.id, "b7016fdf-1939-59d1-9493-ff3e6e932829");
        weir_event_done(&event);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(golden_created),
    cmocka_unit_test(golden_deleted),
    cmocka_unit_test(same_at_every_try),
    cmocka_unit_test(subject_is_encoded),
    cmocka_unit_test(key_is_no_encoded_word),
    cmocka_unit_test(document_stays_content),
    cmocka_unit_test(lines_are_cut_softly),
    cmocka_unit_test(long_document_is_cut),
    cmocka_unit_test(event_id_is_one_word),
};

WEIR_TEST_MAIN(tests)
