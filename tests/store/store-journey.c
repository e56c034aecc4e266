/* What became of a document's commands. */
#include "common/envelope.h"
#include "consumers/plugins/store/store.h"
#include "store/fake_host.h"
#include "support/test.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

static int start(void **state)
{
    struct fake *fake = fake_new();
    *state = fake;
    fake_start(fake);
    return 0;
}

static int stop(void **state)
{
    fake_free(*state);
    return 0;
}

/* The answer, parsed; the caller frees. */
static json_t *journey_of(struct fake *fake, const char *key)
{
    char path[300];

    snprintf(path, sizeof(path), "/journeys/orders/%s", key);
    struct weir_http_reply reply = fake_get(fake, "GET", path, NULL);
    json_t *journey = json_loads(reply.body, JSON_REJECT_DUPLICATES, NULL);
    if (reply.status != 200 || journey == NULL)
        fail_msg("%u %s", reply.status, reply.body);
    return journey;
}

static const char *text(json_t *object, const char *name)
{
    const char *found = json_string_value(json_object_get(object, name));
    return found != NULL ? found : "";
}

static json_int_t number(json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static json_t *request(json_t *journey, size_t index)
{
    json_t *found = json_array_get(json_object_get(journey, "requests"), index);
    assert_non_null(found);
    return found;
}

static json_t *ended(json_t *journey, size_t index)
{
    return json_object_get(request(journey, index), "ended");
}

/* Four commands, each accepted 7 ms before it is carried out: stored, invalid, stored in the same batch,
 * without effect. */
static void put_four(struct fake *fake)
{
    static const char *const rows[][3] = {{"create", "r1", "{\"n\":1}"}, {"merge", "r2", "{\"n\":"},
        {"merge", "r3", "{\"n\":3}"}, {"create", "r4", "{}"}};

    for (size_t i = 0; i < 4; i++)
        fake_put(fake, FAKE_ORDERS, rows[i][0], rows[i][1], "o-1", rows[i][2], NULL)->record.timestamp_ms -=
            7;
    fake_put(fake, FAKE_ORDERS, "create", "other", "o-10", "{}", NULL);
    fake_run(fake);
}

static void check_place(json_t *request, const char *topic, int64_t offset, json_int_t accepted_ms)
{
    char at[WEIR_POSITION_BYTES];
    json_t *accepted = json_object_get(request, "accepted");

    weir_position_write(topic, weir_topic_partition(weir_bytes_str("o-1"), FAKE_PARTITIONS), offset, at);
    assert_string_equal(text(accepted, "at"), at);
    assert_int_equal(number(accepted, "ts_ms"), accepted_ms);
}

static void check_change(struct fake *fake, json_t *ended, const char *op, int version, int64_t offset)
{
    char change[WEIR_POSITION_BYTES];

    weir_position_write(
        "orders.changes", weir_topic_partition(weir_bytes_str("o-1"), FAKE_PARTITIONS), offset, change);
    assert_string_equal(text(ended, "outcome"), "stored");
    assert_string_equal(text(ended, "op"), op);
    assert_int_equal(number(ended, "version"), version);
    assert_string_equal(text(ended, "change"), change);
    assert_int_equal(number(ended, "ts_ms"), fake->now_ms);
}

static void check_four(struct fake *fake)
{
    json_t *journey = journey_of(fake, "o-1");

    assert_string_equal(text(journey, "collection"), "orders");
    assert_string_equal(text(journey, "key"), "o-1");
    assert_int_equal(number(json_object_get(journey, "document"), "version"), 2);
    assert_string_equal(text(json_object_get(journey, "document"), "request"), "r3");
    assert_int_equal(json_array_size(json_object_get(journey, "requests")), 4);
    assert_true(json_is_false(json_object_get(journey, "more")));
    for (size_t i = 0; i < 4; i++) {
        check_place(request(journey, i), "orders", 3 - (int64_t)i, fake->now_ms - 7);
        assert_int_equal(number(request(journey, i), "executions"), 1);
    }
    assert_string_equal(text(ended(journey, 0), "error"), "already-exists");
    check_change(fake, ended(journey, 1), "u", 2, 1);
    assert_string_equal(text(ended(journey, 2), "outcome"), "dead-lettered");
    assert_string_equal(text(ended(journey, 2), "error"), "invalid");
    assert_non_null(strstr(text(ended(journey, 2), "detail"), "invalid JSON"));
    assert_string_equal(text(json_object_get(ended(journey, 2), "letter"), "topic"), "orders.store.dlq");
    check_change(fake, ended(journey, 3), "c", 1, 0);
    json_decref(journey);
}

static void requests_are_told_from_acceptance_to_end(void **state)
{
    put_four(*state);
    check_four(*state);
}

static void journey_survives_a_crash(void **state)
{
    put_four(*state);
    fake_crash(*state);
    check_four(*state);
}

static void journey_moves_along(void **state)
{
    struct fake *fake = *state;

    put_four(fake);
    char *before = fake_dump(fake);
    fake_close(fake);
    snprintf(fake->settings.path, 128, "%.100s/other", fake->folder);
    fake_start(fake);
    check_four(fake);
    char *after = fake_dump(fake);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void only_the_last_requests_are_told(void **state)
{
    struct fake *fake = *state;
    char id[16];

    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof(id), "r%d", i);
        fake_put(fake, FAKE_ORDERS, "replace", id, "o-1", "{}", NULL);
        if (i % 7 == 6)
            fake_run(fake);
        if (i == 20)
            fake->now_ms += 2 * 3600 * 1000;
    }
    fake_run(fake);
    json_t *journey = journey_of(fake, "o-1");
    assert_int_equal(json_array_size(json_object_get(journey, "requests")), 20);
    assert_true(json_is_true(json_object_get(journey, "more")));
    for (size_t i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "r%zu", 29 - i);
        assert_string_equal(text(request(journey, i), "request"), id);
    }
    json_decref(journey);
}

static void after_a_day_the_document_is_left(void **state)
{
    struct fake *fake = *state;

    put_four(fake);
    fake->now_ms += 26LL * 3600 * 1000;
    weir_store_tick(fake->instance, NULL);
    json_t *journey = journey_of(fake, "o-1");
    assert_int_equal(number(json_object_get(journey, "document"), "version"), 2);
    assert_int_equal(json_array_size(json_object_get(journey, "requests")), 0);
    json_decref(journey);
}

static void redriven_letter_is_one_request(void **state)
{
    struct fake *fake = *state;
    char at[WEIR_POSITION_BYTES];

    struct fake_entry *first = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"n\":", NULL);
    weir_position_write("orders", first->record.partition, first->record.offset, at);
    fake_run(fake);
    fake->now_ms += 3600 * 1000;
    struct fake_entry *again = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"n\":1}",
        WEIR_HEADER_ORIGIN, at, WEIR_HEADER_REDRIVE_COUNT, "1", NULL);
    again->record.topic = "orders.store.retry";
    again->record.timestamp_ms = 1234;
    fake_run(fake);
    json_t *journey = journey_of(fake, "o-1");
    assert_int_equal(json_array_size(json_object_get(journey, "requests")), 1);
    check_place(request(journey, 0), "orders", 0, 1234);
    assert_int_equal(number(request(journey, 0), "executions"), 2);
    check_change(fake, ended(journey, 0), "c", 1, 0);
    json_decref(journey);
}

static void what_is_not_there_is_404(void **state)
{
    static const char *const paths[] = {"/journeys/orders/o-1", "/journeys/orders/", "/journeys/nothing/o-1"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct weir_http_reply reply = fake_get(*state, "GET", paths[i], NULL);
        assert_int_equal(reply.status, 404);
        assert_int_equal(fake_reply_header(&reply, "Weir-Version") != NULL, i == 0);
    }
}

/* Keys are no prefixes of each other, whatever bytes a record has. */
static void other_keys_are_not_told(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r2", "o-1\x01", "{}", NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r3", "o-11", "{}", NULL);
    fake_run(fake);
    json_t *journey = journey_of(fake, "o-1");
    assert_int_equal(json_array_size(json_object_get(journey, "requests")), 1);
    json_decref(journey);
}

static void only_the_owner_answers(void **state)
{
    struct fake *fake = *state;

    put_four(fake);
    weir_store_revoked(fake->instance, FAKE_ORDERS, weir_topic_partition(weir_bytes_str("o-1"), 6));
    assert_int_equal(fake_get(fake, "GET", "/journeys/orders/o-1", NULL).status, 503);
}

/* Asks as one who has the journey with that mark, and would wait for half a second. */
static struct weir_http_reply ask_for_news(struct fake *fake, const char *mark)
{
    char path[400];

    snprintf(path, sizeof(path), "/journeys/orders/o-1?mark=%s&wait=500", mark);
    return fake_get(fake, "GET", path, NULL);
}

/* The mark that the journey has now. */
static void read_mark(struct fake *fake, char out[static 320])
{
    struct weir_http_reply reply = fake_get(fake, "GET", "/journeys/orders/o-1", NULL);

    assert_int_equal(reply.status, 200);
    snprintf(out, 320, "%s", fake_reply_header(&reply, "Weir-Mark"));
}

/* Each way in which a command ends is news, and so is what becomes of the partition. */
static void check_news(struct fake *fake, char mark[static 320])
{
    struct weir_http_reply reply = ask_for_news(fake, mark);

    assert_true(!reply.later && reply.status == 200);
    assert_string_not_equal(fake_reply_header(&reply, "Weir-Mark"), mark);
    read_mark(fake, mark);
    assert_true(ask_for_news(fake, mark).later);
}

static void news_is_waited_for(void **state)
{
    struct fake *fake = *state;
    char mark[320];

    put_four(fake);
    read_mark(fake, mark);
    assert_true(ask_for_news(fake, mark).later);
    fake->waited_ms = 500;
    assert_int_equal(ask_for_news(fake, mark).status, 304);
    fake->waited_ms = 0;
    fake_put(fake, FAKE_ORDERS, "merge", "r5", "o-1", "{\"n\":5}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    assert_true(ask_for_news(fake, mark).later);
    size_t wakes = fake->wakes;
    assert_int_equal(fake_commit(fake, NULL), 0);
    assert_true(fake->wakes > wakes);
    check_news(fake, mark);
    fake_put(fake, FAKE_ORDERS, "create", "r6", "o-1", "{}", NULL);
    fake_put(fake, FAKE_ORDERS, "merge", "r7", "o-1", "{\"n\":", NULL);
    fake_run(fake);
    check_news(fake, mark);
}

static void what_came_to_nothing_is_no_news(void **state)
{
    struct fake *fake = *state;
    char mark[320];

    put_four(fake);
    read_mark(fake, mark);
    fake_put(fake, FAKE_ORDERS, "merge", "r5", "o-1", "{\"n\":5}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    fake_abort(fake);
    assert_true(ask_for_news(fake, mark).later);
}

static void partition_that_was_away_is_news(void **state)
{
    struct fake *fake = *state;
    int32_t partition = weir_topic_partition(weir_bytes_str("o-1"), FAKE_PARTITIONS);
    char mark[320];

    put_four(fake);
    read_mark(fake, mark);
    weir_store_revoked(fake->instance, FAKE_ORDERS, partition);
    assert_int_equal(ask_for_news(fake, mark).status, 503);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), 0);
    check_news(fake, mark);
    fake_crash(fake);
    check_news(fake, mark);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(requests_are_told_from_acceptance_to_end, start, stop),
    cmocka_unit_test_setup_teardown(journey_survives_a_crash, start, stop),
    cmocka_unit_test_setup_teardown(journey_moves_along, start, stop),
    cmocka_unit_test_setup_teardown(only_the_last_requests_are_told, start, stop),
    cmocka_unit_test_setup_teardown(after_a_day_the_document_is_left, start, stop),
    cmocka_unit_test_setup_teardown(redriven_letter_is_one_request, start, stop),
    cmocka_unit_test_setup_teardown(what_is_not_there_is_404, start, stop),
    cmocka_unit_test_setup_teardown(other_keys_are_not_told, start, stop),
    cmocka_unit_test_setup_teardown(only_the_owner_answers, start, stop),
    cmocka_unit_test_setup_teardown(news_is_waited_for, start, stop),
    cmocka_unit_test_setup_teardown(what_came_to_nothing_is_no_news, start, stop),
    cmocka_unit_test_setup_teardown(partition_that_was_away_is_news, start, stop),
};
WEIR_TEST_MAIN(tests)
