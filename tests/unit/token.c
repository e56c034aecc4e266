/* Tokens: what is accepted, and everything that is not. */
#include "support/test.h"

#include "common/bytes.h"
#include "common/token.h"

#include <stdlib.h>

static const char key_one[] = "0123456789abcdef0123456789abcdef",
                  key_two[] = "fedcba9876543210fedcba9876543210";
static const int64_t now_ms = 1795243220123;

static struct weir_token_keys *keys_of(const char *text)
{
    struct weir_token_keys *keys = NULL;
    struct weir_error err;
    if (weir_token_keys_new(text, &keys, &err) < 0)
        fail_msg("%s", err.text);
    return keys;
}

static void is_accepted_until_it_expires(void **state)
{
    WEIR_CLEANUP(token_keys) struct weir_token_keys *keys = keys_of(key_one);
    char token[WEIR_TOKEN_BYTES];
    int64_t expires_ms = now_ms + WEIR_TOKEN_CONFIRM_MS;
    (void)state;
    weir_token_write(keys, "s-1", "confirm", expires_ms, token);
    assert_int_equal(weir_token_check(keys, "s-1", "confirm", token, now_ms), WEIR_TOKEN_VALID);
    assert_int_equal(weir_token_check(keys, "s-1", "confirm", token, expires_ms - 1000), WEIR_TOKEN_VALID);
    assert_int_equal(weir_token_check(keys, "s-1", "confirm", token, expires_ms), WEIR_TOKEN_EXPIRED);
    assert_int_equal(WEIR_TOKEN_CONFIRM_MS, 172800000);
}

/* The same value as by `printf 'weir-token:3:s-1:7:confirm:6b011a94' | openssl dgst -sha256 -hmac KEY -binary
 * | basenc --base64url`. */
static void is_a_plain_hmac(void **state)
{
    WEIR_CLEANUP(token_keys) struct weir_token_keys *keys = keys_of(key_one);
    char token[WEIR_TOKEN_BYTES];
    (void)state;
    weir_token_write(keys, "s-1", "confirm", 0x6b011a94LL * 1000, token);
    assert_string_equal(token, "6b011a94.r0HsQ0ywy6Ui0hbdoO9QVawoO5qncXpxBvnyMva5U3M");
}

static void is_good_for_one_thing(void **state)
{
    WEIR_CLEANUP(token_keys) struct weir_token_keys *keys = keys_of(key_one), *other = keys_of(key_two);
    char token[WEIR_TOKEN_BYTES];
    (void)state;
    weir_token_write(keys, "s-1", "confirm", now_ms + 60000, token);
    assert_int_equal(weir_token_check(keys, "s-2", "confirm", token, now_ms), WEIR_TOKEN_WRONG);
    assert_int_equal(weir_token_check(keys, "s-1", "unsubscribe", token, now_ms), WEIR_TOKEN_WRONG);
    assert_int_equal(weir_token_check(keys, "s-1c", "onfirm", token, now_ms), WEIR_TOKEN_WRONG);
    assert_int_equal(weir_token_check(keys, "s-", "1confirm", token, now_ms), WEIR_TOKEN_WRONG);
    assert_int_equal(weir_token_check(keys, "s-1:7:confirm", "", token, now_ms), WEIR_TOKEN_WRONG);
    assert_int_equal(weir_token_check(other, "s-1", "confirm", token, now_ms), WEIR_TOKEN_WRONG);
}

static void every_changed_byte_is_noticed(void **state)
{
    WEIR_CLEANUP(token_keys) struct weir_token_keys *keys = keys_of(key_one);
    char token[WEIR_TOKEN_BYTES + 2];
    (void)state;
    weir_token_write(keys, "s-1", "confirm", now_ms + 60000, token);
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        for (int change = 1; change < 256; change++) {
            char kept = token[i];
            token[i] = (char)(kept ^ change);
            assert_int_equal(weir_token_check(keys, "s-1", "confirm", token, now_ms), WEIR_TOKEN_WRONG);
            token[i] = kept;
        }
    }
    for (size_t cut = 0; cut < len; cut++) {
        char shorter[WEIR_TOKEN_BYTES] = "";
        memcpy(shorter, token, cut);
        assert_int_equal(weir_token_check(keys, "s-1", "confirm", shorter, now_ms), WEIR_TOKEN_WRONG);
    }
    token[len] = 'A';
    token[len + 1] = '\0';
    assert_int_equal(weir_token_check(keys, "s-1", "confirm", token, now_ms), WEIR_TOKEN_WRONG);
}

static void hostile_tokens_are_wrong(void **state)
{
    static const char *const cases[] = {"", ".", "..", "0.", "-1.AAAA", "0x10.", "+1.", " 1.",
        "ffffffffffffffff.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "00000001.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "6B011A94.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\xff\xff", "%00", "1\n.A"};
    WEIR_CLEANUP(token_keys) struct weir_token_keys *keys = keys_of(key_one);
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(weir_token_check(keys, "s", "confirm", cases[i], now_ms), WEIR_TOKEN_WRONG);
    char *huge = calloc(1, 1 << 20);
    memset(huge, '1', (1 << 20) - 1);
    assert_int_equal(weir_token_check(keys, "s", "confirm", huge, now_ms), WEIR_TOKEN_WRONG);
    free(huge);
}

/* A new key goes before the old one: links that are out stay good, new ones are signed by the new key. */
static void a_key_can_be_changed(void **state)
{
    WEIR_CLEANUP(token_keys) struct weir_token_keys *old = keys_of(key_one), *new = keys_of(key_two);
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    char token[WEIR_TOKEN_BYTES];
    (void)state;
    weir_buffer_printf(&text, "%s\r\n\n%s\n", key_two, key_one);
    WEIR_CLEANUP(token_keys) struct weir_token_keys *both = keys_of(text.data);
    weir_token_write(old, "s", "confirm", now_ms + 60000, token);
    assert_int_equal(weir_token_check(both, "s", "confirm", token, now_ms), WEIR_TOKEN_VALID);
    weir_token_write(both, "s", "confirm", now_ms + 60000, token);
    assert_int_equal(weir_token_check(new, "s", "confirm", token, now_ms), WEIR_TOKEN_VALID);
    assert_int_equal(weir_token_check(old, "s", "confirm", token, now_ms), WEIR_TOKEN_WRONG);
}

static void weak_keys_are_refused(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", "there is no key"},
        {"\n\n", "there is no key"},
        {"0123456789abcdef0123456789abcde", "key 1 has 31 characters, not 32 to 256"},
        {"0123456789abcdef0123456789abcdef\nshort", "key 2 has 5 characters, not 32 to 256"},
        {"0123456789abcdef 0123456789abcdef", "key 1 has 16 characters"},
        {"0123456789abcdef\t0123456789abcdef", "key 1 holds a byte"},
        {"0123456789abcdef0123456789abcde\xff", "key 1 holds a byte"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_token_keys *keys = NULL;
        struct weir_error err = {0};
        assert_int_equal(weir_token_keys_new(cases[i].text, &keys, &err), WEIR_E_CONFIG);
        assert_null(keys);
        if (strncmp(err.text, cases[i].wanted, strlen(cases[i].wanted)) != 0 ||
            strstr(err.text, "0123") != NULL)
            fail_msg("%s", err.text);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(is_accepted_until_it_expires),
    cmocka_unit_test(is_a_plain_hmac),
    cmocka_unit_test(is_good_for_one_thing),
    cmocka_unit_test(every_changed_byte_is_noticed),
    cmocka_unit_test(hostile_tokens_are_wrong),
    cmocka_unit_test(a_key_can_be_changed),
    cmocka_unit_test(weak_keys_are_refused),
};

WEIR_TEST_MAIN(tests)
