/* The quick look and jansson, judged against each other: what the first accepts the second must accept, and
 * what the first builds has to be the second's value. */
#include "common/json_plain.h"
#include "common/json.h"
#include "support/test.h"

#include <stdlib.h>

static bool look(const char *text, struct weir_bytes *ret_member)
{
    return weir_json_is_plain_object(weir_bytes_str(text), "id", ret_member);
}

static void ordinary_documents_are_plain(void **state)
{
    static const struct {
        const char *text, *member;
    } rows[] = {
        {"{}", NULL},
        {" {\"id\" : \"o-1\" ,\"a\":[1,-2.50,1e5,0,-0,true,false,null,{},[]]}\r\n", "\"o-1\""},
        {"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\",\"id\":17}", "17"},
        {"{\"a\":{\"id\":1},\"ab\":2}", NULL},
        {"{\"n\":123456789012345678}", NULL},
    };
    struct weir_bytes member;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!look(rows[i].text, &member))
            fail_msg("not plain: %s", rows[i].text);
        assert_true(weir_bytes_equal(member, weir_bytes_str(rows[i].member)));
    }
}

static void the_unusual_is_left_to_jansson(void **state)
{
    static const char *const texts[] = {"", "[]", "1", "{", "{}x", "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", "{\"a\":\"\\u0041\"}", "{\"\\n\":1}", "{\"id\":\"a\\\\b\"}",
        "{\"a\":1e400}", "{\"a\":12345678901234567890}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}",
        "{\"a\":+1}", "{\"a\":-}", "{\"a\":1e}", "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}",
        "{\"a\":\"\xed\xa0\x80\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":tru}", "{\"a\":1,}", "{,}", "{\"a\" 1}",
        "{\"a\":}", "{\"a\":[1,]}", "{\"a\":\"\\x\"}", "{\"a\":\"", "{\"a", "\xef\xbb\xbf{}", "{\"\":1}"};
    struct weir_bytes member;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (look(texts[i], &member))
            fail_msg("taken for plain: %s", texts[i]);
}

static void depth_is_bounded_alike(void **state)
{
    char text[3 * WEIR_JSON_DEPTH_MAX + 8];
    struct weir_bytes member;
    WEIR_CLEANUP(json) json_t *value = NULL;

    (void)state;
    for (size_t arrays = WEIR_JSON_DEPTH_MAX - 2; arrays <= WEIR_JSON_DEPTH_MAX; arrays++) {
        size_t len = 0;
        memcpy(text, "{\"a\":", 5);
        len += 5;
        memset(text + len, '[', arrays);
        memset(text + len + arrays, ']', arrays);
        len += 2 * arrays;
        memcpy(text + len, "}", 2);
        bool fits = arrays + 1 <= WEIR_JSON_DEPTH_MAX;
        assert_int_equal(look(text, &member), fits);
        assert_int_equal(weir_json_parse_object(weir_bytes_str(text), &value, NULL) == 0, fits);
        json_decref(value);
        value = weir_json_build_plain(weir_bytes_str(text));
        assert_int_equal(value != NULL, fits);
        json_decref(value);
        value = NULL;
    }
}

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void bend(char *text, size_t *len, size_t size, unsigned *seed)
{
    static const char bytes[] = "{}[]\",:\\0123456789.eE+-truefalsn \n\t\x01\x7f\x80\xc3\xa4\xff/";
    size_t at = next_random(seed) % *len;
    char byte = bytes[next_random(seed) % (sizeof(bytes) - 1)];

    switch (next_random(seed) % 3) {
    case 0:
        text[at] = byte;
        break;
    case 1:
        memmove(text + at, text + at + 1, *len - at - 1);
        (*len)--;
        break;
    default:
        if (*len + 1 < size) {
            memmove(text + at + 1, text + at, *len - at);
            text[at] = byte;
            (*len)++;
        }
    }
}

static json_t *load(const char *text, size_t len)
{
    return json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
}

/* The two texts tell reals apart to the last bit, and the order of members. */
static void check_built(const char *text, size_t len)
{
    WEIR_CLEANUP(json) json_t *built = weir_json_build_plain(weir_bytes(text, len));
    WEIR_CLEANUP(json) json_t *loaded = built != NULL ? load(text, len) : NULL;
    if (built == NULL)
        return;
    if (loaded == NULL)
        fail_msg("built, but refused: %.*s", (int)len, text);
    char *one = json_dumps(built, JSON_ENCODE_ANY), *other = json_dumps(loaded, JSON_ENCODE_ANY);
    if (one == NULL || other == NULL || strcmp(one, other) != 0)
        fail_msg("built %s for %.*s", one, (int)len, text);
    free(one);
    free(other);
}

static void values_are_those_of_jansson(void **state)
{
    static const char *const texts[] = {"0", "-0", "17", "-123456789012345678", "1.5", "-0.0", "19.99",
        "0.1234567890123456", "123456789012345.6", "999999999999.999", "0.000000000000001", "1e22", "-2.5E-7",
        "1.7976931348623157e99", "true", "false", "null", "\"\"", "\"\xc3\xa4\"", "[]", "{}",
        " [1 , [2.50] ] ", "{\"a\":{\"b\":[true,false,null]},\"total\":25.03,\"n\":3}"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        WEIR_CLEANUP(json) json_t *built = weir_json_build_plain(weir_bytes_str(texts[i]));
        if (built == NULL)
            fail_msg("not built: %s", texts[i]);
        check_built(texts[i], strlen(texts[i]));
    }
    assert_null(weir_json_build_plain(weir_bytes_str("\"a\\nb\"")));
    assert_null(weir_json_build_plain(weir_bytes_str("[1] x")));
}

static void random_numbers_are_those_of_jansson(void **state)
{
    unsigned seed = 3;
    char text[64];

    (void)state;
    for (int round = 0; round < 200000; round++) {
        unsigned whole = next_random(&seed) << (next_random(&seed) % 16), part = next_random(&seed);
        int len = snprintf(text, sizeof(text), "%s%u%u.%0*u", round % 2 ? "-" : "", 1 + whole, part % 1000,
            (int)(1 + next_random(&seed) % 9), part);
        check_built(text, (size_t)len);
    }
}

/* Never plain where jansson refuses, and the member is the one that jansson finds. */
static void judge(const char *text, size_t len, size_t *plain_count)
{
    struct weir_bytes member;
    WEIR_CLEANUP(json) json_t *value = NULL;
    char *exact = malloc(len > 0 ? len : 1);

    assert_non_null(exact);
    memcpy(exact, text, len);
    if (weir_json_is_plain_object(weir_bytes(exact, len), "id", &member)) {
        (*plain_count)++;
        value = load(exact, len);
        if (value == NULL)
            fail_msg("plain, but refused: %.*s", (int)len, text);
        assert_true(weir_bytes_equal(member, weir_json_member(weir_bytes(exact, len), "id")));
    }
    check_built(exact, len);
    free(exact);
}

static void bent_documents_are_judged_alike(void **state)
{
    static const char *const seeds[] = {
        "{\"id\":\"o-1\",\"a\":[1,-2.5e3,{\"b\":null,\"id\":true}],\"\xc3\xa4\":\"\\n\xe2\x82\xac\"}",
        " { \"a\" : 0 , \"id\" : { } , \"aa\" : 12345678901234567 , \"b\" : \"\\\"\" } ",
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"aa\":5,\"ab\":6,\"ba\":7,\"id\":8}",
    };
    unsigned seed = 7;
    size_t plain_count = 0;
    char text[256];

    (void)state;
    for (int round = 0; round < 300000; round++) {
        size_t len = strlen(seeds[round % 3]);
        memcpy(text, seeds[round % 3], len);
        for (unsigned bends = 1 + next_random(&seed) % 4; bends > 0 && len > 1; bends--)
            bend(text, &len, sizeof(text), &seed);
        judge(text, len, &plain_count);
    }
    assert_true(plain_count > 20000 && plain_count < 280000);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ordinary_documents_are_plain),
    cmocka_unit_test(the_unusual_is_left_to_jansson),
    cmocka_unit_test(depth_is_bounded_alike),
    cmocka_unit_test(values_are_those_of_jansson),
    cmocka_unit_test(random_numbers_are_those_of_jansson),
    cmocka_unit_test(bent_documents_are_judged_alike),
};
WEIR_TEST_MAIN(tests)
