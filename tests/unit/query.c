/* Queries and forms: what is read of them, told as tables. */
#include "gateway/query.h"
#include "support/test.h"

#include <weir/error.h>

static void values(void **state)
{
    static const struct {
        const char *target, *value; /* of "a"; NULL: there is none */
    } rows[] = {
        {"/x", NULL},
        {"/x?", NULL},
        {"/a=1?b=2", NULL},
        {"/x?a=1", "1"},
        {"/x?a", ""},
        {"/x?a=", ""},
        {"/x?&&a=b=c&&", "b=c"},
        {"/x?aa=1&a=2&a=3", "2"},
        {"/x?a=one+two%20three%2Bfour", "one two three+four"},
        {"/x?a=%e2%82%ac?", "\xe2\x82\xac?"},
    };
    char value[32];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bool is = weir_query_value(rows[i].target, "a", value, sizeof(value));
        if (is != (rows[i].value != NULL) || is != weir_query_has(rows[i].target, "a") ||
            (is && strcmp(value, rows[i].value) != 0))
            fail_msg("%s: %s", rows[i].target, is ? value : "none");
    }
}

static void limits(void **state)
{
    char out[4];
    size_t len = 0;
    (void)state;
    assert_false(weir_query_value("/x?a=four", "a", out, sizeof(out)));
    assert_true(weir_query_has("/x?a=four", "a"));
    assert_int_equal(weir_query_decode(weir_bytes_str("%66our"), out, sizeof(out), NULL), WEIR_E_TOO_LARGE);
    assert_int_equal(weir_query_decode(weir_bytes_str("a%00b"), out, sizeof(out), &len), 0);
    assert_memory_equal(out, "a\0b", 4);
    assert_int_equal(len, 3);
}

static void broken_escapes(void **state)
{
    static const char *const rows[] = {"%", "%4", "a%4", "%g0", "%0g", "%%41"};
    char out[16];
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(weir_query_decode(weir_bytes_str(rows[i]), out, sizeof(out), NULL), WEIR_E_INVALID);
    assert_int_equal(weir_query_decode(weir_bytes("%412", 2), out, sizeof(out), NULL), WEIR_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(limits),
        cmocka_unit_test(broken_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
