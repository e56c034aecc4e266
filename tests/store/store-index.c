/* Index entries sort as values do; lists and queries over the whole plugin. */
#include "consumers/plugins/store/index.h"
#include "consumers/plugins/store/store.h"
#include "store/fake_host.h"
#include "support/test.h"

static struct weir_bytes encode(const char *json, char out[static WEIR_INDEX_VALUE_BYTES])
{
    return weir_bytes(out, weir_index_encode(weir_bytes_str(json), out));
}

static int compare(struct weir_bytes a, struct weir_bytes b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static void entries_sort_as_values(void **state)
{
    static const char *const rising[] = {"false", "true", "-1e300", "-9223372036854775808",
        "-9223372036854775807", "-2.5", "-2", "-1e-9", "0", "0.1", "1", "1.5", "2", "10", "9007199254740992",
        "9007199254740993", "9223372036854775806", "9223372036854775807", "1e300", "\"\"", "\"A\"", "\"a\"",
        "\"a b\"", "\"aa\"", "\"b\"", "\"\\u00e9\""};
    enum { COUNT = sizeof(rising) / sizeof(rising[0]) };
    char left[WEIR_INDEX_VALUE_BYTES], right[WEIR_INDEX_VALUE_BYTES];

    (void)state;
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++) {
            int order = compare(encode(rising[i], left), encode(rising[k], right));
            if ((order > 0) - (order < 0) != (i > k) - (i < k))
                fail_msg("%s against %s: %d", rising[i], rising[k], order);
        }
}

static void equal_values_are_one(void **state)
{
    static const char *const rows[][2] = {{"1", "1.0"}, {"100", "1e2"}, {"0", "-0"}, {"0.0", "-0.0"},
        {"\"\\u0061\"", "\"a\""}, {"19.99", "19.990"}};
    char left[WEIR_INDEX_VALUE_BYTES], right[WEIR_INDEX_VALUE_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_true(weir_bytes_equal(encode(rows[i][0], left), encode(rows[i][1], right)));
    assert_int_equal(weir_index_encode(weir_bytes_str("null"), left), 0);
    assert_int_equal(weir_index_encode(weir_bytes_str("{}"), left), 0);
}

static char *index_paths[] = {"customer.id", "items.sku", "total", NULL};

static int start(void **state)
{
    struct fake *fake = fake_new();
    *state = fake;
    fake->collections[0].indexes = index_paths;
    fake_start(fake);
    return 0;
}

static int stop(void **state)
{
    fake_free(*state);
    return 0;
}

/* Keys of the rows of all partitions, in the order of their places; each with a comma behind it. */
static char *list(struct fake *fake, const char *query)
{
    static char keys[4096];
    struct row {
        char place[600], key[64];
    } rows[256];
    size_t count = 0;

    for (int partition = 0; partition < FAKE_PARTITIONS; partition++) {
        char path[256];
        snprintf(path, sizeof(path), "/lists/orders/%d?%s", partition, query);
        struct weir_http_reply reply = fake_get(fake, "GET", path, NULL);
        if (reply.status != 200)
            fail_msg("%s: %u %s", path, reply.status, reply.body);
        for (const char *at = reply.body; (at = strstr(at, "{\"place\":\"")) != NULL; at++) {
            struct row *row = &rows[count++];
            sscanf(at, "{\"place\":\"%599[0-9a-f]\"", row->place);
            sscanf(strstr(at, "\"orderID\":\""), "\"orderID\":\"%63[^\"]\"", row->key);
        }
    }
    bool descending = strstr(query, "order=desc") != NULL;
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            if ((strcmp(rows[i].place, rows[k].place) > 0) != descending) {
                struct row swapped = rows[i];
                rows[i] = rows[k];
                rows[k] = swapped;
            }
    keys[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        strcat(keys, rows[i].key);
        strcat(keys, ",");
    }
    return keys;
}

static void put(struct fake *fake, const char *key, const char *body)
{
    static unsigned count;
    char request[16];

    snprintf(request, sizeof(request), "r%u", count++);
    fake_put(fake, FAKE_ORDERS, body != NULL ? "replace" : "delete", request, key, body, NULL);
}

static void fill(struct fake *fake)
{
    put(fake, "a",
        "{\"customer\":{\"id\":\"ada\"},\"total\":19.99,\"items\":[{\"sku\":\"x\"},{\"sku\":\"y\"}]}");
    put(fake, "b", "{\"customer\":{\"id\":\"bob\"},\"total\":5,\"items\":[{\"sku\":\"y\"},{\"sku\":\"y\"}]}");
    put(fake, "c", "{\"customer\":{\"id\":\"ada\"},\"total\":100.0,\"items\":[]}");
    put(fake, "d", "{\"customer\":{\"id\":\"adam\"},\"total\":\"none\"}");
    put(fake, "e", "{\"customer\":\"nobody\",\"total\":null}");
    fake_run(fake);
}

static void check(struct fake *fake, const char *query, const char *keys)
{
    char *found = list(fake, query);
    if (strcmp(found, keys) != 0)
        fail_msg("%s: %s, not %s", query, found, keys);
}

static void check_filled(struct fake *fake)
{
    check(fake, "limit=1000", "a,b,c,d,e,");
    check(fake, "order=desc", "e,d,c,b,a,");
    check(fake, "index=customer.id&equal=\"ada\"", "a,c,");
    check(fake, "index=customer.id&equal=\"ada\"&order=desc", "c,a,");
    check(fake, "index=customer.id&equal=\"nobody\"", "");
    check(fake, "index=customer.id&prefix=ada", "a,c,d,");
    check(fake, "index=customer.id", "a,c,d,b,");
    check(fake, "index=items.sku&equal=\"y\"", "a,b,");
    check(fake, "index=total&equal=100", "c,");
    check(fake, "index=total&from=5&below=100", "b,a,");
    check(fake, "index=total&from=5.001", "a,c,");
    check(fake, "index=total&below=100", "b,a,");
    check(fake, "index=total&below=100&order=desc", "a,b,");
    check(fake, "index=total&from=\"a\"", "d,");
}

static void documents_are_found_by_their_members(void **state)
{
    fill(*state);
    check_filled(*state);
}

static void entries_follow_the_documents(void **state)
{
    struct fake *fake = *state;

    put(fake, "a", "{\"customer\":{\"id\":\"eve\"},\"total\":1}");
    put(fake, "f", "{\"customer\":{\"id\":\"ada\"},\"items\":[{\"sku\":\"y\"}]}");
    fill(fake);
    put(fake, "f", NULL);
    put(fake, "b", "{\"customer\":{\"id\":\"ada\"},\"total\":5}");
    put(fake, "b", "{\"customer\":{\"id\":\"bob\"},\"total\":5,\"items\":[{\"sku\":\"y\"}]}");
    fake_run(fake);
    check_filled(fake);
    fake_crash(fake);
    check_filled(fake);
    fake_close(fake);
    snprintf(fake->settings.path, 128, "%.100s/other", fake->folder);
    fake_start(fake);
    check_filled(fake);
}

/* Declared later: built in the background; a query waits with 503, a list does not. */
static void later_index_is_built(void **state)
{
    struct fake *fake = *state;
    char query[64];

    snprintf(query, sizeof(query), "/lists/orders/%d?index=total",
        weir_topic_partition(weir_bytes_str("a"), FAKE_PARTITIONS));
    fake_close(fake);
    fake->collections[0].indexes = NULL;
    snprintf(fake->settings.path, 128, "%.100s/other", fake->folder);
    fake_start(fake);
    fill(fake);
    assert_int_equal(fake_get(fake, "GET", query, NULL).status, 400);
    fake->collections[0].indexes = index_paths;
    fake_crash(fake);
    assert_int_equal(fake_get(fake, "GET", query, NULL).status, 503);
    check(fake, "", "a,b,c,d,e,");
    for (int i = 0; i < FAKE_PARTITIONS + 3; i++)
        weir_store_tick(fake->instance, NULL);
    check_filled(fake);
    fake_crash(fake);
    check_filled(fake);
}

static void places_lead_through_a_list(void **state)
{
    struct fake *fake = *state;
    char after[600] = "", path[900], key[24];

    for (int descending = 0; descending < 2; descending++) {
        int read = 0;
        after[0] = '\0';
        for (int i = 0; descending == 0 && i < 50; i++) {
            snprintf(key, sizeof(key), "k-%d", i);
            put(fake, key, "{\"total\":7}");
        }
        fake_run(fake);
        for (bool more = true; more;) {
            snprintf(path, sizeof(path), "/lists/orders/0?index=total&equal=7&limit=2&order=%s&after=%s",
                descending ? "desc" : "asc", after);
            struct weir_http_reply reply = fake_get(fake, "GET", path, NULL);
            assert_int_equal(reply.status, 200);
            more = strstr(reply.body, "\"more\":true") != NULL;
            for (const char *at = reply.body; (at = strstr(at, "{\"place\":\"")) != NULL; at++, read++)
                sscanf(at, "{\"place\":\"%599[0-9a-f]\"", after);
        }
        struct weir_http_reply whole =
            fake_get(fake, "GET", "/lists/orders/0?index=total&equal=7&limit=1000", NULL);
        int expected = 0;
        for (const char *at = whole.body; (at = strstr(at, "{\"place\":\"")) != NULL; at++)
            expected++;
        assert_true(expected > 3);
        assert_int_equal(read, expected);
    }
}

static void senseless_lists_are_refused(void **state)
{
    static const struct {
        const char *path;
        unsigned status;
    } rows[] = {{"/lists/orders/6", 404}, {"/lists/orders", 404}, {"/lists/nothing/0", 404},
        {"/lists/orders/0?limit=0", 400}, {"/lists/orders/0?limit=1001", 400},
        {"/lists/orders/0?after=xy", 400}, {"/lists/orders/0?index=other", 400},
        {"/lists/orders/0?index=total&equal=", 400}, {"/lists/orders/0?index=total&equal=x", 400},
        {"/lists/orders/0?index=total&from=null", 400}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (fake_get(*state, "GET", rows[i].path, NULL).status != rows[i].status)
            fail_msg("%s is not %u", rows[i].path, rows[i].status);
    weir_store_revoked(((struct fake *)*state)->instance, FAKE_ORDERS, 0);
    assert_int_equal(fake_get(*state, "GET", "/lists/orders/0", NULL).status, 503);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(entries_sort_as_values),
    cmocka_unit_test(equal_values_are_one),
    cmocka_unit_test_setup_teardown(documents_are_found_by_their_members, start, stop),
    cmocka_unit_test_setup_teardown(entries_follow_the_documents, start, stop),
    cmocka_unit_test_setup_teardown(later_index_is_built, start, stop),
    cmocka_unit_test_setup_teardown(places_lead_through_a_list, start, stop),
    cmocka_unit_test_setup_teardown(senseless_lists_are_refused, start, stop),
};
WEIR_TEST_MAIN(tests)
