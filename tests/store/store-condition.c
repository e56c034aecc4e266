/* Entity tags in lists, as HTTP and as people write them. */
#include "consumers/plugins/store/condition.h"
#include "support/test.h"

static bool holds(const char *if_match, const char *if_none_match, const char *tag)
{
    return weir_condition_holds(weir_bytes_str(if_match), weir_bytes_str(if_none_match), weir_bytes_str(tag));
}

static void if_match_compares_strongly(void **state)
{
    (void)state;
    assert_true(holds("\"a\"", NULL, "a"));
    assert_true(holds("\"x\", \"a\"", NULL, "a"));
    assert_true(holds(" a ", NULL, "a"));
    assert_true(holds("\"a,b\"", NULL, "a,b"));
    assert_true(holds("*", NULL, "a"));
    assert_false(holds("*", NULL, NULL));
    assert_false(holds("W/\"a\"", NULL, "a"));
    assert_false(holds("\"a\"", NULL, "ab"));
    assert_false(holds("\"a", NULL, NULL));
    assert_false(holds("", NULL, "a"));
    assert_false(holds("*, \"b\"", NULL, "a"));
}

static void if_none_match_compares_weakly(void **state)
{
    (void)state;
    assert_false(holds(NULL, "*", "a"));
    assert_true(holds(NULL, "*", NULL));
    assert_false(holds(NULL, "W/\"a\"", "a"));
    assert_false(holds(NULL, "\"b\",\"a\"", "a"));
    assert_true(holds(NULL, "\"b\"", "a"));
    assert_true(holds(NULL, "\"a\"", NULL));
}

static void both_have_to_hold(void **state)
{
    (void)state;
    assert_true(holds(NULL, NULL, NULL));
    assert_true(holds("\"a\"", "\"b\"", "a"));
    assert_false(holds("\"a\"", "\"a\"", "a"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(if_match_compares_strongly),
    cmocka_unit_test(if_none_match_compares_weakly),
    cmocka_unit_test(both_have_to_hold),
};
WEIR_TEST_MAIN(tests)
