/* Documents that are deleted a while after their last change. */
#include "common/envelope.h"
#include "consumers/plugins/store/store.h"
#include "store/fake_host.h"
#include "support/test.h"

#include <stdlib.h>

enum { MINUTE_MS = 60 * 1000, HOUR_MS = 60 * MINUTE_MS };

static int start(void **state)
{
    struct fake *fake = fake_new();
    *state = fake;
    fake->collections[0].ttl_ms = HOUR_MS;
    fake_start(fake);
    return 0;
}

static int stop(void **state)
{
    fake_free(*state);
    return 0;
}

static struct weir_bytes header(const struct weir_record *record, const char *name)
{
    return weir_header_find(record->headers, record->header_count, name);
}

static unsigned status_of(struct fake *fake, const char *key)
{
    char path[300];

    snprintf(path, sizeof(path), "/documents/orders/%s", key);
    return fake_get(fake, "GET", path, NULL).status;
}

static void create(struct fake *fake, const char *request, const char *key)
{
    fake_put(fake, FAKE_ORDERS, "create", request, key, "{\"n\":1}", NULL);
    fake_run(fake);
}

/* What expires at a time: the number of events. */
static size_t expire(struct fake *fake, int64_t later_ms)
{
    fake->now_ms += later_ms;
    size_t emitted = fake_tick(fake);
    if (emitted > 0)
        assert_int_equal(fake_commit(fake, NULL), 0);
    assert_int_equal(emitted % 2, 0);
    return emitted / 2;
}

static const struct fake_log *changes_of(struct fake *fake, const char *key)
{
    return fake_log(fake, "orders.changes", weir_topic_partition(weir_bytes_str(key), FAKE_PARTITIONS));
}

static void use_another_folder(struct fake *fake)
{
    fake_close(fake);
    snprintf(fake->settings.path, 128, "%.100s/other", fake->folder);
    fake_start(fake);
}

static void document_expires_by_event_and_null(void **state)
{
    struct fake *fake = *state;

    create(fake, "r1", "o-1");
    assert_int_equal(expire(fake, 59 * MINUTE_MS), 0);
    fake->now_ms += 2 * MINUTE_MS;
    assert_int_equal(fake_tick(fake), 2);
    assert_int_equal(status_of(fake, "o-1"), 200); /* as long as it is not committed */
    assert_int_equal(fake_commit(fake, NULL), 0);
    assert_int_equal(status_of(fake, "o-1"), 404);
    const struct fake_log *log = changes_of(fake, "o-1");
    assert_int_equal(log->count, 3);
    const struct weir_record *event = &log->records[1];
    assert_non_null(
        strstr(event->value.data, "{\"op\":\"d\",\"collection\":\"orders\",\"key\":\"o-1\",\"version\":2,"));
    assert_non_null(strstr(event->value.data, ",\"reason\":\"ttl\"}"));
    assert_text(header(event, WEIR_HEADER_REASON), "ttl");
    assert_text(header(event, WEIR_HEADER_TYPE), "weir.orders.deleted");
    assert_true(header(event, WEIR_HEADER_ID).len == 36);
    assert_null(header(event, WEIR_HEADER_ORIGIN).data);
    assert_null(log->records[2].value.data);
    assert_int_equal(expire(fake, 24 * HOUR_MS), 0);
}

static void changed_meanwhile_stays(void **state)
{
    struct fake *fake = *state;

    create(fake, "r1", "o-1");
    fake->now_ms += 30 * MINUTE_MS;
    fake_put(fake, FAKE_ORDERS, "merge", "r2", "o-1", "{\"n\":2}", NULL);
    fake_run(fake);
    assert_int_equal(expire(fake, 45 * MINUTE_MS), 0);
    assert_int_equal(status_of(fake, "o-1"), 200);
    assert_int_equal(expire(fake, 16 * MINUTE_MS), 1);
    assert_int_equal(status_of(fake, "o-1"), 404);
}

static void deleted_or_without_ttl_does_not_expire(void **state)
{
    struct fake *fake = *state;

    create(fake, "r1", "o-1");
    fake_put(fake, FAKE_ORDERS, "delete", "r2", "o-1", NULL, NULL);
    fake_put(fake, FAKE_PRODUCTS, "create", "r3", "p-1", "{}", NULL);
    fake_run(fake);
    assert_int_equal(expire(fake, 30 * 24 * (int64_t)HOUR_MS), 0);
}

static void aborted_expiry_is_tried_again(void **state)
{
    struct fake *fake = *state;

    create(fake, "r1", "o-1");
    fake->now_ms += 2 * HOUR_MS;
    assert_int_equal(fake_tick(fake), 2);
    fake_abort(fake);
    assert_int_equal(status_of(fake, "o-1"), 200);
    assert_int_equal(expire(fake, 2 * MINUTE_MS), 1);
    assert_int_equal(status_of(fake, "o-1"), 404);
    assert_int_equal(changes_of(fake, "o-1")->count, 3);
}

static void expiry_that_was_not_applied_is_found_in_the_log(void **state)
{
    struct fake *fake = *state;

    create(fake, "r1", "o-1");
    fake->now_ms += 2 * HOUR_MS;
    assert_int_equal(fake_tick(fake), 2);
    fake_commit_untold(fake);
    fake_crash(fake);
    assert_int_equal(status_of(fake, "o-1"), 404);
    assert_int_equal(expire(fake, HOUR_MS), 0);
}

static void moved_partition_expires_the_same(void **state)
{
    struct fake *fake = *state;

    create(fake, "r1", "o-1");
    fake->now_ms += 30 * MINUTE_MS;
    create(fake, "r2", "o-2");
    fake_put(fake, FAKE_ORDERS, "merge", "r3", "o-2", "{\"n\":2}", NULL);
    fake->now_ms += MINUTE_MS;
    fake_run(fake);
    assert_int_equal(expire(fake, 30 * MINUTE_MS), 1);
    char *before = fake_dump_documents(fake);
    use_another_folder(fake);
    char *after = fake_dump_documents(fake);
    assert_string_equal(before, after);
    free(before);
    free(after);
    assert_int_equal(expire(fake, 29 * MINUTE_MS), 0);
    assert_int_equal(expire(fake, 2 * MINUTE_MS), 1);
    assert_int_equal(status_of(fake, "o-2"), 404);
}

static void ttl_declared_later_holds_for_all(void **state)
{
    struct fake *fake = *state;

    fake_close(fake);
    fake->collections[0].ttl_ms = 0;
    fake_start(fake);
    create(fake, "r1", "o-1");
    fake_close(fake);
    fake->collections[0].ttl_ms = 10 * MINUTE_MS;
    fake->now_ms += 5 * MINUTE_MS;
    fake_start(fake);
    for (int i = 0; i < FAKE_PARTITIONS; i++)
        assert_int_equal(expire(fake, 0), 0); /* the entries are made */
    assert_int_equal(expire(fake, 6 * MINUTE_MS), 1);
    assert_int_equal(status_of(fake, "o-1"), 404);
}

/* Another key of the same partition. */
static const char *neighbour(const char *key)
{
    static char other[16];

    for (int i = 0;; i++) {
        snprintf(other, sizeof(other), "n-%d", i);
        if (weir_topic_partition(weir_bytes_str(other), FAKE_PARTITIONS) ==
            weir_topic_partition(weir_bytes_str(key), FAKE_PARTITIONS))
            return other;
    }
}

/* A command that was accepted while the document lived finds it. */
static void nothing_expires_before_late_commands(void **state)
{
    struct fake *fake = *state;
    const char *left = neighbour("o-1");

    create(fake, "r1", "o-1");
    create(fake, "r2", left);
    fake->now_ms += 2 * HOUR_MS;
    fake_crash(fake);
    assert_int_equal(expire(fake, 9000), 0);
    fake_put(fake, FAKE_ORDERS, "merge", "r3", "o-1", "{\"m\":2}", NULL)->record.timestamp_ms -= HOUR_MS;
    fake_run(fake);
    assert_int_equal(expire(fake, 9000), 0);
    assert_int_equal(expire(fake, 2000), 1);
    assert_int_equal(status_of(fake, left), 404);
    assert_string_equal(
        fake_get(fake, "GET", "/documents/orders/o-1", NULL).body, "{\"orderID\":\"o-1\",\"n\":1,\"m\":2}");
}

static void many_expire_in_small_turns(void **state)
{
    struct fake *fake = *state;
    char key[16];
    size_t expired = 0;

    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "o-%d", i);
        fake_put(fake, FAKE_ORDERS, "create", key, key, "{}", NULL);
    }
    fake_run(fake);
    fake->now_ms += 2 * HOUR_MS;
    for (int ticks = 0; expired < 1000; ticks++) {
        size_t now = expire(fake, ticks % 2 == 0 ? 1000 : 0);
        assert_true(ticks < 20 && now <= 500);
        expired += now;
    }
    assert_int_equal(expire(fake, HOUR_MS), 0);
    assert_int_equal(fake_count(fake, "orders.changes"), 3000);
    char *left = fake_dump_documents(fake);
    assert_string_equal(left, "");
    free(left);
}

static void recreated_begins_anew(void **state)
{
    struct fake *fake = *state;

    create(fake, "r1", "o-1");
    assert_int_equal(expire(fake, 61 * MINUTE_MS), 1);
    create(fake, "r1", "o-1"); /* a repeat is no new command */
    assert_int_equal(status_of(fake, "o-1"), 404);
    create(fake, "r2", "o-1");
    struct weir_http_reply reply = fake_get(fake, "GET", "/documents/orders/o-1", NULL);
    assert_string_equal(fake_reply_header(&reply, "Weir-Version"), "1");
}

static void old_image_goes_along_where_asked_for(void **state)
{
    struct fake *fake = *state;

    fake_close(fake);
    fake->collections[FAKE_PRODUCTS].ttl_ms = 1000;
    fake_start(fake);
    fake_put(fake, FAKE_PRODUCTS, "create", "r1", "p-1", "{\"n\":1}", NULL);
    fake_run(fake);
    assert_int_equal(expire(fake, 3000), 1);
    int32_t partition = weir_topic_partition(weir_bytes_str("p-1"), 2);
    assert_non_null(strstr(fake_log(fake, "products.changes", partition)->records[1].value.data,
        "\"reason\":\"ttl\",\"before\":{\"sku\":\"p-1\",\"n\":1}}"));
}

static void full_disk_expires_nothing(void **state)
{
    struct fake *fake = *state;

    create(fake, "r1", "o-1");
    fake->settings.free_min_bytes = INT64_MAX;
    assert_int_equal(fake_handle(fake, NULL), 0);
    assert_int_equal(expire(fake, 2 * HOUR_MS), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(document_expires_by_event_and_null, start, stop),
    cmocka_unit_test_setup_teardown(changed_meanwhile_stays, start, stop),
    cmocka_unit_test_setup_teardown(deleted_or_without_ttl_does_not_expire, start, stop),
    cmocka_unit_test_setup_teardown(aborted_expiry_is_tried_again, start, stop),
    cmocka_unit_test_setup_teardown(expiry_that_was_not_applied_is_found_in_the_log, start, stop),
    cmocka_unit_test_setup_teardown(moved_partition_expires_the_same, start, stop),
    cmocka_unit_test_setup_teardown(ttl_declared_later_holds_for_all, start, stop),
    cmocka_unit_test_setup_teardown(nothing_expires_before_late_commands, start, stop),
    cmocka_unit_test_setup_teardown(many_expire_in_small_turns, start, stop),
    cmocka_unit_test_setup_teardown(recreated_begins_anew, start, stop),
    cmocka_unit_test_setup_teardown(old_image_goes_along_where_asked_for, start, stop),
    cmocka_unit_test_setup_teardown(full_disk_expires_nothing, start, stop),
};
WEIR_TEST_MAIN(tests)
