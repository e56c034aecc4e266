/* Events and outcomes as the wire has them, and the stored form of a document. */
#include "common/json.h"
#include "consumers/plugins/store/change.h"
#include "consumers/plugins/store/document.h"
#include "support/test.h"

static void event_has_its_form(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    (void)state;
    weir_change_write(&(struct weir_change){'u', "orders", weir_bytes_str("o\"1"), weir_bytes_str("req"), 3,
                          1700, weir_bytes_str("{\"a\":1}"), weir_bytes_str("{\"a\":19.990}")},
        &out);
    assert_string_equal(out.data,
        "{\"op\":\"u\",\"collection\":\"orders\",\"key\":\"o\\\"1\",\"version\":3,"
        "\"request\":\"req\",\"ts_ms\":1700,\"before\":{\"a\":1},\"after\":{\"a\":19.990}}");
    weir_change_write(&(struct weir_change){'d', "orders", weir_bytes_str("k"), weir_bytes_str("r"),
                          INT64_MAX, 0, WEIR_BYTES_NULL, WEIR_BYTES_NULL},
        &out);
    assert_string_equal(out.data,
        "{\"op\":\"d\",\"collection\":\"orders\",\"key\":\"k\",\"version\":9223372036854775807,"
        "\"request\":\"r\",\"ts_ms\":0}");
}

static void outcome_has_its_form(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    (void)state;
    weir_outcome_write(
        &(struct weir_outcome){weir_bytes_str("r"), "rejected", "already-exists", "orders/3/17", NULL, 1700},
        &out);
    assert_string_equal(out.data, "{\"request\":\"r\",\"outcome\":\"rejected\",\"error\":\"already-exists\","
                                  "\"at\":\"orders/3/17\",\"ts_ms\":1700}");
    weir_outcome_write(
        &(struct weir_outcome){weir_bytes_str("r"), "unchanged", NULL, "orders/3/17", "orders/3/9", 1}, &out);
    assert_string_equal(out.data, "{\"request\":\"r\",\"outcome\":\"unchanged\",\"at\":\"orders/3/"
                                  "17\",\"first\":\"orders/3/9\",\"ts_ms\":1}");
}

static void what_was_written_is_read(void **state)
{
    static const char *const documents[] = {"{}", " {\"a\" : [1, 2, {\"b\":\"}],{\\\"\"}]}\n",
        "{\"after\":{\"op\":\"d\"}}", "{\"\\\\\":\"\\\\\\\"\"}",
        "{\"a\":\"\\\\\\\\\\\\\\\"}\",\"b\":\"\\\\\\\\\"}"};
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct weir_change read;

    (void)state;
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct weir_bytes text = weir_bytes_str(documents[i]);
        weir_change_write(&(struct weir_change){'u', "o", weir_bytes_str("\\\",}"), weir_bytes_str("r\\"), 7,
                              1795243240123, text, text},
            &out);
        assert_int_equal(weir_change_read(weir_buffer_bytes(&out), &read, NULL), 0);
        assert_int_equal(read.op, 'u');
        assert_int_equal(read.version, 7);
        assert_int_equal(read.ts_ms, 1795243240123);
        assert_true(weir_bytes_equal(read.after, text));
    }
}

static void what_is_no_event_is_refused(void **state)
{
    static const char *const texts[] = {"", "{", "{}", "null", "[]", "{\"op\":\"c\"}",
        "{\"op\":\"x\",\"version\":1}", "{\"op\":\"c\",\"version\":0,\"ts_ms\":1,\"after\":{}}",
        "{\"op\":\"c\",\"version\":1,\"ts_ms\":1}", "{\"op\":\"d\",\"version\":1,\"ts_ms\":1,\"after\":{}}",
        "{\"op\":\"c\",\"version\":-1,\"ts_ms\":1,\"after\":{}}",
        "{\"op\":\"c\",\"version\":1,\"ts_ms\":1,\"after\":}",
        "{\"op\":\"c\",\"version\":1,\"ts_ms\":1,\"after\":{}",
        "{\"op\":\"c\",\"version\":1,\"ts_ms\":1,\"after\":\"}", "{\"op\":\"c\" \"version\":1,\"after\":{}}",
        "{\"op\":\"c\",\"version\":99999999999999999999,\"ts_ms\":1,\"after\":{}}"};
    struct weir_change read;
    struct weir_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (weir_change_read(weir_bytes_str(texts[i]), &read, &err) != WEIR_E_INVALID)
            fail_msg("taken for an event: %s", texts[i]);
}

/* Cut and bent at every byte: an answer or a refusal, never a read outside. */
static void damaged_events_are_survived(void **state)
{
    const char event[] =
        "{\"op\":\"c\",\"collection\":\"o\",\"key\":\"a\\\"\",\"version\":1,\"request\":\"r\","
        "\"ts_ms\":5,\"after\":{\"a\":[\"\\\\\"]}}";
    struct weir_change read;

    (void)state;
    for (size_t len = 0; len < sizeof(event); len++) {
        for (unsigned char c = 0; c < 255; c++) {
            char *copy = malloc(len + 1);
            assert_non_null(copy);
            memcpy(copy, event, len);
            if (len > 0)
                copy[len / 2] = (char)c;
            (void)weir_change_read(weir_bytes(copy, len), &read, NULL);
            free(copy);
        }
    }
}

static void documents_survive_storage(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct weir_document read, written = {UINT64_MAX, -1, weir_bytes_str("req"), weir_bytes_str("{\"a\":1}")};
    struct weir_error err;

    (void)state;
    weir_document_write(&written, &out);
    assert_int_equal(weir_document_read(weir_buffer_bytes(&out), &read, &err), 0);
    assert_true(read.version == written.version && read.changed_ms == -1);
    assert_true(weir_bytes_equal(read.request, written.request) && weir_bytes_equal(read.text, written.text));
    assert_int_equal(weir_document_read(weir_bytes(out.data, 20), &read, &err), WEIR_E_CORRUPT);
    out.data[0] = 9;
    assert_int_equal(weir_document_read(weir_buffer_bytes(&out), &read, &err), WEIR_E_CORRUPT);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(event_has_its_form),
    cmocka_unit_test(outcome_has_its_form),
    cmocka_unit_test(what_was_written_is_read),
    cmocka_unit_test(what_is_no_event_is_refused),
    cmocka_unit_test(damaged_events_are_survived),
    cmocka_unit_test(documents_survive_storage),
};
WEIR_TEST_MAIN(tests)
