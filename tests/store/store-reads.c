/* The reads over HTTP: what is answered, and when nothing may be. */
#include "consumers/plugins/store/store.h"
#include "store/fake_host.h"
#include "support/test.h"

#include <pthread.h>
#include <sched.h>

static int start(void **state)
{
    struct fake *fake = fake_new();
    *state = fake;
    fake_start(fake);
    fake_put(fake, FAKE_ORDERS, "create", "r1", "o/1 ä", " {\"n\":19.990}\n", NULL);
    fake_run(fake);
    return 0;
}

static int stop(void **state)
{
    fake_free(*state);
    return 0;
}

static const char path[] = "/documents/orders/o/1 ä";

static void document_comes_with_its_bytes(void **state)
{
    struct weir_http_reply reply = fake_get(*state, "GET", path, NULL);

    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, " {\"orderID\":\"o/1 ä\",\"n\":19.990}\n");
    assert_string_equal(fake_reply_header(&reply, "ETag"), "\"r1\"");
    assert_string_equal(fake_reply_header(&reply, "Weir-Version"), "1");
    assert_string_equal(fake_reply_header(&reply, "Last-Modified"), "Sat, 21 Nov 2026 06:40:40 GMT");
    assert_int_equal(fake_get(*state, "HEAD", path, NULL).status, 200);
}

static void what_is_not_there_is_404(void **state)
{
    static const char *const paths[] = {"/documents/orders/o-2", "/documents/orders/", "/documents/orders",
        "/documents/nothing/o-1", "/documents/products/o/1 ä", "/documents/", "/", "/positions/x",
        "/documents/orders/a\x01"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (fake_get(*state, "GET", paths[i], NULL).status != 404)
            fail_msg("%s is not 404", paths[i]);
}

/* The gateway believes only this 404: it is the store's word on a document that it would keep. */
static void missing_document_has_version_0(void **state)
{
    struct weir_http_reply reply = fake_get(*state, "GET", "/documents/orders/o-2", NULL);

    assert_int_equal(reply.status, 404);
    assert_int_equal(reply.header_count, 1);
    assert_string_equal(reply.names[0], "Weir-Version");
    assert_string_equal(reply.values[0], "0");
    assert_int_equal(fake_get(*state, "GET", "/documents/nothing/o-1", NULL).header_count, 0);
}

static void other_methods_are_405(void **state)
{
    struct weir_http_reply reply = fake_get(*state, "PUT", path, NULL);

    assert_int_equal(reply.status, 405);
    assert_string_equal(fake_reply_header(&reply, "Allow"), "GET, HEAD");
}

static void only_the_owner_answers(void **state)
{
    struct fake *fake = *state;
    int32_t partition = weir_topic_partition(weir_bytes_str("o/1 ä"), 6);

    weir_store_revoked(fake->instance, FAKE_ORDERS, partition);
    struct weir_http_reply reply = fake_get(fake, "GET", path, NULL);
    assert_int_equal(reply.status, 503);
    assert_string_equal(fake_reply_header(&reply, "Retry-After"), "1");
    assert_int_equal(weir_store_assigned(fake->instance, FAKE_ORDERS, partition, NULL), 0);
    assert_int_equal(fake_get(fake, "GET", path, NULL).status, 503);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), 0);
    assert_int_equal(fake_get(fake, "GET", path, NULL).status, 200);
}

static void positions_tell_state_and_checkpoint(void **state)
{
    struct fake *fake = *state;
    char expected[256];
    int32_t partition = weir_topic_partition(weir_bytes_str("o/1 ä"), 6);

    weir_store_revoked(fake->instance, FAKE_PRODUCTS, 1);
    struct weir_http_reply reply = fake_get(fake, "GET", "/positions", NULL);
    assert_int_equal(reply.status, 200);
    snprintf(expected, sizeof(expected),
        "{\"collection\":\"orders\",\"topic\":\"orders.changes\",\"partition\":%d,\"state\":\"serving\","
        "\"checkpoint\":1}",
        partition);
    assert_non_null(strstr(reply.body, expected));
    assert_non_null(strstr(reply.body, "\"partition\":1,\"state\":\"foreign\",\"checkpoint\":null}]}"));
}

static void peer_secret_is_asked_for(void **state)
{
    struct fake *fake = *state;
    char secret[] = "0123456789abcdef";

    fake->settings.peer_secret = secret;
    assert_int_equal(fake_get(fake, "GET", path, NULL).status, 403);
    assert_int_equal(fake_get(fake, "GET", path, "").status, 403);
    assert_int_equal(fake_get(fake, "GET", path, "0123456789abcdeX").status, 403);
    assert_int_equal(fake_get(fake, "GET", path, "0123456789abcdef0123456789abcdef").status, 403);
    assert_int_equal(fake_get(fake, "GET", "/positions", NULL).status, 403);
    assert_int_equal(fake_get(fake, "GET", path, secret).status, 200);
}

static void beyond_loopback_needs_the_secret(void **state)
{
    static const struct {
        const char *listen;
        bool refused;
    } rows[] = {{"127.0.0.1:8090", false}, {"127.9.9.9:1", false}, {"[::1]:8090", false},
        {"localhost:8090", false}, {"unix:/run/x", false}, {"0.0.0.0:8090", true},
        {"127.example.com:80", true}, {"[::]:8090", true}, {"10.0.0.1:8090", true}, {":8090", true}};
    struct fake *fake = *state;
    char secret[] = "0123456789abcdef", listen[32], url[] = "http://store-1:8090";
    struct weir_error err;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_store_settings settings = fake->settings;
        snprintf(listen, sizeof(listen), "%s", rows[i].listen);
        settings.listen = listen;
        settings.advertise = url;
        int r = weir_store_settings_check(&settings, &fake->deployment, "store", &err);
        if (r != (rows[i].refused ? WEIR_E_CONFIG : 0))
            fail_msg("%s: %d", rows[i].listen, r);
        settings.peer_secret = secret;
        assert_int_equal(weir_store_settings_check(&settings, &fake->deployment, "store", &err), 0);
    }
}

static void address_of_no_host_needs_a_url(void **state)
{
    static const char *const nowhere[] = {"0.0.0.0:8090", "[::]:8090", "unix:/run/x"};
    struct fake *fake = *state;
    char secret[] = "0123456789abcdef", listen[32], url[] = "http://store-1:8090";
    struct weir_error err;

    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        struct weir_store_settings settings = fake->settings;
        snprintf(listen, sizeof(listen), "%s", nowhere[i]);
        settings.listen = listen;
        settings.peer_secret = secret;
        settings.advertise = NULL;
        assert_int_equal(
            weir_store_settings_check(&settings, &fake->deployment, "store", &err), WEIR_E_CONFIG);
        assert_non_null(strstr(err.text, "store.advertise"));
        settings.advertise = url;
        assert_int_equal(weir_store_settings_check(&settings, &fake->deployment, "store", &err), 0);
    }
}

static void topics_have_to_be_collections(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    fake->deployment.collection_count = 1;
    assert_int_equal(
        weir_store_settings_check(&fake->settings, &fake->deployment, "store", &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "products"));
}

struct reader {
    struct fake *fake;
    _Atomic bool stop;
    _Atomic int answers[2];
    int wrong;
};

static void *read_on(void *context)
{
    struct reader *reader = context;

    while (!atomic_load(&reader->stop)) {
        struct weir_http_reply reply = fake_get(reader->fake, "GET", "/documents/orders/k", NULL);
        if (reply.status == 200 && strncmp(reply.body, "{\"orderID\":\"k\",\"n\":", 19) == 0)
            atomic_fetch_add(&reader->answers[0], 1);
        else if (reply.status == 503)
            atomic_fetch_add(&reader->answers[1], 1);
        else
            reader->wrong++;
    }
    return NULL;
}

/* Whole documents or 503, while batches are applied and the partition is built again. */
static void readers_run_beside_the_loop(void **state)
{
    struct fake *fake = *state;
    struct reader reader = {.fake = fake};
    pthread_t thread;
    char body[32];
    int32_t partition = weir_topic_partition(weir_bytes_str("k"), 6);

    fake_put(fake, FAKE_ORDERS, "replace", "first", "k", "{\"n\":0}", NULL);
    fake_run(fake);
    assert_int_equal(pthread_create(&thread, NULL, read_on, &reader), 0);
    while (atomic_load(&reader.answers[0]) == 0) /* the test's time limit ends this */
        sched_yield();
    for (int i = 0; i < 300; i++) {
        snprintf(body, sizeof(body), "{\"n\":%d}", i);
        fake_put(fake, FAKE_ORDERS, "replace", body + 5, "k", body, NULL);
        fake_handle(fake, NULL);
        fake_commit(fake, NULL);
        if (i % 50 == 49) {
            fake->now_ms += fake->deployment.kafka.window_ms + 1;
            assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), 0);
        }
    }
    atomic_store(&reader.stop, true);
    pthread_join(thread, NULL);
    assert_int_equal(reader.wrong, 0);
}

/* Key w is alone on its partition, so that its commands stand at offsets 0, 1, 2, … */
static struct weir_http_reply ask(
    struct fake *fake, const char *key, const char *request, int64_t offset, const char *more)
{
    char place[256];

    snprintf(place, sizeof(place), "/requests/orders/%d/%s?offset=%d%s",
        weir_topic_partition(weir_bytes_str(key), 6), request, (int)offset, more);
    return fake_get(fake, "GET", place, NULL);
}

static void check_ending(struct weir_http_reply reply, const char *expected)
{
    assert_int_equal(reply.status, 200);
    if (strstr(reply.body, expected) == NULL)
        fail_msg("%s, not %s", reply.body, expected);
}

static void requests_are_told(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r2", "w", "{\"n\":1}", "weir-fingerprint", "f00d", NULL);
    fake_put(fake, FAKE_ORDERS, "merge", "r3", "w", "{\"n\":2}", NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r4", "w", "{}", NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r5", "w", "{", NULL);
    fake_put(fake, FAKE_ORDERS, "delete", "r6", "w", NULL, NULL);
    fake_put(fake, FAKE_ORDERS, "delete", "r7", "w", NULL, NULL);
    fake_run(fake);
    check_ending(ask(fake, "w", "r2", 0, ""), "\"outcome\":\"stored\",\"key\":\"w\",\"at\":\"orders/");
    check_ending(ask(fake, "w", "r2", 0, ""), "\"op\":\"c\",\"version\":1,\"change\":\"orders.changes/");
    check_ending(ask(fake, "w", "r3", 1, ""), "\"op\":\"u\",\"version\":2,");
    check_ending(ask(fake, "w", "r4", 2, ""), "\"outcome\":\"rejected\",\"error\":\"already-exists\"");
    check_ending(ask(fake, "w", "r5", 3, ""), "\"outcome\":\"dead-lettered\",\"error\":\"invalid\"");
    check_ending(ask(fake, "w", "r6", 4, ""), "\"op\":\"d\",\"version\":3,");
    check_ending(ask(fake, "w", "r7", 5, ""), "\"outcome\":\"unchanged\"");
    check_ending(ask(fake, "w", "r2", 9, "&fingerprint=f00d"), "\"outcome\":\"stored\"");
    check_ending(ask(fake, "w", "r2", 9, "&fingerprint=beef"),
        "\"outcome\":\"rejected\",\"error\":\"idempotency-key-reused\",\"key\":\"w\",\"first\":\"orders/");
    assert_int_equal(ask(fake, "w", "other", 5, "").status, 404);
}

static void request_that_has_not_ended_is_waited_for(void **state)
{
    struct fake *fake = *state;

    check_ending(ask(fake, "w", "r2", 0, ""), "\"outcome\":\"pending\"");
    assert_true(ask(fake, "w", "r2", 0, "&wait=500").later);
    fake->waited_ms = 500;
    check_ending(ask(fake, "w", "r2", 0, "&wait=500"), "\"outcome\":\"pending\"");
    fake->waited_ms = 100;
    size_t wakes = fake->wakes;
    fake_put(fake, FAKE_ORDERS, "create", "r2", "w", "{}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    assert_true(ask(fake, "w", "r2", 0, "&wait=500").later);
    assert_int_equal(fake_commit(fake, NULL), 0);
    assert_true(fake->wakes > wakes);
    check_ending(ask(fake, "w", "r2", 0, "&wait=500"), "\"outcome\":\"stored\"");
}

static void requests_that_make_no_sense_are_refused(void **state)
{
    static const struct {
        const char *path;
        unsigned status;
    } rows[] = {{"/requests/orders/6/r1", 404}, {"/requests/orders/x/r1", 404}, {"/requests/orders//r1", 404},
        {"/requests/nothing/0/r1", 404}, {"/requests/orders/0", 404}, {"/requests/orders/0/", 404},
        {"/requests/orders/0/r1?offset=x", 400}, {"/requests/orders/0/r1?wait=-1", 400},
        {"/documents/orders/w?offset=", 400}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (fake_get(*state, "GET", rows[i].path, NULL).status != rows[i].status)
            fail_msg("%s is not %u", rows[i].path, rows[i].status);
    weir_store_revoked(((struct fake *)*state)->instance, FAKE_ORDERS, 0);
    assert_int_equal(fake_get(*state, "GET", "/requests/orders/0/r1?wait=500", NULL).status, 503);
}

static void own_writes_can_be_read(void **state)
{
    struct fake *fake = *state;
    static const char read[] = "/documents/orders/w?offset=0&wait=500";

    assert_true(fake_get(fake, "GET", read, NULL).later);
    fake->waited_ms = 501;
    struct weir_http_reply reply = fake_get(fake, "GET", read, NULL);
    assert_int_equal(reply.status, 503);
    assert_string_equal(fake_reply_header(&reply, "Retry-After"), "1");
    fake_put(fake, FAKE_ORDERS, "replace", "r2", "w", "{\"n\":1}", NULL);
    fake_run(fake);
    assert_int_equal(fake_get(fake, "GET", read, NULL).status, 200);
    fake_crash(fake);
    assert_int_equal(fake_get(fake, "GET", read, NULL).status, 200);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/w?offset=1", NULL).status, 503);
    fake_put(fake, FAKE_ORDERS, "create", "r3", "w", "{}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    fake_commit_untold(fake);
    fake_crash(fake);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/w?offset=1", NULL).status, 200);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(document_comes_with_its_bytes, start, stop),
    cmocka_unit_test_setup_teardown(what_is_not_there_is_404, start, stop),
    cmocka_unit_test_setup_teardown(missing_document_has_version_0, start, stop),
    cmocka_unit_test_setup_teardown(other_methods_are_405, start, stop),
    cmocka_unit_test_setup_teardown(only_the_owner_answers, start, stop),
    cmocka_unit_test_setup_teardown(positions_tell_state_and_checkpoint, start, stop),
    cmocka_unit_test_setup_teardown(peer_secret_is_asked_for, start, stop),
    cmocka_unit_test_setup_teardown(beyond_loopback_needs_the_secret, start, stop),
    cmocka_unit_test_setup_teardown(address_of_no_host_needs_a_url, start, stop),
    cmocka_unit_test_setup_teardown(topics_have_to_be_collections, start, stop),
    cmocka_unit_test_setup_teardown(requests_are_told, start, stop),
    cmocka_unit_test_setup_teardown(request_that_has_not_ended_is_waited_for, start, stop),
    cmocka_unit_test_setup_teardown(requests_that_make_no_sense_are_refused, start, stop),
    cmocka_unit_test_setup_teardown(own_writes_can_be_read, start, stop),
    cmocka_unit_test_setup_teardown(readers_run_beside_the_loop, start, stop),
};
WEIR_TEST_MAIN(tests)
