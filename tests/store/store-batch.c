/* Batches of commands over the fake host: events, outcomes, dead letters, the overlay and both ends of a
 * batch. */
#include "common/envelope.h"
#include "consumers/plugins/store/problem.h"
#include "consumers/plugins/store/store.h"
#include "store/fake_host.h"
#include "support/test.h"

#include <inttypes.h>

static struct weir_bytes header(const struct weir_record *record, const char *name)
{
    return weir_header_find(record->headers, record->header_count, name);
}

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

static const char created[] = "{\"op\":\"c\",\"collection\":\"orders\",\"key\":\"o-1\",\"version\":1,"
                              "\"request\":\"r1\",\"ts_ms\":1795243240123,"
                              "\"after\":{\"orderID\":\"o-1\",\"total\":19.990}}";

static void create_becomes_an_event(void **state)
{
    struct fake *fake = *state;

    const struct fake_entry *entry =
        fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"total\":19.990}", WEIR_HEADER_TRACEPARENT,
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", WEIR_HEADER_FINGERPRINT, "f00d", NULL);
    int32_t partition = entry->record.partition;
    fake_run(fake);
    const struct weir_record *event = fake_last(fake, "orders.changes", "o-1");
    assert_non_null(event);
    assert_text(event->value, created);
    assert_int_equal(event->partition, partition);
    assert_text(header(event, "ce_id"), "r1");
    assert_text(header(event, "ce_type"), "weir.orders.created");
    assert_text(header(event, "ce_subject"), "o-1");
    assert_text(header(event, "ce_time"), "2026-11-21T06:40:40.123Z");
    assert_text(header(event, "content-type"), "application/json");
    assert_text(header(event, "weir-fingerprint"), "f00d");
    assert_text(header(event, "traceparent"), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    char at[WEIR_POSITION_BYTES];
    weir_position_write("orders", partition, 0, at);
    assert_text(header(event, "weir-origin"), at);
    assert_int_equal(fake_count(fake, "orders.store.outcomes"), 0);
}

static void delete_is_event_and_null(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "delete", "r2", "o-1", NULL, NULL);
    int32_t partition = entry->record.partition;
    fake_run(fake);
    struct fake_log *log = fake_log(fake, "orders.changes", partition);
    assert_int_equal(log->count, 3);
    assert_text(log->records[1].value,
        "{\"op\":\"d\",\"collection\":\"orders\",\"key\":\"o-1\",\"version\":2,"
        "\"request\":\"r2\",\"ts_ms\":1795243240123}");
    assert_null(log->records[2].value.data);
    assert_int_equal(log->records[1].header_count, log->records[2].header_count);
    for (size_t i = 0; i < log->records[1].header_count; i++)
        assert_true(weir_bytes_equal(
            log->records[1].headers[i].value, header(&log->records[2], log->records[1].headers[i].name)));
    assert_text(header(&log->records[2], "ce_type"), "weir.orders.deleted");
}

static void old_images_where_asked_for(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_PRODUCTS, "replace", "r1", "p-1", "{\"sku\":\"p-1\",\"stock\":5}", NULL);
    fake_put(fake, FAKE_PRODUCTS, "merge", "r2", "p-1", "{\"stock\":4}", NULL);
    fake_run(fake);
    const struct weir_record *event = fake_last(fake, "products.changes", "p-1");
    assert_text(event->value,
        "{\"op\":\"u\",\"collection\":\"products\",\"key\":\"p-1\",\"version\":2,\"request\":\"r2\","
        "\"ts_ms\":1795243240123,\"before\":{\"sku\":\"p-1\",\"stock\":5},"
        "\"after\":{\"sku\":\"p-1\",\"stock\":4}}");
}

static void later_commands_see_earlier_ones(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"n\":1}", NULL);
    fake_put(fake, FAKE_ORDERS, "merge", "r2", "o-1", "{\"m\":2}", NULL);
    fake_put(fake, FAKE_ORDERS, "delete", "r3", "o-1", NULL, NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r4", "o-1", "{\"n\":4}", NULL);
    fake_put(fake, FAKE_ORDERS, "replace", "r5", "o-1", "{\"n\":5}", WEIR_HEADER_IF_MATCH, "\"r4\"", NULL);
    fake_run(fake);
    assert_int_equal(fake_count(fake, "orders.store.outcomes"), 0);
    const struct weir_record *event = fake_last(fake, "orders.changes", "o-1");
    assert_non_null(strstr(event->value.data, "\"op\":\"u\""));
    assert_non_null(strstr(event->value.data, "\"version\":2,"));
    assert_string_equal(
        fake_get(fake, "GET", "/documents/orders/o-1", NULL).body, "{\"orderID\":\"o-1\",\"n\":5}");
}

static void effectless_commands_leave_an_outcome(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    const struct fake_entry *second = fake_put(fake, FAKE_ORDERS, "create", "r2", "o-1", "{}", NULL);
    char expected[512], at[WEIR_POSITION_BYTES];
    weir_position_write("orders", second->record.partition, second->record.offset, at);
    fake_run(fake);
    snprintf(expected, sizeof(expected),
        "{\"request\":\"r2\",\"outcome\":\"rejected\",\"error\":\"already-exists\",\"at\":\"%s\",\"ts_ms\":"
        "1795243240123}",
        at);
    assert_text(fake_last(fake, "orders.store.outcomes", "o-1")->value, expected);
    fake_put(fake, FAKE_ORDERS, "delete", "r3", "o-2", NULL, NULL);
    fake_put(fake, FAKE_ORDERS, "replace", "r4", "o-1", "{}", WEIR_HEADER_IF_MATCH, "\"no\"", NULL);
    fake_run(fake);
    assert_non_null(strstr(
        fake_last(fake, "orders.store.outcomes", "o-2")->value.data, "\"outcome\":\"unchanged\",\"at\""));
    assert_non_null(
        strstr(fake_last(fake, "orders.store.outcomes", "o-1")->value.data, "\"precondition-failed\""));
    assert_int_equal(fake_count(fake, "orders.changes"), 1);
}

static void bare_record_is_a_replace(void **state)
{
    struct fake *fake = *state;
    char id[WEIR_ID_BYTES];

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, NULL, NULL, "o-1", "{\"n\":1}", NULL);
    weir_id_of_record("cluster-a", "orders", entry->record.partition, entry->record.offset, id);
    fake_run(fake);
    const struct weir_record *event = fake_last(fake, "orders.changes", "o-1");
    assert_text(header(event, "ce_id"), id);
    fake_put(fake, FAKE_ORDERS, NULL, NULL, "o-1", NULL, NULL);
    fake_run(fake);
    assert_null(fake_last(fake, "orders.changes", "o-1")->value.data);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 404);
}

static void broken_json_is_one_dead_letter(void **state)
{
    struct fake *fake = *state;

    const struct fake_entry *bad = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"n\":,}", NULL);
    const struct fake_entry *good = fake_put(fake, FAKE_ORDERS, "create", "r2", "o-1", "{\"n\":1}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    assert_int_equal(bad->verdict, WEIR_REJECT);
    assert_string_equal(bad->disposition, "invalid");
    assert_non_null(strstr(bad->text, "/n"));
    assert_int_equal(good->verdict, WEIR_DONE);
    assert_int_equal(fake_commit(fake, NULL), 0);
    assert_int_equal(fake_count(fake, "orders.changes"), 1);
    assert_non_null(strstr(fake_last(fake, "orders.store.outcomes", "o-1")->value.data,
        "{\"request\":\"r1\",\"outcome\":\"dead-lettered\",\"error\":\"invalid\",\"detail\":\"invalid JSON "
        "at "));
}

static void impossible_records_are_rejected(void **state)
{
    struct fake *fake = *state;
    struct fake_entry *entries[] = {
        fake_put(fake, FAKE_ORDERS, "create", "r1", "o\x01", "{}", NULL),
        fake_put(fake, FAKE_ORDERS, "create", "r2", NULL, "{}", NULL),
        fake_put(fake, FAKE_ORDERS, "explode", "r3", "o-1", "{}", NULL),
        fake_put(fake, FAKE_ORDERS, "create", "a \"b\"", "o-1", "{}", NULL),
        fake_put(fake, FAKE_ORDERS, "create", "r5", "o-1", "{}", NULL),
    };

    entries[4]->record.partition = (entries[4]->record.partition + 1) % 6;
    assert_int_equal(fake_handle(fake, NULL), 0);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(entries[i]->verdict, WEIR_REJECT);
        assert_string_equal(entries[i]->disposition, i == 4 ? "wrong-partition" : "invalid");
    }
    assert_int_equal(fake_commit(fake, NULL), 0);
    assert_int_equal(fake_count(fake, "orders.changes"), 0);
    assert_int_equal(fake_count(fake, "orders.store.outcomes"), 5);
}

static void too_large_event_changes_nothing(void **state)
{
    struct fake *fake = *state;

    fake->event_bytes_max = 200;
    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    const struct fake_entry *large = fake_put(fake, FAKE_ORDERS, "merge", "r2", "o-1",
        "{\"text\":\"01234567890123456789012345678901234567890123456789012345678901234567890123456789\"}",
        NULL);
    const struct fake_entry *next = fake_put(fake, FAKE_ORDERS, "merge", "r3", "o-1", "{\"n\":1}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    assert_int_equal(large->verdict, WEIR_REJECT);
    assert_string_equal(large->disposition, "too-large");
    assert_int_equal(next->verdict, WEIR_DONE);
    assert_int_equal(fake_commit(fake, NULL), 0);
    assert_string_equal(
        fake_get(fake, "GET", "/documents/orders/o-1", NULL).body, "{\"orderID\":\"o-1\",\"n\":1}");
    struct weir_http_reply reply = fake_get(fake, "GET", "/documents/orders/o-1", NULL);
    assert_string_equal(fake_reply_header(&reply, "Weir-Version"), "2");
}

static void aborted_batch_leaves_nothing(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 404);
    fake_abort(fake);
    fake_run(fake);
    assert_int_equal(fake_count(fake, "orders.changes"), 1);
    assert_int_equal(fake_count(fake, "orders.store.outcomes"), 0);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 200);
}

static void unknown_commit_is_refused(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    fake->emitted_count = 0;
    assert_int_equal(fake_commit(fake, &err), WEIR_E_INTERNAL);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 404);
}

static void forged_origin_is_not_believed(void **state)
{
    struct fake *fake = *state;

    struct fake_entry *entry =
        fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", WEIR_HEADER_ORIGIN, "orders/5/99", NULL);
    struct fake_entry *retried = fake_put(
        fake, FAKE_ORDERS, "merge", NULL, "o-1", "{\"n\":1}", WEIR_HEADER_ORIGIN, "orders/5/99", NULL);
    char at[WEIR_POSITION_BYTES], id[WEIR_ID_BYTES];
    weir_position_write("orders", entry->record.partition, entry->record.offset, at);
    retried->record.topic = "orders.store.retry";
    int32_t partition = entry->record.partition;
    fake_run(fake);
    const struct fake_log *log = fake_log(fake, "orders.changes", partition);
    assert_text(header(&log->records[0], "weir-origin"), at);
    assert_text(header(&log->records[1], "weir-origin"), "orders/5/99");
    weir_id_of_record("cluster-a", "orders", 5, 99, id);
    assert_text(header(&log->records[1], "ce_id"), id);
}

static int start_with_schema(void **state)
{
    static const char schema[] =
        "{\"type\":\"object\",\"properties\":{\"stock\":{\"type\":\"integer\","
        "\"minimum\":0},\"price\":{\"properties\":{\"net\":{\"exclusiveMinimum\":0.50}}}},"
        "\"additionalProperties\":true}";
    struct fake *fake = fake_new();
    static char path[128];

    snprintf(path, sizeof(path), "%.90s/orders.schema.json", fake->folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(schema, file);
    fclose(file);
    fake->collections[0].schema = path;
    *state = fake;
    fake_start(fake);
    return 0;
}

/* Merges, adjusts and records that never saw a gateway too. */
static void document_that_breaks_the_schema_is_a_letter(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"stock\":5}", NULL);
    struct fake_entry *letters[] = {
        fake_put(fake, FAKE_ORDERS, "merge", "r2", "o-1", "{\"stock\":-1}", NULL),
        fake_put(fake, FAKE_ORDERS, "adjust", "r3", "o-1", "{\"stock\":0.5}", NULL),
        fake_put(fake, FAKE_ORDERS, NULL, NULL, "o-1", "{\"stock\":\"many\"}", NULL),
    };
    const struct fake_entry *good = fake_put(fake, FAKE_ORDERS, "merge", "r4", "o-1", "{\"a\":1}", NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        assert_int_equal(letters[i]->verdict, WEIR_REJECT);
        assert_string_equal(letters[i]->disposition, "invalid");
        if (strstr(letters[i]->text, "(pointer \"/stock\")") == NULL)
            fail_msg("%s", letters[i]->text);
    }
    assert_int_equal(good->verdict, WEIR_DONE);
    assert_int_equal(fake_commit(fake, NULL), 0);
    assert_string_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).body,
        "{\"orderID\":\"o-1\",\"stock\":5,\"a\":1}");
}

/* What the store answers whoever asks for the request. */
static void check_told(struct fake *fake, const char *request, const char *expected)
{
    char path[128];

    snprintf(path, sizeof(path), "/requests/orders/%" PRId32 "/%s",
        weir_topic_partition(weir_bytes_str("o-1"), FAKE_PARTITIONS), request);
    struct weir_http_reply reply = fake_get(fake, "GET", path, NULL);
    if (reply.status != 200 || strstr(reply.body, expected) == NULL)
        fail_msg("%s: %u %s", request, reply.status, reply.body);
}

static void check_all_told(struct fake *fake)
{
    check_told(fake, "r2",
        "\"error\":\"invalid\",\"detail\":\"the document breaks its schema at 2 "
        "places\",\"errors\":[{\"pointer\":"
        "\"/stock\",\"detail\":\"");
    check_told(fake, "r2", "\"},{\"pointer\":\"/price/net\",\"detail\":\"");
    check_told(fake, "r3",
        "\"error\":\"invalid\",\"detail\":\"adjust (pointer \\\"/a\\\"): the document has nothing there to "
        "add "
        "to\",\"errors\":[{\"pointer\":\"/a\",\"detail\":\"the document has nothing there to add to\"}]");
    check_told(fake, "r4",
        "\"error\":\"minimum\",\"detail\":\"adjust (pointer \\\"/stock\\\"): it would be -1, and it has to "
        "be at "
        "least 0\",\"errors\":[{\"pointer\":\"/stock\",\"detail\":\"it would be -1, and it has to be at "
        "least 0\"}]");
    check_told(fake, "r5", "\"errors\":[{\"pointer\":\"/orderID\",");
    check_told(fake, "r6", "\"error\":\"already-exists\",\"key\"");
}

static void outcome_tells_what_was_wrong(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"stock\":0,\"price\":{\"net\":1.00}}", NULL);
    fake_put(fake, FAKE_ORDERS, "merge", "r2", "o-1", "{\"stock\":-1,\"price\":{\"net\":0}}", NULL);
    fake_put(fake, FAKE_ORDERS, "adjust", "r3", "o-1", "{\"a\":1}", NULL);
    fake_put(fake, FAKE_ORDERS, "adjust", "r4", "o-1", "{\"stock\":-1}", NULL);
    fake_put(fake, FAKE_ORDERS, "replace", "r5", "o-1", "{\"orderID\":\"o-2\"}", NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r6", "o-1", "{}", NULL);
    fake_run(fake);
    check_all_told(fake);
    fake_crash(fake);
    check_all_told(fake);
    char *before = fake_dump(fake);
    fake_close(fake);
    snprintf(fake->settings.path, sizeof(fake->folder), "%.40s/other", fake->folder);
    fake_start(fake);
    check_all_told(fake);
    char *after = fake_dump(fake);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* 32 places with pointers of 200 bytes are more than an outcome takes. */
static void outcome_stays_small(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    struct weir_schema_violation list[WEIR_SCHEMA_VIOLATIONS_MAX] = {0};
    const struct weir_schema_violations violations = {list, WEIR_SCHEMA_VIOLATIONS_MAX, true};

    (void)state;
    for (size_t i = 0; i < WEIR_SCHEMA_VIOLATIONS_MAX; i++) {
        memset(list[i].pointer, '/', 200);
        memset(list[i].detail, '"', 200);
    }
    weir_problem_write_violations(&violations, &text);
    assert_true(text.len <= WEIR_PROBLEM_BYTES);
    assert_true(text.len > WEIR_PROBLEM_BYTES - 700);
    assert_non_null(
        strstr(text.data, "\"detail\":\"the document breaks its schema at more than 32 places\""));
    assert_string_equal(text.data + text.len - 3, "\"}]");
}

static void minimum_of_the_schema_stops_an_adjust(void **state)
{
    struct fake *fake = *state;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"stock\":5,\"price\":{\"net\":1.00}}", NULL);
    fake_put(fake, FAKE_ORDERS, "adjust", "r2", "o-1", "{\"stock\":-5}", NULL);
    fake_run(fake);
    assert_int_equal(fake_count(fake, "orders.store.outcomes"), 0);
    fake_put(fake, FAKE_ORDERS, "adjust", "r3", "o-1", "{\"stock\":-1}", NULL);
    fake_put(fake, FAKE_ORDERS, "adjust", "r4", "o-1", "{\"price\":{\"net\":-0.5}}", NULL);
    fake_run(fake);
    assert_int_equal(fake_count(fake, "orders.store.outcomes"), 2);
    assert_non_null(strstr(fake_last(fake, "orders.store.outcomes", "o-1")->value.data,
        "\"outcome\":\"rejected\",\"error\":\"minimum\""));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(create_becomes_an_event, start, stop),
    cmocka_unit_test_setup_teardown(delete_is_event_and_null, start, stop),
    cmocka_unit_test_setup_teardown(old_images_where_asked_for, start, stop),
    cmocka_unit_test_setup_teardown(later_commands_see_earlier_ones, start, stop),
    cmocka_unit_test_setup_teardown(effectless_commands_leave_an_outcome, start, stop),
    cmocka_unit_test_setup_teardown(bare_record_is_a_replace, start, stop),
    cmocka_unit_test_setup_teardown(broken_json_is_one_dead_letter, start, stop),
    cmocka_unit_test_setup_teardown(impossible_records_are_rejected, start, stop),
    cmocka_unit_test_setup_teardown(too_large_event_changes_nothing, start, stop),
    cmocka_unit_test_setup_teardown(aborted_batch_leaves_nothing, start, stop),
    cmocka_unit_test_setup_teardown(unknown_commit_is_refused, start, stop),
    cmocka_unit_test_setup_teardown(document_that_breaks_the_schema_is_a_letter, start_with_schema, stop),
    cmocka_unit_test_setup_teardown(minimum_of_the_schema_stops_an_adjust, start_with_schema, stop),
    cmocka_unit_test_setup_teardown(outcome_tells_what_was_wrong, start_with_schema, stop),
    cmocka_unit_test(outcome_stays_small),
    cmocka_unit_test_setup_teardown(forged_origin_is_not_believed, start, stop),
};
WEIR_TEST_MAIN(tests)
