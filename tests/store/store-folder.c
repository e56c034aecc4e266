/* A folder without its service: what it holds, what a change log says of it. */
#include "consumers/plugins/store/change.h"
#include "consumers/plugins/store/document.h"
#include "consumers/plugins/store/folder.h"
#include "consumers/plugins/store/replica.h"
#include "consumers/plugins/store/snapshot.h"
#include "store/fake_host.h"
#include "support/test.h"

#include <stdlib.h>
#include <unistd.h>

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

static struct weir_bytes request_of(const struct weir_record *record)
{
    return weir_header_find(record->headers, record->header_count, WEIR_HEADER_ID);
}

/* What the change log of a partition says. */
static void replay(struct fake *fake, const char *topic, int32_t partition, struct weir_replica *replica)
{
    const struct fake_log *log = fake_log(fake, topic, partition);

    for (size_t i = 0; i < log->count; i++)
        weir_replica_take(replica, log->records[i].key, log->records[i].value, request_of(&log->records[i]));
}

struct comparison {
    struct weir_replica *replica;
    size_t counts[3];
};

static bool compare(void *context, struct weir_bytes key, struct weir_bytes stored)
{
    struct comparison *comparison = context;
    comparison->counts[weir_replica_compare(comparison->replica, key, stored)]++;
    return true;
}

static size_t count_unseen(const struct weir_replica *replica)
{
    size_t count = 0;

    for (size_t i = 0; i < replica->entries.count; i++)
        count += weir_replica_is_unseen(replica, i);
    return count;
}

static int32_t write_some(struct fake *fake)
{
    int32_t partition = 0;
    char key[16];

    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof(key), "o-%d", i);
        partition = fake_put(fake, FAKE_ORDERS, "create", key, key, "{\"n\":1}", NULL)->record.partition;
    }
    fake_run(fake);
    for (int i = 0; i < 60; i += 3) {
        char request[16];
        snprintf(key, sizeof(key), "o-%d", i);
        snprintf(request, sizeof(request), "d-%d", i);
        fake_put(fake, FAKE_ORDERS, "delete", request, key, NULL, NULL);
    }
    fake_run(fake);
    return partition;
}

static void a_folder_is_what_its_log_says(void **state)
{
    struct fake *fake = *state;
    struct weir_folder *folder = NULL;
    struct weir_replica replica = {0};
    size_t count = 0, documents = 0;

    write_some(fake);
    fake_close(fake);
    assert_int_equal(weir_folder_open(fake->settings.path, false, &folder, NULL), 0);
    const struct weir_folder_part *parts = weir_folder_parts(folder, &count);
    assert_int_equal(count, 8); /* both collections' partitions */
    for (size_t i = 0; i < count; i++) {
        struct comparison comparison = {.replica = &replica};
        const struct fake_log *log = fake_log(fake, parts[i].changes_topic, parts[i].partition);
        int64_t behind = log->count > 0 ? log->records[log->count - 1].offset + 1 : 0;
        assert_in_range(parts[i].checkpoint, behind, log->next_offset); /* a marker may follow */
        replay(fake, parts[i].changes_topic, parts[i].partition, &replica);
        assert_int_equal(weir_folder_each(folder, &parts[i], compare, &comparison, NULL), 0);
        assert_int_equal(comparison.counts[WEIR_LIKE_DIFFERENT] + comparison.counts[WEIR_LIKE_UNKNOWN], 0);
        assert_int_equal(count_unseen(&replica), 0);
        documents += comparison.counts[WEIR_LIKE_SAME];
        weir_replica_clear(&replica);
    }
    assert_int_equal(documents, 40);
    weir_replica_done(&replica);
    weir_folder_close(folder);
}

static void each_kind_of_difference_is_found(void **state)
{
    (void)state;
    struct weir_replica replica = {0};
    struct weir_buffer event = {0}, stored = {0};
    struct weir_change change = {.op = 'u',
        .collection = "orders",
        .key = weir_bytes_str("k"),
        .request = weir_bytes_str("r"),
        .version = 2,
        .ts_ms = 7,
        .after = weir_bytes_str("{\"n\":1}")};

    weir_change_write(&change, &event);
    weir_replica_take(&replica, weir_bytes_str("same"), weir_buffer_bytes(&event), weir_bytes_str("r"));
    weir_replica_take(&replica, weir_bytes_str("only there"), weir_buffer_bytes(&event), weir_bytes_str("r"));
    weir_replica_take(&replica, weir_bytes_str("gone"), weir_buffer_bytes(&event), weir_bytes_str("r"));
    weir_replica_take(&replica, weir_bytes_str("gone"), WEIR_BYTES_NULL, weir_bytes_str("r"));
    weir_replica_take(
        &replica, weir_bytes_str("other"), weir_buffer_bytes(&event), weir_bytes_str("another request"));
    weir_replica_take(&replica, weir_bytes_str("x"), weir_bytes_str("no event"), weir_bytes_str("r"));
    weir_document_write(&(struct weir_document){2, 7, weir_bytes_str("r"), change.after}, &stored);
    struct weir_bytes here = weir_buffer_bytes(&stored);
    assert_int_equal(weir_replica_compare(&replica, weir_bytes_str("same"), here), WEIR_LIKE_SAME);
    assert_int_equal(weir_replica_compare(&replica, weir_bytes_str("other"), here), WEIR_LIKE_DIFFERENT);
    assert_int_equal(weir_replica_compare(&replica, weir_bytes_str("gone"), here), WEIR_LIKE_UNKNOWN);
    assert_int_equal(weir_replica_compare(&replica, weir_bytes_str("never"), here), WEIR_LIKE_UNKNOWN);
    assert_int_equal(count_unseen(&replica), 1);
    assert_int_equal(replica.skipped, 1);
    weir_replica_done(&replica);
    weir_buffer_done(&event);
    weir_buffer_done(&stored);
}

static void half_a_republish_is_not_served(void **state)
{
    struct fake *fake = *state;
    struct weir_folder *folder = NULL;
    struct weir_error err;

    write_some(fake);
    assert_int_equal(weir_folder_open(fake->settings.path, true, &folder, &err), WEIR_E_CONFIG); /* in use */
    fake_close(fake);
    assert_int_equal(weir_folder_open(fake->settings.path, true, &folder, &err), 0);
    weir_folder_put(folder, WEIR_FOLDER_REPUBLISHING, "yes");
    assert_int_equal(weir_folder_write(folder, &err), 0);
    weir_folder_close(folder);
    assert_int_equal(fake_open(fake, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "weirctl store republish"));
}

static void a_snapshot_is_asked_for(void **state)
{
    struct fake *fake = *state;
    struct weir_folder *folder = NULL;
    char path[PATH_MAX];
    size_t count = 0;

    write_some(fake);
    assert_int_equal(fake_get(fake, "GET", "/snapshot", NULL).status, 404);
    for (int i = 0; i < 2; i++) { /* the second replaces the first */
        struct weir_http_reply reply = fake_get(fake, "POST", "/snapshot", NULL);
        assert_int_equal(reply.status, 200);
        assert_int_equal(weir_snapshot_path(fake->settings.path, path, NULL), 0);
        assert_non_null(strstr(reply.body, path));
    }
    assert_int_equal(fake_get(fake, "POST", "/documents/orders/o-1", NULL).status, 405);
    assert_int_equal(weir_folder_open(path, false, &folder, NULL), 0);
    weir_folder_parts(folder, &count);
    assert_int_equal(count, 8);
    weir_folder_close(folder);
    fake_close(fake);
    fake_start(fake);
    assert_int_equal(access(path, F_OK), -1); /* a start removes what was left */
}

static void what_holds_no_store_is_told(void **state)
{
    struct weir_folder *folder = NULL;
    struct weir_error err;

    (void)state;
    assert_int_equal(weir_folder_open("/nowhere", true, &folder, &err), WEIR_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nowhere"));
    assert_int_equal(weir_folder_remove("/nowhere", &err), 0); /* also by who could not make it */
    assert_int_equal(access("/nowhere", F_OK), -1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_folder_is_what_its_log_says, start, stop),
    cmocka_unit_test(each_kind_of_difference_is_found),
    cmocka_unit_test_setup_teardown(half_a_republish_is_not_served, start, stop),
    cmocka_unit_test_setup_teardown(a_snapshot_is_asked_for, start, stop),
    cmocka_unit_test(what_holds_no_store_is_told),
};
WEIR_TEST_MAIN(tests)
