/* What is on disk is a prefix of the committed change log, however it came there. */
#include "consumers/plugins/store/store.h"
#include "common/envelope.h"
#include "consumers/plugins/store/keys.h"
#include "store/fake_host.h"
#include "support/test.h"

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

/* A small generator of its own, so that a failure comes again. */
static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

static void put_random(struct fake *fake, unsigned *seed, unsigned number)
{
    static const char *const types[] = {"create", "replace", "merge", "merge", "delete", NULL};
    char key[16], request[24], body[96];

    snprintf(key, sizeof(key), "k-%u", next_random(seed) % 40);
    snprintf(request, sizeof(request), "r-%u", number);
    snprintf(body, sizeof(body), " {\"n\" : %u.50,\"m%u\":[\"},{\"]}\n", number, next_random(seed) % 3);
    const char *type = types[next_random(seed) % 6];
    enum fake_source source = next_random(seed) % 3 == 0 ? FAKE_PRODUCTS : FAKE_ORDERS;
    fake_put(fake, source, type, type != NULL ? request : NULL, key,
        type != NULL && strcmp(type, "delete") == 0 ? NULL : body, NULL);
}

static void put_batch(struct fake *fake, unsigned *seed, unsigned *number)
{
    for (unsigned count = 1 + next_random(seed) % 30; count > 0; count--)
        put_random(fake, seed, (*number)++);
    fake->now_ms += 17;
}

static void check_rebuild_equals(struct fake *fake)
{
    char *live = fake_dump(fake);
    fake_close(fake);
    char path[256], kept[256];
    snprintf(kept, sizeof(kept), "%s", fake->settings.path);
    snprintf(path, sizeof(path), "%s/again%zu", fake->folder, fake->block_count);
    snprintf(fake->settings.path, 128, "%.127s", path);
    fake_start(fake);
    char *rebuilt = fake_dump(fake);
    fake_close(fake);
    snprintf(fake->settings.path, 128, "%.127s", kept);
    fake_start(fake);
    assert_string_equal(live, rebuilt);
    assert_true(strlen(live) > 1000);
    free(live);
    free(rebuilt);
}

static void restored_and_applied_are_the_same_bytes(void **state)
{
    struct fake *fake = *state;
    unsigned seed = 1, number = 0;

    for (unsigned batch = 0; batch < 60; batch++) {
        put_batch(fake, &seed, &number);
        fake_run(fake);
    }
    assert_true(fake_count(fake, "orders.changes") > 300);
    check_rebuild_equals(fake);
}

/* Between commit and apply the process dies: the log has what the disk has not. */
static void crash_after_the_commit_is_repaired(void **state)
{
    struct fake *fake = *state;
    unsigned seed = 2, number = 0;

    for (unsigned batch = 0; batch < 40; batch++) {
        put_batch(fake, &seed, &number);
        if (batch % 4 != 3) {
            fake_run(fake);
            continue;
        }
        assert_int_equal(fake_handle(fake, NULL), 0);
        fake_commit_untold(fake);
        fake_crash(fake);
    }
    check_rebuild_equals(fake);
}

/* Before the commit the process dies: the disk has nothing that the log has not, and the commands come again.
 */
static void crash_before_the_commit_leaves_nothing(void **state)
{
    struct fake *fake = *state;
    unsigned seed = 3, number = 0;

    put_batch(fake, &seed, &number);
    fake_run(fake);
    char *before = fake_dump(fake);
    put_batch(fake, &seed, &number);
    assert_int_equal(fake_handle(fake, NULL), 0);
    fake_crash(fake);
    char *after = fake_dump(fake);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Up to where changes are applied when the partition is about to be read. */
static int64_t position(struct fake *fake, int32_t partition)
{
    struct weir_store *store = fake->instance;
    int64_t offset = -1;
    struct weir_error err = {0};

    if (weir_store_table_position(store, WEIR_STORE_CHANGES, FAKE_ORDERS, partition, &offset, &err) < 0)
        fail_msg("%s", err.text);
    int64_t checkpoint =
        atomic_load(&store->sources[FAKE_ORDERS].partitions[partition].checkpoints[WEIR_STORE_CHANGES]);
    assert_true(offset <= checkpoint); /* some of what is applied is read again */
    return checkpoint;
}

static void checkpoint_is_behind_the_last_change(void **state)
{
    struct fake *fake = *state;

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    int32_t partition = entry->record.partition;
    fake_put(fake, FAKE_ORDERS, "delete", "r2", "o-1", NULL, NULL);
    fake_run(fake);
    assert_int_equal(position(fake, partition), 3);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), 0);
    assert_int_equal(position(fake, partition), 4); /* behind the marker */
}

/* Position decides, not the version: an event below the checkpoint is skipped even if it looks new. */
static void events_below_the_checkpoint_are_skipped(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{\"n\":1}", NULL);
    int32_t partition = entry->record.partition;
    fake_run(fake);
    struct weir_record old = fake_log(fake, "orders.changes", partition)->records[0];
    fake_put(fake, FAKE_ORDERS, "delete", "r2", "o-1", NULL, NULL);
    fake_put(fake, FAKE_ORDERS, "create", "r3", "o-1", "{\"n\":2}", NULL);
    fake_run(fake);
    char *before = fake_dump(fake);
    assert_int_equal(weir_store_table_apply(fake->instance, 0, &old, 1, &err), 0);
    char *after = fake_dump(fake);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void tombstone_alone_deletes(void **state)
{
    struct fake *fake = *state;

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    int32_t partition = entry->record.partition;
    fake_run(fake);
    fake_put(fake, FAKE_ORDERS, "delete", "r2", "o-1", NULL, NULL);
    assert_int_equal(fake_handle(fake, NULL), 0);
    fake_commit_untold(fake);
    struct fake_log *log = fake_log(fake, "orders.changes", partition);
    log->records[1] = log->records[2]; /* the event is compacted away */
    log->count = 2;
    fake_crash(fake);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 404);
    char *dump = fake_dump_documents(fake);
    assert_string_equal(dump, "");
    free(dump);
}

static void foreign_records_are_skipped(void **state)
{
    struct fake *fake = *state;
    struct weir_record records[] = {
        {.topic = "orders.changes",
            .key = weir_bytes_str("o-1"),
            .value = weir_bytes_str("hello"),
            .offset = 0},
        {.topic = "orders.changes", .value = weir_bytes_str("{}"), .offset = 1},
        {.topic = "orders.changes",
            .key = weir_bytes_str("o-1"),
            .offset = 2,
            .value = weir_bytes_str("{\"op\":\"c\",\"version\":1,\"ts_ms\":1,\"after\":{}}")},
    };
    struct weir_error err;

    records[2].timestamp_ms = fake->now_ms;
    assert_int_equal(weir_store_table_apply(fake->instance, 0, records, 3, &err), 0);
    assert_non_null(strstr(fake->log_text, "store.event.skipped"));
    assert_non_null(strstr(fake->log_text, "offset=2"));
    assert_int_equal(position(fake, 0), 3);
}

static void state_older_than_the_window_is_rebuilt(void **state)
{
    struct fake *fake = *state;

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    int32_t partition = entry->record.partition;
    fake_run(fake);
    fake->now_ms += fake->deployment.kafka.window_ms;
    assert_int_equal(position(fake, partition), 2 - 1);
    fake->now_ms += 1;
    assert_int_equal(position(fake, partition), 0);
    char *dump = fake_dump_documents(fake);
    assert_string_equal(dump, "");
    free(dump);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), 0);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 200);
}

/* Interrupted halfway, a read has seen the log as it was then: deletes behind its place may be compacted
 * since. */
static void half_a_restore_is_as_old_as_its_last_event(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    int32_t partition = entry->record.partition;
    fake_run(fake);
    struct weir_record next = fake_log(fake, "orders.changes", partition)->records[0];
    next.offset = 5;
    fake->now_ms += fake->deployment.kafka.window_ms / 2;
    assert_int_equal(weir_store_table_apply(fake->instance, 0, &next, 1, &err), 0);
    assert_int_equal(position(fake, partition), 6);
    fake->now_ms += fake->deployment.kafka.window_ms / 2 + 1;
    assert_int_equal(position(fake, partition), 0);
}

static void idle_partitions_stay_young(void **state)
{
    struct fake *fake = *state;

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    int32_t partition = entry->record.partition;
    fake_run(fake);
    fake->now_ms += fake->deployment.kafka.window_ms - 1;
    weir_store_touch_checkpoints(fake->instance);
    fake->now_ms += fake->deployment.kafka.window_ms - 1;
    assert_int_equal(position(fake, partition), 1);
}

static void shorter_topic_is_noticed(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    int32_t partition = entry->record.partition;
    fake_run(fake);
    struct fake_log *log = fake_log(fake, "orders.changes", partition);
    log->count = 0;
    log->next_offset = 0;
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "made anew"));
    assert_non_null(strstr(err.text, "weirctl store republish"));
    assert_non_null(strstr(err.text, "weirctl store reset"));
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 503);
}

static bool count_one(void *context, struct weir_bytes key, struct weir_bytes value)
{
    (void)key, (void)value;
    (*(size_t *)context)++;
    return true;
}

static int32_t put_documents(struct fake *fake, int count)
{
    int32_t partition = 0;
    char key[16];

    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "o-%d", i);
        partition = fake_put(fake, FAKE_ORDERS, "create", key, key, "{}", NULL)->record.partition;
    }
    fake_run(fake);
    return partition;
}

/* A document of the partition. */
static const char *key_on(struct fake *fake, int32_t partition)
{
    static char key[16];
    const struct fake_log *log = fake_log(fake, "orders.changes", partition);

    snprintf(key, sizeof(key), "%.*s", (int)log->records[0].key.len, log->records[0].key.data);
    return key;
}

static struct weir_http_reply read_key(struct fake *fake, const char *key, const char *query)
{
    char path[96];

    snprintf(path, sizeof(path), "/documents/orders/%s%s", key, query);
    return fake_get(fake, "GET", path, NULL);
}

/* What others own is followed, read by who asks for a standby and for no more than it has, and taken over
 * from where it stands. */
static void a_standby_follows_and_takes_over(void **state)
{
    struct fake *fake = *state;
    struct weir_store *store = fake->instance;
    char query[48];
    int64_t offset = -1;
    int32_t partition = put_documents(fake, 100);
    const char *key = key_on(fake, partition);
    const struct fake_log *log = fake_log(fake, "orders.changes", partition);

    weir_store_revoked(store, 0, partition);
    assert_int_equal(read_key(fake, key, "?standby=1").status, 503);
    offset = position(fake, partition);
    assert_true(offset > 0);
    assert_int_equal(read_key(fake, key, "?standby=1").status, 503); /* not at the end yet */
    weir_store_table_followed(store, WEIR_STORE_CHANGES, 0, partition, offset);
    struct weir_http_reply reply = read_key(fake, key, "?standby=1");
    assert_int_equal(reply.status, 200);
    assert_string_equal(fake_reply_header(&reply, "Weir-Standby"), "test");
    assert_non_null(fake_reply_header(&reply, "Weir-Position"));
    assert_int_equal(read_key(fake, key, "").status, 503);
    snprintf(query, sizeof(query), "?standby=1&offset=%d", 1000000);
    assert_int_equal(read_key(fake, key, query).status, 503); /* an older version than was asked for */

    struct weir_record record = log->records[0]; /* another instance deletes it */
    record.offset = log->next_offset;
    record.value = WEIR_BYTES_NULL;
    assert_int_equal(weir_store_table_apply(store, WEIR_STORE_CHANGES, &record, 1, NULL), 0);
    assert_int_equal(read_key(fake, key, "?standby=1").status, 404);
    assert_int_equal(weir_store_assigned(store, 0, partition, NULL), 0);
    assert_int_equal(read_key(fake, key, "?standby=1").status, 503);
    assert_int_equal(position(fake, partition), record.offset + 1);
}

static size_t count_entries(struct fake *fake, int32_t partition)
{
    struct weir_store *store = fake->instance;
    char key[WEIR_STORE_KEY_BYTES];
    size_t count = 0;

    weir_db_each(store->db,
        weir_key_write(WEIR_KEY_DOCUMENT, store->sources[0].number, partition, WEIR_BYTES_NULL, key),
        count_one, &count, NULL);
    return count;
}

static void what_moved_away_is_removed_in_the_background(void **state)
{
    struct fake *fake = *state;
    int32_t partition = put_documents(fake, 9000), other = (partition + 1) % FAKE_PARTITIONS;
    size_t before = count_entries(fake, other), turns = 0;

    fake->settings.moved_keep_ms = 3600 * 1000;
    weir_store_revoked(fake->instance, 0, partition);
    weir_store_tick(fake->instance, NULL);
    assert_true(count_entries(fake, partition) > 1000); /* kept for a while */
    fake->settings.moved_keep_ms = 0;
    ((struct weir_store *)fake->instance)->leftovers_due_ms = 0;
    for (; count_entries(fake, partition) > 0 && turns < 100; turns++)
        weir_store_tick(fake->instance, NULL);
    assert_in_range(turns, 2, 20); /* in steps */
    assert_int_equal(count_entries(fake, other), before);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, NULL), 0);
    assert_int_equal(read_key(fake, key_on(fake, partition), "").status, 200);
}

static void other_cluster_is_refused(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    fake_close(fake);
    fake->cluster = "cluster-b";
    assert_int_equal(fake_open(fake, &err), 0);
    assert_int_equal(fake_take(fake, FAKE_ORDERS, 0, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "cluster-a"));
    assert_non_null(strstr(err.text, "cluster-b"));
}

/* Also one that is longer than what was applied. */
static void topic_made_again_is_refused(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    for (int known = 0; known < 2; known++) {
        fake->topic_id = known ? "id-b" : "";
        fake_close(fake);
        assert_int_equal(fake_open(fake, &err), 0);
        assert_int_equal(fake_take(fake, FAKE_ORDERS, 0, &err), known ? WEIR_E_CONFIG : 0);
    }
    assert_non_null(strstr(err.text, "id-a"));
    assert_non_null(strstr(err.text, "id-b"));
    assert_non_null(strstr(err.text, "weirctl store reset"));
    assert_int_equal(fake_take(fake, FAKE_PRODUCTS, 0, &err), 0);
}

static void other_partition_count_is_refused(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    assert_int_equal(fake_take(fake, FAKE_PRODUCTS, 2, &err), WEIR_E_CONFIG);
    fake_close(fake);
    fake->collections[1].partitions = 3;
    assert_int_equal(fake_open(fake, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "partitions = 3"));
}

/* Neither what a process that was killed left, nor what one that ended well had. */
static void dev_broker_leaves_nothing_behind(void **state)
{
    struct fake *fake = *state;

    fake_close(fake);
    snprintf(fake->settings.path, 128, "%s/x.dev", fake->folder);
    for (int kept = 0; kept < 2; kept++) {
        fake_start(fake);
        fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
        fake_run(fake);
        assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 200);
        fake_close(fake);
        fake_forget_topics(fake);
        fake->deployment.kafka.dev = true;
        fake->cluster = "";
        snprintf(fake->settings.path, 128, "%s/x", fake->folder);
        fake_start(fake);
        assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 404);
        fake_close(fake);
    }
    snprintf(fake->settings.path, 128, "%s/x.dev", fake->folder);
    fake->deployment.kafka.dev = false;
    fake_start(fake);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 404);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(restored_and_applied_are_the_same_bytes, start, stop),
    cmocka_unit_test_setup_teardown(crash_after_the_commit_is_repaired, start, stop),
    cmocka_unit_test_setup_teardown(crash_before_the_commit_leaves_nothing, start, stop),
    cmocka_unit_test_setup_teardown(checkpoint_is_behind_the_last_change, start, stop),
    cmocka_unit_test_setup_teardown(events_below_the_checkpoint_are_skipped, start, stop),
    cmocka_unit_test_setup_teardown(tombstone_alone_deletes, start, stop),
    cmocka_unit_test_setup_teardown(foreign_records_are_skipped, start, stop),
    cmocka_unit_test_setup_teardown(state_older_than_the_window_is_rebuilt, start, stop),
    cmocka_unit_test_setup_teardown(half_a_restore_is_as_old_as_its_last_event, start, stop),
    cmocka_unit_test_setup_teardown(idle_partitions_stay_young, start, stop),
    cmocka_unit_test_setup_teardown(shorter_topic_is_noticed, start, stop),
    cmocka_unit_test_setup_teardown(a_standby_follows_and_takes_over, start, stop),
    cmocka_unit_test_setup_teardown(what_moved_away_is_removed_in_the_background, start, stop),
    cmocka_unit_test_setup_teardown(other_cluster_is_refused, start, stop),
    cmocka_unit_test_setup_teardown(topic_made_again_is_refused, start, stop),
    cmocka_unit_test_setup_teardown(other_partition_count_is_refused, start, stop),
    cmocka_unit_test_setup_teardown(dev_broker_leaves_nothing_behind, start, stop),
};
WEIR_TEST_MAIN(tests)
