/* common/error.h: codes, their meanings, and texts that stay one line. */
#include "support/test.h"

#include "common/error.h"

#include <stdlib.h>

static void every_code_has_its_row(void **state)
{
    (void)state;
    for (int code = WEIR_E_INTERNAL; code <= WEIR_OK; code++) {
        assert_true(strlen(weir_code_name(code)) > 1);
        assert_in_range(weir_code_http_status(code), 200, 504);
        for (int other = WEIR_E_INTERNAL; other < code; other++)
            assert_string_not_equal(weir_code_name(code), weir_code_name(other));
    }
}

static void codes_mean_what_the_documents_say(void **state)
{
    static const struct {
        int code, http, exit;
    } rows[] = {
        {WEIR_E_USAGE, 400, 64},
        {WEIR_E_CONFIG, 500, 78},
        {WEIR_E_INVALID, 400, 65},
        {WEIR_E_TOO_LARGE, 413, 65},
        {WEIR_E_NOT_FOUND, 404, 78},
        {WEIR_E_UNAVAILABLE, 503, 69},
        {WEIR_E_TIMEOUT, 504, 69},
        {WEIR_E_FENCED, 503, 78},
        {WEIR_E_CORRUPT, 500, 74},
        {WEIR_E_DISK, 503, 75},
        {WEIR_E_INTERNAL, 500, 70},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(weir_code_http_status(rows[i].code), rows[i].http);
        assert_int_equal(weir_code_exit_status(rows[i].code), rows[i].exit);
    }
}

static void unknown_codes_are_internal(void **state)
{
    static const int codes[] = {1, 77, -16, -1000, INT32_MIN, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_string_equal(weir_code_name(codes[i]), "internal");
        assert_int_equal(weir_code_exit_status(codes[i]), 70);
    }
}

static void set_answers_the_code_and_takes_null(void **state)
{
    struct weir_error err;

    (void)state;
    assert_int_equal(weir_error_set(NULL, WEIR_E_BUSY, "%s", "x"), WEIR_E_BUSY);
    assert_int_equal(weir_error_set(&err, WEIR_E_BUSY, "queue of %d", 7), WEIR_E_BUSY);
    assert_int_equal(err.code, WEIR_E_BUSY);
    assert_string_equal(err.text, "queue of 7");
}

static void prefix_stands_before(void **state)
{
    struct weir_error err;

    (void)state;
    weir_error_set(&err, WEIR_E_CONFIG, "bad");
    assert_int_equal(weir_error_prefix(&err, "%s:%d", "weir.conf", 3), WEIR_E_CONFIG);
    assert_string_equal(err.text, "weir.conf:3: bad");
    assert_int_equal(weir_error_prefix(NULL, "x"), WEIR_E_INTERNAL);
}

static void own_text_may_be_an_argument(void **state)
{
    struct weir_error err;

    (void)state;
    weir_error_set(&err, WEIR_E_DISK, "disk full");
    weir_error_set(&err, WEIR_E_DISK, "flush: %s", err.text);
    assert_string_equal(err.text, "flush: disk full");
}

static void text_is_one_line(void **state)
{
    struct weir_error err;

    (void)state;
    weir_error_set(&err, WEIR_E_INVALID, "a\nb\r\nc\td\x7f\x1b[2J\xff");
    assert_string_equal(err.text, "a b  c d  [2J?");
}

static void long_text_is_cut_between_characters(void **state)
{
    char text[2000];
    struct weir_error err;

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        memset(text, 'x', shift);
        for (size_t at = shift; at + 3 < sizeof(text); at += 3)
            memcpy(text + at, "\xe2\x82\xac\0", 4); /* € */
        weir_error_set(&err, WEIR_E_INVALID, "%s", text);
        size_t len = strlen(err.text);
        assert_in_range(len, WEIR_ERROR_TEXT_BYTES - 4, WEIR_ERROR_TEXT_BYTES - 1);
        assert_int_equal((len - shift) % 3, 0);
        weir_error_prefix(&err, "%s", text);
        assert_true(strlen(err.text) < WEIR_ERROR_TEXT_BYTES);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_code_has_its_row),
    cmocka_unit_test(codes_mean_what_the_documents_say),
    cmocka_unit_test(unknown_codes_are_internal),
    cmocka_unit_test(set_answers_the_code_and_takes_null),
    cmocka_unit_test(prefix_stands_before),
    cmocka_unit_test(own_text_may_be_an_argument),
    cmocka_unit_test(text_is_one_line),
    cmocka_unit_test(long_text_is_cut_between_characters),
};

WEIR_TEST_MAIN(tests)
