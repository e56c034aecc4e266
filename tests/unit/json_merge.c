/* weir_json_merge: RFC 7396 on text. */
#include "support/test.h"

#include "common/json.h"

#include <stdlib.h>
#include <time.h>

static void merge_is(const char *target, const char *patch, const char *expected)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    WEIR_CLEANUP(json) json_t *parsed = NULL;

    assert_int_equal(weir_json_merge(weir_bytes_str(target), weir_bytes_str(patch), &out), 0);
    if (strcmp(out.data, expected) != 0)
        fail_msg("%s with %s is %s, not %s", target != NULL ? target : "(null)", patch, out.data, expected);
    assert_int_equal(weir_json_parse(weir_buffer_bytes(&out), &parsed, NULL), 0);
}

/* https://www.rfc-editor.org/rfc/rfc7396#appendix-A, all fifteen. */
static void does_all_of_appendix_a(void **state)
{
    (void)state;
    merge_is("{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    merge_is("{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}");
    merge_is("{\"a\":\"b\"}", "{\"a\":null}", "{}");
    merge_is("{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}");
    merge_is("{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}");
    merge_is("{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}");
    merge_is("{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}");
    merge_is("{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}");
    merge_is("[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]");
    merge_is("{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]");
    merge_is("{\"a\":\"foo\"}", "null", "null");
    merge_is("{\"a\":\"foo\"}", "\"bar\"", "\"bar\"");
    merge_is("{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}");
    merge_is("[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}");
    merge_is("{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}");
}

static void takes_no_target_for_an_empty_object(void **state)
{
    (void)state;
    merge_is(NULL, "{\"a\":1.50,\"b\":null}", "{\"a\":1.50}");
    merge_is(NULL, "{}", "{}");
}

static void keeps_untouched_bytes_and_places(void **state)
{
    (void)state;
    merge_is("{ \"a\" : 19.990,\n  \"b\":{\"x\":1e2 , \"y\":\"\\u00e9\"},\n  \"c\":0.10 }",
        "{\"b\":{\"y\":2.0}}", "{ \"a\" : 19.990,\n  \"b\":{\"x\":1e2 , \"y\":2.0},\n  \"c\":0.10 }");
    merge_is("{\"z\":1,\"a\":2,\"m\":3}", "{\"q\":9,\"m\":4,\"a\":null}", "{\"z\":1,\"m\":4,\"q\":9}");
    merge_is("{\"a\":[1, 2.0 ,{\"x\":null}]}", "{}", "{\"a\":[1, 2.0 ,{\"x\":null}]}");
}

static void removes_first_middle_last_and_all(void **state)
{
    (void)state;
    merge_is("{ \"a\":1 , \"b\":2 , \"c\":3 }", "{\"a\":null}", "{ \"b\":2 , \"c\":3 }");
    merge_is("{ \"a\":1 , \"b\":2 , \"c\":3 }", "{\"b\":null}", "{ \"a\":1 , \"c\":3 }");
    merge_is("{ \"a\":1 , \"b\":2 , \"c\":3 }", "{\"c\":null}", "{ \"a\":1 , \"b\":2 }");
    merge_is("{ \"a\":1 , \"b\":2 , \"c\":3 }", "{\"a\":null,\"b\":null}", "{ \"c\":3 }");
    merge_is("{ \"a\":1 , \"b\":2 }", "{\"a\":null,\"b\":null}", "{ }");
    merge_is("{ \"a\":1 , \"b\":2 }", "{\"a\":null,\"b\":null,\"c\":3}", "{\"c\":3 }");
}

static void keeps_null_inside_arrays(void **state)
{
    (void)state;
    merge_is("{}", "{\"a\":[null,{\"b\":null}]}", "{\"a\":[null,{\"b\":null}]}");
}

static void meets_names_that_are_escaped(void **state)
{
    (void)state;
    merge_is("{\"na\\u006de\":1,\"b\":2}", "{\"name\":3}", "{\"na\\u006de\":3,\"b\":2}");
    merge_is("{\"name\":1,\"b\":2}", "{\"\\u006eame\":null}", "{\"b\":2}");
    merge_is("{\"a/b\":1}", "{\"a\\/b\":{\"c\":null,\"d\":1}}", "{\"a/b\":{\"d\":1}}");
}

static void drops_space_around_the_whole(void **state)
{
    (void)state;
    merge_is(" {\"a\":1}\n", "\t{\"b\":2} ", "{\"a\":1,\"b\":2}");
    merge_is("{\"a\":1}", " null ", "null");
    merge_is("{\"a\": 1}", "{\"a\" : {\"x\" : 2 }}", "{\"a\": {\"x\":2}}");
}

/* n members a side: n² comparisons of 30,000 names would take most of a minute. */
static void large_patches_cost_little(void **state)
{
    (void)state;
    enum { MEMBERS = 30000 };
    WEIR_CLEANUP(buffer) struct weir_buffer target = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer patch = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    for (int i = 0; i < MEMBERS; i++) {
        weir_buffer_printf(&target, "%s\"%d\":1", i == 0 ? "{" : ",", i);
        weir_buffer_printf(&patch, "%s\"%d\":2", i == 0 ? "{" : ",", MEMBERS - 1 - i);
    }
    weir_buffer_append_str(&target, "}");
    weir_buffer_append_str(&patch, "}");
    clock_t begin = clock();
    assert_int_equal(weir_json_merge(weir_buffer_bytes(&target), weir_buffer_bytes(&patch), &out), 0);
    assert_true(clock() - begin < 2 * CLOCKS_PER_SEC);
    assert_int_equal(out.len, target.len);
    assert_true(weir_bytes_is(weir_json_member(weir_buffer_bytes(&out), "29999"), "2"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(does_all_of_appendix_a),
    cmocka_unit_test(takes_no_target_for_an_empty_object),
    cmocka_unit_test(keeps_untouched_bytes_and_places),
    cmocka_unit_test(removes_first_middle_last_and_all),
    cmocka_unit_test(keeps_null_inside_arrays),
    cmocka_unit_test(meets_names_that_are_escaped),
    cmocka_unit_test(drops_space_around_the_whole),
    cmocka_unit_test(large_patches_cost_little),
};

WEIR_TEST_MAIN(tests)
