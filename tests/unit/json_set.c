/* weir_json_set of common/json.h: a value replaced by its pointer, all other bytes kept. */
#include "support/test.h"

#include "common/json.h"

static void assert_set(const char *text, const char *pointer, const char *value, const char *expected)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct weir_error err = {0};

    int code = weir_json_set(weir_bytes_str(text), pointer, weir_bytes_str(value), &out, &err);
    if (code < 0)
        fail_msg("%s: %s", pointer, err.text);
    assert_string_equal(out.data, expected);
}

static void assert_refused(const char *text, const char *pointer, int wanted, const char *part)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct weir_error err = {0};

    assert_int_equal(weir_json_set(weir_bytes_str(text), pointer, weir_bytes_str("1"), &out, &err), wanted);
    if (strstr(err.text, part) == NULL)
        fail_msg("no \"%s\" in \"%s\"", part, err.text);
}

static void replaces_a_value_and_keeps_the_rest(void **state)
{
    (void)state;
    assert_set(" { \"a\" : 19.990, \"b\":[ 1 , {\"c\": \"x\" } ] }\n", "/b/1/c", "\"y\"",
        " { \"a\" : 19.990, \"b\":[ 1 , {\"c\": \"y\" } ] }\n");
    assert_set("{\"a\":{\"b\":[1,2]},\"c\":1e2}", "/a", "null", "{\"a\":null,\"c\":1e2}");
    assert_set("[1,2,3]", "/2", "{}", "[1,2,{}]");
}

static void adds_a_member_behind_the_others(void **state)
{
    (void)state;
    assert_set("{}", "/a", "1", "{\"a\":1}");
    assert_set("{ \"a\":1 }", "/b", "2", "{ \"a\":1,\"b\":2 }");
    assert_set("{\"a\":{}}", "/a/q\"", "2", "{\"a\":{\"q\\\"\":2}}");
}

static void decodes_names(void **state)
{
    (void)state;
    assert_set("{\"a/b\":1,\"~\":2,\"\":3}", "/a~1b", "9", "{\"a/b\":9,\"~\":2,\"\":3}");
    assert_set("{\"a/b\":1,\"~\":2,\"\":3}", "/~0", "9", "{\"a/b\":1,\"~\":9,\"\":3}");
    assert_set("{\"a/b\":1,\"~\":2,\"\":3}", "/", "9", "{\"a/b\":1,\"~\":2,\"\":9}");
    assert_set("{\"\\u0061\":1}", "/a", "9", "{\"\\u0061\":9}");
}

static void the_empty_pointer_replaces_even_what_is_no_json(void **state)
{
    (void)state;
    assert_set("{\"orderID\":\"o-3\",", "", "{\"orderID\":\"o-3\"}", "{\"orderID\":\"o-3\"}");
}

static void refuses_what_leads_nowhere(void **state)
{
    (void)state;
    assert_refused("{\"a\":1", "/a", WEIR_E_INVALID, "/a: ");
    assert_refused("", "/a", WEIR_E_INVALID, "/a: ");
    assert_refused("{\"a\":1}", "a", WEIR_E_INVALID, "begins with /");
    assert_refused("{\"a\":1}", "/~2", WEIR_E_INVALID, "~ is followed");
    assert_refused("{\"a\":1}", "/~", WEIR_E_INVALID, "~ is followed");
    assert_refused("{\"a\":1}", "/a/b", WEIR_E_NOT_FOUND, "no object");
    assert_refused("{\"a\":1}", "/b/c", WEIR_E_NOT_FOUND, "no member \"b\"");
    assert_refused("{\"a\":[]}", "/a/0", WEIR_E_NOT_FOUND, "no element \"0\"");
    assert_refused("{\"a\":[1]}", "/a/00", WEIR_E_NOT_FOUND, "no element");
    assert_refused("{\"a\":[1]}", "/a/-", WEIR_E_NOT_FOUND, "no element");
    assert_refused("{\"a\":[1]}", "/a/99999999999999999999", WEIR_E_NOT_FOUND, "no element");
    assert_refused("1", "/a", WEIR_E_NOT_FOUND, "no object");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(replaces_a_value_and_keeps_the_rest),
    cmocka_unit_test(adds_a_member_behind_the_others),
    cmocka_unit_test(decodes_names),
    cmocka_unit_test(the_empty_pointer_replaces_even_what_is_no_json),
    cmocka_unit_test(refuses_what_leads_nowhere),
};
WEIR_TEST_MAIN(tests)
