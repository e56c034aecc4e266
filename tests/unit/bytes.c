/* common/bytes.h: views, UTF-8, the growing buffer. */
#include "support/test.h"

#include "common/bytes.h"
#include "common/cleanup.h"

#include <jansson.h>
#include <stdlib.h>

static void null_is_not_empty(void **state)
{
    (void)state;
    assert_true(weir_bytes_equal(WEIR_BYTES_NULL, WEIR_BYTES_NULL));
    assert_false(weir_bytes_equal(WEIR_BYTES_NULL, weir_bytes("", 0)));
    assert_true(weir_bytes_is(weir_bytes("ab", 2), "ab"));
    assert_false(weir_bytes_is(weir_bytes("ab", 1), "ab"));
}

static void dup_ends_in_nul(void **state)
{
    WEIR_CLEANUP(free) char *copy = weir_bytes_dup(weir_bytes("a\0bX", 3));
    WEIR_CLEANUP(free) char *empty = weir_bytes_dup(WEIR_BYTES_NULL);

    (void)state;
    assert_memory_equal(copy, "a\0b", 4);
    assert_string_equal(empty, "");
}

static void utf8_is_taken_or_refused(void **state)
{
    static const struct {
        const char *text;
        size_t step;
    } rows[] = {
        {"a", 1},
        {"\x7f", 1},
        {"\xc2\x80", 2},
        {"\xdf\xbf", 2},
        {"\xe0\xa0\x80", 3},
        {"\xed\x9f\xbf", 3},
        {"\xee\x80\x80", 3},
        {"\xf0\x90\x80\x80", 4},
        {"\xf4\x8f\xbf\xbf", 4},
        {"", 0},
        {"\x80", 0},             /* a continuation alone */
        {"\xc0\x80", 0},         /* overlong NUL */
        {"\xc1\xbf", 0},         /* overlong */
        {"\xe0\x9f\xbf", 0},     /* overlong */
        {"\xed\xa0\x80", 0},     /* surrogate */
        {"\xf0\x8f\xbf\xbf", 0}, /* overlong */
        {"\xf4\x90\x80\x80", 0}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", 0},
        {"\xff", 0},
        {"\xc2", 0},     /* cut */
        {"\xe2\x82", 0}, /* cut */
        {"\xe2\x28\xa1", 0},
        {"\xf0\x90\x80", 0},
        {"\xf0\x90\x28\x80", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(weir_utf8_next(weir_bytes_str(rows[i].text)), rows[i].step);
    assert_true(weir_utf8_valid(weir_bytes_str("gr\xc3\xbc\xc3\x9f \xe2\x82\xac")));
    assert_true(weir_utf8_valid(WEIR_BYTES_NULL));
    assert_false(weir_utf8_valid(weir_bytes_str("gr\xc3\xbc\xc3")));
}

static void buffer_grows_and_keeps(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    (void)state;
    for (int i = 0; i < 10000; i++)
        weir_buffer_append(&out, "0123456789", 10);
    assert_int_equal(out.len, 100000);
    assert_int_equal(out.data[out.len], '\0');
    assert_memory_equal(out.data + 99990, "0123456789", 11);
    weir_buffer_clear(&out);
    assert_int_equal(out.len, 0);
    assert_true(out.capacity > 100000);
    weir_buffer_append_str(&out, "x");
    weir_buffer_append_bytes(&out, weir_bytes("yz", 1));
    weir_buffer_append_bytes(&out, WEIR_BYTES_NULL);
    assert_string_equal(out.data, "xy");
}

static void empty_buffer_has_text(void **state)
{
    struct weir_buffer out = {0};

    (void)state;
    assert_true(weir_bytes_is(weir_buffer_bytes(&out), ""));
    weir_buffer_done(&out);
    weir_buffer_done(&out);
}

static void printf_fits_any_length(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    size_t wanted = 0;

    (void)state;
    for (int len = 0; len < 700; len++) {
        weir_buffer_printf(&out, "%*d|", len, 7);
        wanted += (size_t)(len > 0 ? len : 1) + 1;
        assert_int_equal(out.len, wanted);
        assert_int_equal(out.data[out.len - 1], '|');
    }
    assert_false(out.failed);
}

static void numbers_are_decimal(void **state)
{
    static const struct {
        int64_t number;
        const char *text;
    } rows[] = {{0, "0"}, {7, "7"}, {-10, "-10"}, {1764115200123, "1764115200123"},
        {INT64_MAX, "9223372036854775807"}, {INT64_MIN, "-9223372036854775808"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
        weir_buffer_append_number(&out, rows[i].number);
        assert_string_equal(out.data, rows[i].text);
    }
}

static void failure_keeps_what_is_there(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    (void)state;
    weir_buffer_append_str(&out, "kept");
    assert_false(weir_buffer_reserve(&out, SIZE_MAX));
    assert_true(out.failed);
    weir_buffer_append_str(&out, "more");
    weir_buffer_printf(&out, "%d", 1);
    assert_string_equal(out.data, "kept");
    weir_buffer_clear(&out);
    weir_buffer_append_str(&out, "again");
    assert_string_equal(out.data, "again");
}

static void json_strings_are_escaped(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *json;
    } rows[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\n\r\t\b\f", 5, "\"\\n\\r\\t\\b\\f\""},
        {"\0\x01\x1f", 3, "\"\\u0000\\u0001\\u001f\""},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", 7, "\"\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"a\xff\xc3", 3, "\"a\xef\xbf\xbd\xef\xbf\xbd\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
        weir_buffer_append_json_string(&out, weir_bytes(rows[i].text, rows[i].len));
        assert_string_equal(out.data, rows[i].json);
    }
}

/* Whatever the bytes are, the result is JSON (jansson judges). */
static void json_strings_survive_any_bytes(void **state)
{
    unsigned seed = 20261121;

    (void)state;
    for (int round = 0; round < 2000; round++) {
        WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
        char text[64];
        seed = seed * 1664525 + 1013904223;
        size_t len = (seed >> 8) % sizeof(text);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = (char)(seed >> 24);
        }
        weir_buffer_append_json_string(&out, weir_bytes(text, len));
        json_error_t error;
        WEIR_CLEANUP(json)
        json_t *value = json_loadb(out.data, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        assert_non_null(value);
        if (weir_utf8_valid(weir_bytes(text, len))) {
            assert_int_equal(json_string_length(value), len);
            assert_memory_equal(json_string_value(value), text, len);
        }
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(null_is_not_empty),
    cmocka_unit_test(dup_ends_in_nul),
    cmocka_unit_test(utf8_is_taken_or_refused),
    cmocka_unit_test(buffer_grows_and_keeps),
    cmocka_unit_test(empty_buffer_has_text),
    cmocka_unit_test(printf_fits_any_length),
    cmocka_unit_test(numbers_are_decimal),
    cmocka_unit_test(failure_keeps_what_is_there),
    cmocka_unit_test(json_strings_are_escaped),
    cmocka_unit_test(json_strings_survive_any_bytes),
};

WEIR_TEST_MAIN(tests)
