/* The set of subscriptions: what is in it, and that it stays right through many changes. */
#include "support/test.h"

#include "consumers/plugins/notifier/subscriptions.h"

#include "common/cleanup.h"
#include "common/json.h"

#include <inttypes.h>
#include <stdlib.h>

static void apply_at(struct weir_subscriptions *set, const char *key, const char *document, int64_t time_ms)
{
    WEIR_CLEANUP(buffer) struct weir_buffer event = {0};
    struct weir_error err;

    if (document != NULL)
        weir_buffer_printf(&event, "{\"op\":\"u\",\"ts_ms\":%" PRId64 ",\"after\":%s}", time_ms, document);
    if (weir_subscriptions_apply(set, weir_bytes_str(key),
            document != NULL ? weir_buffer_bytes(&event) : WEIR_BYTES_NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void apply(struct weir_subscriptions *set, const char *key, const char *document)
{
    apply_at(set, key, document, 0);
}

#define CONFIRMED "\"status\":\"CONFIRMED\",\"endpoint\":\"a@example.org\",\"collection\":\"orders\""

static void only_confirmed_ones_count(void **state)
{
    static const struct {
        const char *document;
        size_t wanted;
    } cases[] = {{"{" CONFIRMED "}", 1},
        {"{" CONFIRMED ",\"filter\":{\"op\":[\"u\"]},\"template\":\"t\"}", 1},
        {"{" CONFIRMED ",\"filter\":null}", 1},
        {"{\"status\":\"PENDING\",\"endpoint\":\"a@example.org\",\"collection\":\"orders\"}", 0},
        {"{\"status\":\"UNSUBSCRIBED\",\"endpoint\":\"a@example.org\",\"collection\":\"orders\"}", 0},
        {"{\"status\":\"SUSPENDED\",\"endpoint\":\"a@example.org\",\"collection\":\"orders\"}", 0},
        {"{\"endpoint\":\"a@example.org\",\"collection\":\"orders\"}", 0},
        {"{\"status\":true,\"endpoint\":\"a@example.org\",\"collection\":\"orders\"}", 0},
        {"{\"status\":\"CONFIRMED\",\"collection\":\"orders\"}", 0},
        {"{\"status\":\"CONFIRMED\",\"endpoint\":\"a@example.org\"}", 0},
        {"{\"status\":\"CONFIRMED\",\"endpoint\":\"a@b\\r\\nRCPT TO:<c@d>\",\"collection\":\"orders\"}", 0},
        {"{" CONFIRMED ",\"filter\":{\"a\":[{\"cidr\":\"\"}]}}", 0}, {"{" CONFIRMED ",\"filter\":\"x\"}", 0},
        {"[]", 0}, {"null", 0}, {"{", 0}};
    (void)state;
    weir_json_init();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_subscriptions *set = weir_subscriptions_new();
        apply(set, "s-1", cases[i].document);
        if (weir_subscriptions_count(set) != cases[i].wanted)
            fail_msg("%s", cases[i].document);
        apply(set, "s-1", NULL);
        assert_int_equal(weir_subscriptions_count(set), 0);
        weir_subscriptions_free(set);
    }
}

static void the_last_change_counts(void **state)
{
    struct weir_subscriptions *set = weir_subscriptions_new();
    (void)state;
    apply(set, "s-1", "{" CONFIRMED ",\"template\":\"one\"}");
    apply(set, "s-1", "{" CONFIRMED ",\"template\":\"two\"}");
    assert_int_equal(weir_subscriptions_count(set), 1);
    assert_string_equal(weir_subscriptions_at(set, 0)->rule.template, "two");
    apply(set, "s-1", "{\"status\":\"UNSUBSCRIBED\"}");
    assert_null(weir_subscriptions_find(set, weir_bytes_str("s-1")));
    weir_subscriptions_free(set);
}

static void ids_without_a_link_are_left_out(void **state)
{
    struct weir_subscriptions *set = weir_subscriptions_new();
    char id[100];
    (void)state;
    memset(id, 'x', sizeof(id));
    id[81] = '\0';
    apply(set, id, "{" CONFIRMED "}");
    assert_int_equal(weir_subscriptions_count(set), 0);
    id[80] = '\0';
    apply(set, id, "{" CONFIRMED "}");
    assert_int_equal(weir_subscriptions_count(set), 1);
    weir_subscriptions_free(set);
}

/* Against an array of flags, through 40,000 changes of 700 ids. */
static void stays_right_through_many_changes(void **state)
{
    enum { IDS = 700, CHANGES = 40000 };
    struct weir_subscriptions *set = weir_subscriptions_new();
    bool model[IDS] = {false};
    size_t count = 0;
    uint32_t random = 12345;
    (void)state;
    for (int i = 0; i < CHANGES; i++) {
        char id[16];
        random = random * 1664525 + 1013904223;
        size_t which = (random >> 8) % IDS;
        bool in = (random >> 30) > 1;
        snprintf(id, sizeof(id), "s-%zu", which);
        apply(set, id, in ? "{" CONFIRMED "}" : NULL);
        count = count + in - model[which];
        model[which] = in;
        assert_int_equal(weir_subscriptions_count(set), count);
        if (i % 1000 != 0)
            continue;
        for (size_t k = 0; k < IDS; k++) {
            snprintf(id, sizeof(id), "s-%zu", k);
            const struct weir_subscription *found = weir_subscriptions_find(set, weir_bytes_str(id));
            assert_int_equal(found != NULL, model[k]);
            if (found != NULL)
                assert_string_equal(found->id, id);
        }
    }
    weir_subscriptions_free(set);
}

static size_t count_left(struct weir_subscriptions *set, int64_t at_ms)
{
    size_t at = 0, count = 0;

    while (weir_subscriptions_next_left(set, at_ms, &at) != NULL)
        count++;
    return count;
}

static void who_left_is_known_for_a_while(void **state)
{
    struct weir_subscriptions *set = weir_subscriptions_new();
    (void)state;
    for (int id = 0; id < 3; id++) {
        char key[8];
        snprintf(key, sizeof(key), "s-%d", id);
        apply_at(set, key, "{" CONFIRMED "}", 100);
        apply_at(set, key, "{" CONFIRMED ",\"template\":\"t\"}", 150);
        assert_int_equal(count_left(set, 120), id);
        apply_at(set, key, "{\"status\":\"UNSUBSCRIBED\"}", 200 + id);
    }
    assert_int_equal(count_left(set, 99), 0);
    assert_int_equal(count_left(set, 100), 3);
    assert_int_equal(count_left(set, 200), 2);
    assert_int_equal(count_left(set, 202), 0);
    apply_at(set, "s-0", "{" CONFIRMED "}", 300); /* is back */
    assert_int_equal(count_left(set, 120), 2);
    weir_subscriptions_forget(set, 202);
    assert_int_equal(count_left(set, 120), 1);
    weir_subscriptions_free(set);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_confirmed_ones_count),
    cmocka_unit_test(the_last_change_counts),
    cmocka_unit_test(who_left_is_known_for_a_while),
    cmocka_unit_test(ids_without_a_link_are_left_out),
    cmocka_unit_test(stays_right_through_many_changes),
};

WEIR_TEST_MAIN(tests)
