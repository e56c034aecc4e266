/* Filter policies: what matches, what is refused and where. */
#include "support/test.h"

#include "common/filter.h"

#include <malloc.h>
#include <stdlib.h>

static json_t *json_of(const char *text)
{
    json_error_t fault;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &fault);
    if (value == NULL)
        fail_msg("%s: %s", text, fault.text);
    return value;
}

static struct weir_filter *filter_of(const char *policy)
{
    WEIR_CLEANUP(json) json_t *value = json_of(policy);
    struct weir_filter *filter = NULL;
    struct weir_error err;

    if (weir_filter_parse(value, &filter, NULL, &err) < 0)
        fail_msg("%s: %s", policy, err.text);
    return filter;
}

struct match {
    const char *policy, *event;
    bool wanted;
};

static void check_matches(const struct match *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        WEIR_CLEANUP(filter) struct weir_filter *filter = filter_of(cases[i].policy);
        WEIR_CLEANUP(json) json_t *event = json_of(cases[i].event);
        if (weir_filter_matches(filter, event) != cases[i].wanted)
            fail_msg(
                "%s %s %s", cases[i].policy, cases[i].wanted ? "does not match" : "matches", cases[i].event);
    }
}

#define CHECK_MATCHES(cases) check_matches(cases, sizeof(cases) / sizeof((cases)[0]))

static void compares_values_exactly(void **state)
{
    static const struct match cases[] = {
        {"{\"a\":[\"x\"]}", "{\"a\":\"x\"}", true},
        {"{\"a\":[\"x\"]}", "{\"a\":\"X\"}", false},
        {"{\"a\":[\"x\",\"y\"]}", "{\"a\":\"y\"}", true},
        {"{\"a\":[\"x\"]}", "{}", false},
        {"{\"a\":[\"1\"]}", "{\"a\":1}", false},
        {"{\"a\":[1]}", "{\"a\":1.0}", true},
        {"{\"a\":[19.99]}", "{\"a\":19.99}", true},
        {"{\"a\":[9007199254740993]}", "{\"a\":9007199254740992}", false},
        {"{\"a\":[9223372036854775807]}", "{\"a\":9.223372036854775807e18}", false},
        {"{\"a\":[true]}", "{\"a\":true}", true},
        {"{\"a\":[true]}", "{\"a\":1}", false},
        {"{\"a\":[false]}", "{\"a\":null}", false},
        {"{\"a\":[null]}", "{\"a\":null}", true},
        {"{\"a\":[null]}", "{}", false},
        {"{\"a\":[\"\"]}", "{\"a\":\"\"}", true},
        {"{\"a\":[\"x\"]}", "{\"a\":{\"x\":\"x\"}}", false},
        {"{\"a\":[\"x\"],\"b\":[1]}", "{\"a\":\"x\",\"b\":2}", false},
        {"{\"a\":[\"x\"],\"b\":[1]}", "{\"a\":\"x\",\"b\":1}", true},
        {"{}", "{\"a\":1}", true},
    };
    (void)state;
    CHECK_MATCHES(cases);
}

static void compares_parts_of_texts(void **state)
{
    static const struct match cases[] = {
        {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":\"abc\"}", true},
        {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":\"ab\"}", true},
        {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":\"a\"}", false},
        {"{\"a\":[{\"prefix\":\"ab\"}]}", "{\"a\":12}", false},
        {"{\"a\":[{\"suffix\":\".de\"}]}", "{\"a\":\"x.de\"}", true},
        {"{\"a\":[{\"suffix\":\".de\"}]}", "{\"a\":\"de\"}", false},
        {"{\"a\":[{\"equals-ignore-case\":\"Ship\"}]}", "{\"a\":\"sHIP\"}", true},
        {"{\"a\":[{\"equals-ignore-case\":\"ship\"}]}", "{\"a\":\"ships\"}", false},
        {"{\"a\":[{\"equals-ignore-case\":\"[\"}]}", "{\"a\":\"{\"}", false},
    };
    (void)state;
    CHECK_MATCHES(cases);
}

static void takes_anything_but(void **state)
{
    static const struct match cases[] = {
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":\"y\"}", true},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":\"x\"}", false},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":1}", true},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{}", false},
        {"{\"a\":[{\"anything-but\":\"x\"}]}", "{\"a\":{}}", false},
        {"{\"a\":[{\"anything-but\":[1,2]}]}", "{\"a\":3}", true},
        {"{\"a\":[{\"anything-but\":[1,2]}]}", "{\"a\":2}", false},
        {"{\"a\":[{\"anything-but\":[1,2]}]}", "{\"a\":[1,2]}", false},
        {"{\"a\":[{\"anything-but\":[1,2]}]}", "{\"a\":[1,3]}", true},
        {"{\"a\":[{\"anything-but\":{\"prefix\":\"o-\"}}]}", "{\"a\":\"o-1\"}", false},
        {"{\"a\":[{\"anything-but\":{\"prefix\":\"o-\"}}]}", "{\"a\":\"p-1\"}", true},
        {"{\"a\":[{\"anything-but\":{\"suffix\":\"-1\"}}]}", "{\"a\":\"o-1\"}", false},
        {"{\"a\":[{\"anything-but\":\"x\"},\"x\"]}", "{\"a\":\"x\"}", true},
    };
    (void)state;
    CHECK_MATCHES(cases);
}

static void compares_numbers(void **state)
{
    static const struct match cases[] = {
        {"{\"a\":[{\"numeric\":[\"=\",3.5]}]}", "{\"a\":3.5}", true},
        {"{\"a\":[{\"numeric\":[\"=\",3]}]}", "{\"a\":\"3\"}", false},
        {"{\"a\":[{\"numeric\":[\"<\",3]}]}", "{\"a\":3}", false},
        {"{\"a\":[{\"numeric\":[\"<\",3]}]}", "{\"a\":2.9999999}", true},
        {"{\"a\":[{\"numeric\":[\"<=\",3]}]}", "{\"a\":3}", true},
        {"{\"a\":[{\"numeric\":[\">\",3]}]}", "{\"a\":3}", false},
        {"{\"a\":[{\"numeric\":[\">\",3]}]}", "{\"a\":1e300}", true},
        {"{\"a\":[{\"numeric\":[\">=\",3]}]}", "{\"a\":3}", true},
        {"{\"a\":[{\"numeric\":[\">\",0,\"<=\",150]}]}", "{\"a\":150}", true},
        {"{\"a\":[{\"numeric\":[\">\",0,\"<=\",150]}]}", "{\"a\":0}", false},
        {"{\"a\":[{\"numeric\":[\"<\",150,\">\",0]}]}", "{\"a\":151}", false},
        {"{\"a\":[{\"numeric\":[\"<\",9223372036854775807]}]}", "{\"a\":9223372036854775806}", true},
        {"{\"a\":[{\"numeric\":[\">\",0]}]}", "{}", false},
    };
    (void)state;
    CHECK_MATCHES(cases);
}

static void asks_for_existence(void **state)
{
    static const struct match cases[] = {
        {"{\"a\":[{\"exists\":true}]}", "{\"a\":null}", true},
        {"{\"a\":[{\"exists\":true}]}", "{\"a\":[]}", true},
        {"{\"a\":[{\"exists\":true}]}", "{\"a\":{}}", true},
        {"{\"a\":[{\"exists\":true}]}", "{\"b\":1}", false},
        {"{\"a\":[{\"exists\":false}]}", "{\"b\":1}", true},
        {"{\"a\":[{\"exists\":false}]}", "{\"a\":[]}", false},
        {"{\"a.b\":[{\"exists\":false}]}", "{\"a\":3}", true},
        {"{\"a\":{\"b\":[{\"exists\":false}]}}", "{}", true},
        {"{\"a\":{\"b\":[{\"exists\":false},\"x\"]}}", "{\"a\":{\"b\":\"x\"}}", true},
        {"{\"a\":{\"b\":[{\"exists\":false},\"x\"]}}", "{\"a\":{\"b\":\"y\"}}", false},
    };
    (void)state;
    CHECK_MATCHES(cases);
}

static void goes_along_paths(void **state)
{
    static const struct match cases[] = {
        {"{\"after.status\":[\"SHIPPED\"]}", "{\"after\":{\"status\":\"SHIPPED\"}}", true},
        {"{\"after\":{\"status\":[\"SHIPPED\"]}}", "{\"after\":{\"status\":\"SHIPPED\"}}", true},
        {"{\"after.status\":[\"SHIPPED\"]}", "{\"after.status\":\"SHIPPED\"}", false},
        {"{\"after.a.b\":[1],\"after\":{\"a.c\":[2]}}", "{\"after\":{\"a\":{\"b\":1,\"c\":2}}}", true},
        {"{\"after.a.b\":[1],\"after\":{\"a.c\":[2]}}", "{\"after\":{\"a\":{\"b\":1,\"c\":3}}}", false},
        {"{\"a.b\":[1]}", "{\"a\":null}", false},
    };
    (void)state;
    CHECK_MATCHES(cases);
}

static void matches_one_element_of_an_array(void **state)
{
    static const char event[] =
        "{\"lines\":[{\"sku\":\"a\",\"n\":1},{\"sku\":\"b\",\"n\":2}],\"tags\":[\"x\",[\"y\"]],\"none\":[]}";
    static const struct match cases[] = {
        {"{\"tags\":[\"x\"]}", event, true},
        {"{\"tags\":[\"y\"]}", event, true},
        {"{\"tags\":[\"z\"]}", event, false},
        {"{\"lines.sku\":[\"b\"]}", event, true},
        {"{\"lines.sku\":[\"a\"],\"lines.n\":[2]}", event, true},
        {"{\"lines\":{\"sku\":[\"a\"],\"n\":[2]}}", event, false},
        {"{\"lines\":{\"sku\":[\"b\"],\"n\":[{\"numeric\":[\">\",1]}]}}", event, true},
        {"{\"none\":[\"x\"]}", event, false},
        {"{\"none\":[{\"anything-but\":\"x\"}]}", event, false},
        {"{\"none.a\":[{\"exists\":false}]}", event, true},
        {"{\"none\":{\"a\":[\"x\"]}}", event, false},
    };
    (void)state;
    CHECK_MATCHES(cases);
}

static void takes_either_policy(void **state)
{
    static const char policy[] =
        "{\"k\":[1],\"$or\":[{\"a\":[\"x\"]},{\"b\":{\"$or\":[{\"c\":[1]},{\"d\":[1]}]}}]}";
    static const struct match cases[] = {
        {policy, "{\"k\":1,\"a\":\"x\"}", true},
        {policy, "{\"k\":1,\"b\":{\"d\":1}}", true},
        {policy, "{\"k\":1,\"b\":{\"d\":2}}", false},
        {policy, "{\"k\":2,\"a\":\"x\"}", false},
        {policy, "{\"k\":1}", false},
        {"{\"lines\":{\"$or\":[{\"a\":[1],\"b\":[2]},{\"c\":[1]}]}}", "{\"lines\":[{\"a\":1},{\"b\":2}]}",
            false},
        {"{\"lines\":{\"$or\":[{\"a\":[1],\"b\":[2]},{\"c\":[1]}]}}",
            "{\"lines\":[{\"a\":1},{\"a\":1,\"b\":2}]}", true},
    };
    (void)state;
    CHECK_MATCHES(cases);
}

struct refusal {
    const char *policy, *pointer, *why;
};

static void check_refusals(const struct refusal *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        WEIR_CLEANUP(json) json_t *value = json_of(cases[i].policy);
        WEIR_CLEANUP(buffer) struct weir_buffer pointer = {0};
        WEIR_CLEANUP(filter) struct weir_filter *filter = NULL;
        struct weir_error err = {0};
        int code = weir_filter_parse(value, &filter, &pointer, &err);
        if (code != WEIR_E_INVALID || filter != NULL)
            fail_msg("%s is not refused: %d %s", cases[i].policy, code, err.text);
        if (!weir_bytes_equal(weir_buffer_bytes(&pointer), weir_bytes_str(cases[i].pointer)) &&
            pointer.len > 0)
            fail_msg("%s: at %.*s", cases[i].policy, (int)pointer.len, pointer.data);
        assert_int_equal(pointer.len, strlen(cases[i].pointer));
        if (strstr(err.text, cases[i].why) == NULL ||
            strncmp(err.text, cases[i].pointer, strlen(cases[i].pointer)) != 0)
            fail_msg("%s: %s", cases[i].policy, err.text);
    }
}

static void refuses_with_a_pointer(void **state)
{
    static const struct refusal cases[] = {
        {"[]", "", "has to be an object"},
        {"{\"a\":\"x\"}", "/a", "array of values"},
        {"{\"a\":3}", "/a", "array of values"},
        {"{\"a\":[]}", "/a", "holds no value"},
        {"{\"a\":{}}", "/a", "not empty"},
        {"{\"a\":{\"b\":null}}", "/a/b", "array of values"},
        {"{\"a\":[[1]]}", "/a/0", "an operator"},
        {"{\"a\":[1,{}]}", "/a/1", "exactly one operator"},
        {"{\"a\":[{\"prefix\":\"x\",\"suffix\":\"y\"}]}", "/a/0", "exactly one operator"},
        {"{\"a\":[{\"cidr\":\"10.0.0.0/8\"}]}", "/a/0/cidr", "cidr is not supported"},
        {"{\"a\":[{\"wildcard\":\"a*\"}]}", "/a/0/wildcard", "wildcard is not supported"},
        {"{\"a\":[{\"regex\":\"a*\"}]}", "/a/0/regex", "one of prefix, suffix"},
        {"{\"a\":[{\"prefix\":\"\"}]}", "/a/0/prefix", "not empty"},
        {"{\"a\":[{\"suffix\":1}]}", "/a/0/suffix", "a text"},
        {"{\"a\":[{\"equals-ignore-case\":[\"a\"]}]}", "/a/0/equals-ignore-case", "a text"},
        {"{\"a\":[{\"exists\":\"true\"}]}", "/a/0/exists", "true or false"},
        {"{\"a\":[{\"anything-but\":[]}]}", "/a/0/anything-but", "holds no value"},
        {"{\"a\":[{\"anything-but\":[\"x\",true]}]}", "/a/0/anything-but/1", "a text or a number"},
        {"{\"a\":[{\"anything-but\":null}]}", "/a/0/anything-but", "a text or a number"},
        {"{\"a\":[{\"anything-but\":{\"exists\":true}}]}", "/a/0/anything-but", "prefix"},
        {"{\"a\":[{\"anything-but\":{\"prefix\":3}}]}", "/a/0/anything-but/prefix", "a text"},
        {"{\"a\":[{\"numeric\":3}]}", "/a/0/numeric", "has to be"},
        {"{\"a\":[{\"numeric\":[\"=\",\"3\"]}]}", "/a/0/numeric", "has to be"},
        {"{\"a\":[{\"numeric\":[\"=\"]}]}", "/a/0/numeric", "has to be"},
        {"{\"a\":[{\"numeric\":[\"==\",3]}]}", "/a/0/numeric", "has to be"},
        {"{\"a\":[{\"numeric\":[\"\",3]}]}", "/a/0/numeric", "has to be"},
        {"{\"a\":[{\"numeric\":[\"<\",3,\"<\",4]}]}", "/a/0/numeric", "has to be"},
        {"{\"a\":[{\"numeric\":[\"=\",3,\"<\",4]}]}", "/a/0/numeric", "has to be"},
        {"{\"a\":[{\"numeric\":[\">\",4,\"<\",4]}]}", "/a/0/numeric", "no number"},
        {"{\"a\":[{\"numeric\":[\">=\",5,\"<=\",4]}]}", "/a/0/numeric", "no number"},
        {"{\"$or\":{\"a\":[1]}}", "/$or", "at least two"},
        {"{\"$or\":[{\"a\":[1]}]}", "/$or", "at least two"},
        {"{\"$or\":[{\"a\":[1]},{}]}", "/$or/1", "not empty"},
        {"{\"$or\":[{\"a\":[1]},{\"b\":[{\"cidr\":1}]}]}", "/$or/1/b/0/cidr", "cidr"},
        {"{\"a..b\":[1]}", "/a..b", "is empty"},
        {"{\"\":[1]}", "/", "is empty"},
        {"{\"a.\":[1]}", "/a.", "is empty"},
        {"{\"a/b~c\":1}", "/a~1b~0c", "array of values"},
    };
    (void)state;
    check_refusals(cases, sizeof(cases) / sizeof(cases[0]));
}

static void complains_in_one_line(void **state)
{
    (void)state;
    WEIR_CLEANUP(json) json_t *value = json_of("{\"a\\r\\nc\":1}");
    struct weir_filter *filter = NULL;
    struct weir_error err = {0};
    assert_int_equal(weir_filter_parse(value, &filter, NULL, &err), WEIR_E_INVALID);
    assert_null(strpbrk(err.text, "\r\n"));
}

static int parse_text(const char *policy)
{
    WEIR_CLEANUP(json) json_t *value = json_of(policy);
    WEIR_CLEANUP(filter) struct weir_filter *filter = NULL;
    struct weir_error err = {0};
    int code = weir_filter_parse(value, &filter, NULL, &err);
    assert_int_equal(code < 0, err.text[0] != '\0');
    assert_int_equal(code == 0, filter != NULL);
    return code;
}

/* `piece` with the number in the place of #. */
static void append_piece(struct weir_buffer *text, const char *piece, int number)
{
    const char *mark = strchr(piece, '#');
    weir_buffer_append(text, piece, (size_t)(mark - piece));
    weir_buffer_printf(text, "%d%s", number, mark + 1);
}

/* `count` times `piece` between what opens and closes. */
static int parse_repeated(const char *open, const char *piece, const char *last, const char *close, int count)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    weir_buffer_append_str(&text, open);
    for (int i = 0; i + 1 < count; i++)
        append_piece(&text, piece, i);
    weir_buffer_append_str(&text, last);
    weir_buffer_append_str(&text, close);
    return parse_text(text.data);
}

static void keeps_its_limits(void **state)
{
    (void)state;
    assert_int_equal(parse_repeated("{\"a\":[", "#,", "0", "]}", WEIR_FILTER_VALUES_MAX), 0);
    assert_int_equal(
        parse_repeated("{\"a\":[", "#,", "0", "]}", WEIR_FILTER_VALUES_MAX + 1), WEIR_E_TOO_LARGE);
    assert_int_equal(parse_repeated("{\"a\":[{\"anything-but\":[", "#,", "0", "]}]}", WEIR_FILTER_VALUES_MAX),
        WEIR_E_TOO_LARGE);
    assert_int_equal(parse_repeated("{", "\"a#\":[1],", "\"b\":[1]", "}", WEIR_FILTER_KEYS_MAX), 0);
    assert_int_equal(
        parse_repeated("{", "\"a#\":[1],", "\"b\":[1]", "}", WEIR_FILTER_KEYS_MAX + 1), WEIR_E_TOO_LARGE);
    assert_int_equal(parse_repeated("{\"", "a#.", "z", "\":[1]}", WEIR_FILTER_DEPTH_MAX), 0);
    assert_int_equal(
        parse_repeated("{\"", "a#.", "z", "\":[1]}", WEIR_FILTER_DEPTH_MAX + 1), WEIR_E_TOO_LARGE);
    assert_int_equal(parse_repeated("{\"", "a#.", "z", "\":[1]}", 5000), WEIR_E_TOO_LARGE);
    assert_int_equal(
        parse_repeated("{\"a\":[\"", "#", "x", "\"]}", WEIR_FILTER_TEXT_MAX + 2), WEIR_E_TOO_LARGE);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    for (int depth = WEIR_FILTER_DEPTH_MAX - 1; depth <= 1000; depth += 492) {
        WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
        for (int i = 0; i < depth; i++)
            weir_buffer_append_str(&text, "{\"$or\":[{\"b\":[1]},");
        weir_buffer_append_str(&text, "{\"a\":[1]}");
        for (int i = 0; i < depth; i++)
            weir_buffer_append_str(&text, "]}");
        assert_int_equal(parse_text(text.data), depth < WEIR_FILTER_DEPTH_MAX ? 0 : WEIR_E_TOO_LARGE);
    }
}

static void tells_what_it_asks_for(void **state)
{
    (void)state;
    WEIR_CLEANUP(filter)
    struct weir_filter *filter =
        filter_of("{\"op\":[\"u\"],\"after.x\":[1],\"$or\":[{\"before.x\":[1]},{\"y\":{\"z\":[1]}}]}");
    assert_true(weir_filter_names(filter, "op"));
    assert_true(weir_filter_names(filter, "after"));
    assert_true(weir_filter_names(filter, "before"));
    assert_true(weir_filter_names(filter, "y"));
    assert_false(weir_filter_names(filter, "x"));
    assert_false(weir_filter_names(filter, "z"));
}

/* Matching runs for each of thousands of subscribers: it must not touch the heap. */
static void matching_allocates_nothing(void **state)
{
    (void)state;
    WEIR_CLEANUP(filter)
    struct weir_filter *filter = filter_of("{\"a\":{\"b\":[{\"anything-but\":[\"x\",1]},{\"prefix\":\"q\"}]},"
                                           "\"$or\":[{\"c\":[1]},{\"d\":[{\"numeric\":[\">\",1]}]}]}");
    WEIR_CLEANUP(json) json_t *event = json_of("{\"a\":[{\"b\":\"x\"},{\"b\":[1,\"y\"]}],\"d\":[0,1,2]}");
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < 1000; i++)
        assert_true(weir_filter_matches(filter, event));
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(after.uordblks, before.uordblks);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(compares_values_exactly),
    cmocka_unit_test(compares_parts_of_texts),
    cmocka_unit_test(takes_anything_but),
    cmocka_unit_test(compares_numbers),
    cmocka_unit_test(asks_for_existence),
    cmocka_unit_test(goes_along_paths),
    cmocka_unit_test(matches_one_element_of_an_array),
    cmocka_unit_test(takes_either_policy),
    cmocka_unit_test(refuses_with_a_pointer),
    cmocka_unit_test(complains_in_one_line),
    cmocka_unit_test(keeps_its_limits),
    cmocka_unit_test(nesting_is_bounded),
    cmocka_unit_test(tells_what_it_asks_for),
    cmocka_unit_test(matching_allocates_nothing),
};

WEIR_TEST_MAIN(tests)
