/* Validity, error places, member spans and splicing of common/json.h. */
#include "support/test.h"

#include "common/json.h"

#include <stdlib.h>

static struct weir_bytes text(const char *literal)
{
    return weir_bytes_str(literal);
}

static void accepts(const char *literal)
{
    WEIR_CLEANUP(json) json_t *value = NULL;
    struct weir_error err = {0};

    if (weir_json_parse(text(literal), &value, &err) != 0)
        fail_msg("%s: %s", literal, err.text);
    assert_non_null(value);
}

/* `says` has to stand in the error. */
static void refuses_bytes(struct weir_bytes input, const char *says)
{
    json_t *value = NULL;
    struct weir_error err = {0};

    assert_int_equal(weir_json_parse(input, &value, &err), WEIR_E_INVALID);
    assert_null(value);
    if (strstr(err.text, says) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", says, err.text);
    assert_null(strchr(err.text, '\n'));
}

static void refuses(const char *literal, const char *says)
{
    refuses_bytes(text(literal), says);
}

static void accepts_any_value(void **state)
{
    (void)state;
    static const char *const literals[] = {"{}", "[]", "null", "true", "\"x\"", "0", "-0", "1e2", "19.99",
        " {\"a\" : [1, {\"b\":null}]}\r\n\t", "9223372036854775807", "-9223372036854775808", "1e308",
        "1e-400", "\"\\u00e9\\ud83d\\ude00\"", "\"\xc3\xa9\""};

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++)
        accepts(literals[i]);
}

static void refuses_what_is_no_json(void **state)
{
    (void)state;
    static const char *const literals[] = {"", " ", "{", "{]", "[1,]", "{\"a\":1,}", "{'a':1}", "nul", "NaN",
        "Infinity", "+1", "01", "1.", ".5", "1 2", "{} {}", "\"\\x\"", "\"\\ud800\"", "\"\t\"", "/* */ 1",
        "\xef\xbb\xbf{}", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"abc", "{\"a\"", "{\"a\":"};

    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++)
        refuses(literals[i], "invalid JSON");
}

static void refuses_nul(void **state)
{
    (void)state;
    refuses("{\"a\":\"x\\u0000y\"}", "\\u0000");
    refuses("{\"x\\u0000y\":1}", "u0000");
    refuses_bytes(weir_bytes("{\"a\":\"x\0y\"}", 11), "byte");
    refuses_bytes(weir_bytes("{}\0", 3), "byte");
    refuses_bytes(WEIR_BYTES_NULL, "empty");
}

static void refuses_duplicates_also_escaped(void **state)
{
    (void)state;
    refuses("{\"a\":1,\"a\":1}", "pointer \"/a\"");
    refuses("{\"o\":{\"n\":1,\"\\u006e\":2}}", "duplicate");
    accepts("{\"a\":{\"a\":1},\"b\":{\"a\":1}}");
}

static void names_the_pointer_of_what_it_refuses(void **state)
{
    (void)state;
    refuses("{\"items\":[{\"price\":1},{\"price\":9223372036854775808}]}", "pointer \"/items/1/price\"");
    refuses("{\"items\":[{\"price\":-9223372036854775809}]}", "pointer \"/items/0/price\"");
    refuses("{\"a\":{\"b/c~d\":1e400}}", "pointer \"/a/b~1c~0d\"");
    refuses("[0,[1,2,-1e400]]", "pointer \"/1/2\"");
    refuses("{\"x\":{\"y\":1},\"z\":tru}", "pointer \"/z\"");
    refuses("1e999", "pointer \"\"");
}

static void names_the_byte_of_what_it_refuses(void **state)
{
    (void)state;
    refuses("{\"a\":1 ]", "byte 8");
    refuses("{\"\xc3\xa9\":x}", "byte 7"); /* bytes, not characters */
}

static char *nested(char open, char close, size_t depth)
{
    char *out = malloc(2 * depth + 1);

    assert_non_null(out);
    memset(out, open, depth);
    memset(out + depth, close, depth);
    out[2 * depth] = '\0';
    return out;
}

static void refuses_a_nul_anywhere(void **state)
{
    (void)state;
    static const struct weir_bytes texts[] = {{"\0{}", 3}, {"{}\0", 3}, {"{\"a\":1\0}", 8}, {"[1\0,2]", 6},
        {"{\"a\"\0:1}", 8}, {"1\0", 2}, {"[1.5e3\0]", 8}, {"[true\0]", 7}, {"\"a\0\"", 4}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        json_t *value = NULL;
        assert_int_equal(weir_json_parse(texts[i], &value, NULL), WEIR_E_INVALID);
        assert_null(value);
    }
}

static void limits_depth(void **state)
{
    (void)state;
    char *fits = nested('[', ']', WEIR_JSON_DEPTH_MAX), *deep = nested('[', ']', WEIR_JSON_DEPTH_MAX + 1);

    accepts(fits);
    refuses(deep, "nested deeper than 32 levels");
    accepts("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"");
    free(fits);
    free(deep);
}

static void an_event_may_hold_the_deepest_document(void **state)
{
    (void)state;
    WEIR_CLEANUP(json) json_t *event = NULL;
    json_t *none = NULL;
    char *document = nested('[', ']', WEIR_JSON_DEPTH_MAX),
         *deeper = nested('[', ']', WEIR_JSON_DEPTH_MAX + 1);
    char text_of_event[256];

    snprintf(text_of_event, sizeof(text_of_event), "{\"after\":%s}", document);
    assert_int_equal(weir_json_parse_event(text(text_of_event), &event, NULL), 0);
    snprintf(text_of_event, sizeof(text_of_event), "{\"after\":%s}", deeper);
    assert_int_equal(weir_json_parse_event(text(text_of_event), &none, NULL), WEIR_E_INVALID);
    free(document);
    free(deeper);
}

/* A million brackets would overrun the stack of whatever recurses. */
static void survives_a_bomb(void **state)
{
    (void)state;
    char *bomb = nested('[', ']', 1000000), *objects = malloc(5 * 200000 + 1);

    refuses(bomb, "nested deeper");
    assert_non_null(objects);
    for (size_t i = 0; i < 200000; i++)
        memcpy(objects + 5 * i, "{\"a\":", 5);
    objects[5 * 200000] = '\0';
    refuses(objects, "nested deeper");
    free(bomb);
    free(objects);
}

static void a_document_has_to_be_an_object(void **state)
{
    (void)state;
    WEIR_CLEANUP(json) json_t *object = NULL;
    json_t *none = NULL;

    assert_int_equal(weir_json_parse_object(text("{\"a\":1}"), &object, NULL), 0);
    assert_int_equal(weir_json_parse_object(text("[1]"), &none, NULL), WEIR_E_INVALID);
    assert_null(none);
}

static void member_is(const char *object, const char *name, const char *expected)
{
    struct weir_bytes found = weir_json_member(text(object), name);

    if (!weir_bytes_equal(found, text(expected)))
        fail_msg("%s of %s is %.*s", name, object, (int)found.len, found.data != NULL ? found.data : "");
}

static void finds_members_as_they_are_written(void **state)
{
    (void)state;
    static const char object[] =
        " { \"a\" : 19.990 ,\"b\":{\"a\":2, \"x\":\"}\"}, \"c\":[ 1,[2]],\"d\":\"q\\\"]}\","
        "\"e\":null,\"f\": true\n} ";

    member_is(object, "a", "19.990");
    member_is(object, "b", "{\"a\":2, \"x\":\"}\"}");
    member_is(object, "c", "[ 1,[2]]");
    member_is(object, "d", "\"q\\\"]}\"");
    member_is(object, "e", "null");
    member_is(object, "f", "true");
    member_is(object, "x", NULL);
    member_is(object, "", NULL);
    member_is("{}", "a", NULL);
    member_is("{\"\":1}", "", "1");
}

static void compares_names_decoded(void **state)
{
    (void)state;
    member_is("{\"order\\u0049D\":1}", "orderID", "1");
    member_is("{\"a\\/b\":1,\"\\u00e9\":2}", "a/b", "1");
    member_is("{\"a\\/b\":1,\"\\u00e9\":2}", "\xc3\xa9", "2");
    member_is("{\"a\\nb\":1}", "a\\nb", NULL); /* as written, but not as meant */
    member_is("{\"orderIDs\":1,\"orderI\":2}", "orderID", NULL);
}

static void decodes_string_members(void **state)
{
    (void)state;
    WEIR_CLEANUP(free) char *plain = NULL;
    WEIR_CLEANUP(free) char *escaped = NULL;
    char *none = NULL;
    struct weir_bytes object = text("{\"a\":\"o-1\",\"b\":\"\\u00e9\\n\",\"c\":5}");

    assert_int_equal(weir_json_member_string(object, "a", &plain, NULL), 0);
    assert_string_equal(plain, "o-1");
    assert_int_equal(weir_json_member_string(object, "b", &escaped, NULL), 0);
    assert_string_equal(escaped, "\xc3\xa9\n");
    assert_int_equal(weir_json_member_string(object, "c", &none, NULL), WEIR_E_INVALID);
    assert_int_equal(weir_json_member_string(object, "d", &none, NULL), WEIR_E_NOT_FOUND);
}

static void splice_is(const char *object, const char *expected)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};

    weir_json_splice_first(text(object), "orderID", text("\"o-1\""), &out);
    assert_string_equal(out.data, expected);
    accepts(out.data);
}

static void splices_and_keeps_every_byte(void **state)
{
    (void)state;
    splice_is("{\"total\":19.990}", "{\"orderID\":\"o-1\",\"total\":19.990}");
    splice_is(" {\n \"a\" : 1e2 }\n", " {\"orderID\":\"o-1\",\n \"a\" : 1e2 }\n");
    splice_is("{}", "{\"orderID\":\"o-1\"}");
    splice_is("{ }", "{\"orderID\":\"o-1\" }");
}

static void follows_paths(void **state)
{
    (void)state;
    WEIR_CLEANUP(json) json_t *root = NULL;

    assert_int_equal(weir_json_parse(text("{\"after\":{\"customer\":{\"email\":\"a@b\"}}}"), &root, NULL), 0);
    assert_string_equal(json_string_value(weir_json_path(root, "after.customer.email")), "a@b");
    assert_non_null(weir_json_path(root, "after"));
    assert_null(weir_json_path(root, "after.customer.phone"));
    assert_null(weir_json_path(root, "after.customer.email.x"));
    assert_null(weir_json_path(root, "after."));
    assert_null(weir_json_path(root, ""));
    assert_null(weir_json_path(NULL, "after"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(accepts_any_value),
    cmocka_unit_test(refuses_what_is_no_json),
    cmocka_unit_test(refuses_nul),
    cmocka_unit_test(refuses_duplicates_also_escaped),
    cmocka_unit_test(names_the_pointer_of_what_it_refuses),
    cmocka_unit_test(names_the_byte_of_what_it_refuses),
    cmocka_unit_test(refuses_a_nul_anywhere),
    cmocka_unit_test(limits_depth),
    cmocka_unit_test(an_event_may_hold_the_deepest_document),
    cmocka_unit_test(survives_a_bomb),
    cmocka_unit_test(a_document_has_to_be_an_object),
    cmocka_unit_test(finds_members_as_they_are_written),
    cmocka_unit_test(compares_names_decoded),
    cmocka_unit_test(decodes_string_members),
    cmocka_unit_test(splices_and_keeps_every_byte),
    cmocka_unit_test(follows_paths),
};

WEIR_TEST_MAIN(tests)
