/* The folder: in use, damaged, full. */
#include "consumers/plugins/store/store.h"
#include "store/fake_host.h"
#include "support/test.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

static void folder_in_use_is_said_so(void **state)
{
    struct fake *fake = *state;
    struct weir_db_settings settings = {fake->settings.path, fake->folder, 8 << 20};
    struct weir_db *db = NULL;
    struct weir_error err;

    assert_int_equal(weir_db_open(&settings, &db, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "another process"));
    assert_non_null(strstr(err.text, fake->settings.path));
}

/* Writes over the files whose name begins with `kind`. */
static int damage(const char *folder, const char *kind)
{
    char path[512];
    int count = 0;
    DIR *dir = opendir(folder);

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strncmp(entry->d_name, kind, strlen(kind)) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        for (int i = 0; i < 64; i++)
            fputc(0x5a, file);
        fclose(file);
        count++;
    }
    closedir(dir);
    return count;
}

static void damage_comes_with_advice(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    fake_run(fake);
    fake_close(fake);
    assert_int_equal(damage(fake->settings.path, "MANIFEST"), 1);
    assert_int_equal(fake_open(fake, &err), WEIR_E_CORRUPT);
    assert_non_null(strstr(err.text, "weirctl store reset"));
    assert_non_null(strstr(err.text, fake->settings.path));
}

static void damage_tables(const char *folder)
{
    char path[600];
    DIR *dir = opendir(folder);

    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < 4 || strcmp(entry->d_name + len - 4, ".sst") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "r+b");
        assert_non_null(file);
        fseek(file, 0, SEEK_END);
        long size = ftell(file);
        rewind(file);
        for (long i = 0; i < size / 2; i++)
            fputc(0x5a, file);
        fclose(file);
    }
    closedir(dir);
}

/* Found while it runs: the batch fails in a way that ends the process, and so does every start until an
 * operator has decided. */
static void damage_while_it_runs_stops_the_instance(void **state)
{
    struct fake *fake = *state;
    struct weir_error err = {0};
    char key[16];

    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof(key), "o-%d", i);
        fake_put(fake, FAKE_ORDERS, "create", key, key, "{}", NULL);
    }
    fake_run(fake);
    fake_close(fake);
    assert_int_equal(fake_open(fake, &err), 0); /* its log becomes tables */
    fake_close(fake);
    damage_tables(fake->settings.path);
    int r = fake_open(fake, &err);
    if (r == 0) {
        fake_put(fake, FAKE_ORDERS, "replace", "r1", "o-1", "{}", NULL);
        r = fake_handle(fake, &err);
        fake_close(fake);
    }
    assert_int_equal(r, WEIR_E_CORRUPT);
    assert_int_equal(fake_open(fake, &err), WEIR_E_CORRUPT);
    assert_non_null(strstr(err.text, "found damaged before"));
    assert_int_equal(weir_db_destroy(fake->settings.path, &err), 0);
    fake_start(fake);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 200);
}

static void impossible_folder_is_refused(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    fake_close(fake);
    snprintf(fake->settings.path, 128, "/proc/nothing/db");
    assert_int_equal(fake_open(fake, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "/proc/nothing"));
}

static void little_room_stops_the_line(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;
    char path[96];

    const struct fake_entry *first = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    const struct fake_entry *second = fake_put(fake, FAKE_ORDERS, "create", "r2", "o-1", "{}", NULL);
    int32_t partition = first->record.partition;
    fake->settings.free_min_bytes = INT64_MAX;
    assert_int_equal(fake_handle(fake, NULL), 0);
    assert_true(first->judged);
    assert_int_equal(first->verdict, WEIR_WAIT);
    assert_non_null(strstr(first->text, "bytes free"));
    assert_false(second->judged);
    snprintf(
        path, sizeof(path), "/requests/orders/%d/r1?offset=%d", (int)partition, (int)first->record.offset);
    assert_string_equal(fake_get(fake, "GET", path, NULL).body,
        "{\"request\":\"r1\",\"outcome\":\"retrying\",\"error\":\"disk-full\"}");
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, &err), WEIR_E_DISK);
    WEIR_CLEANUP(buffer) struct weir_buffer detail = {0};
    assert_false(weir_store_health(fake->instance, &detail));
    fake->settings.free_min_bytes = 0;
    assert_int_equal(fake_take(fake, FAKE_ORDERS, partition, &err), 0);
    fake_run(fake);
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 200);
    snprintf(path, sizeof(path), "/requests/orders/%d/unknown", (int)partition);
    assert_non_null(strstr(fake_get(fake, "GET", path, NULL).body, "\"pending\""));
}

/* RocksDB would end the process if it were opened. */
static void nothing_is_opened_without_room(void **state)
{
    struct fake *fake = *state;
    struct weir_error err;

    fake_close(fake);
    fake->settings.free_min_bytes = INT64_MAX;
    fake->ending = true;
    assert_int_equal(fake_open(fake, &err), WEIR_E_DISK);
    assert_non_null(strstr(fake->log_text, "store.waiting"));
    assert_non_null(strstr(fake->log_text, "bytes free"));
}

/* A write that fails: the partition serves no reads, is taken again, and has what was committed. */
static void failed_apply_is_repaired_from_the_log(void **state)
{
    struct fake *fake = *state;
    struct weir_store *store = fake->instance;
    struct rlimit files, none = {0, 0};
    struct weir_error err = {0};

    const struct fake_entry *entry = fake_put(fake, FAKE_ORDERS, "create", "r1", "o-1", "{}", NULL);
    int32_t partition = entry->record.partition;
    assert_int_equal(fake_handle(fake, &err), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &files), 0);
    none.rlim_max = files.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int r = fake_commit(fake, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &files), 0);
    assert_int_equal(r, WEIR_E_DISK);
    assert_true(weir_db_is_broken(store->db));
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 503);
    if (fake_take(fake, FAKE_ORDERS, partition, &err) < 0)
        fail_msg("%s", err.text);
    assert_false(weir_db_is_broken(store->db));
    assert_int_equal(fake_get(fake, "GET", "/documents/orders/o-1", NULL).status, 200);
    fake_put(fake, FAKE_ORDERS, "create", "r2", "o-1", "{}", NULL);
    fake_run(fake);
    assert_non_null(strstr(fake_last(fake, "orders.store.outcomes", "o-1")->value.data, "already-exists"));
}

/* The tail of the log file is lost, as after a power cut: what is on disk is an older prefix, and is caught
 * up. */
static void lost_tail_is_caught_up(void **state)
{
    struct fake *fake = *state;
    char key[16], path[512];

    for (int i = 0; i < 500; i++) {
        snprintf(key, sizeof(key), "o-%d", i);
        fake_put(
            fake, FAKE_ORDERS, "create", key, key, "{\"text\":\"some bytes to fill a block or two\"}", NULL);
        if (i % 10 == 9)
            fake_run(fake);
    }
    char *before = fake_dump(fake);
    fake_close(fake);
    DIR *dir = opendir(fake->settings.path);
    int cut = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        struct stat file;
        snprintf(path, sizeof(path), "%s/%s", fake->settings.path, entry->d_name);
        if (len > 4 && strcmp(entry->d_name + len - 4, ".log") == 0 && stat(path, &file) == 0 &&
            file.st_size > 4096) {
            assert_int_equal(truncate(path, file.st_size / 2 + 7), 0);
            cut++;
        }
    }
    closedir(dir);
    assert_int_equal(cut, 1);
    fake_start(fake);
    char *after = fake_dump(fake);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(folder_in_use_is_said_so, start, stop),
    cmocka_unit_test_setup_teardown(damage_comes_with_advice, start, stop),
    cmocka_unit_test_setup_teardown(damage_while_it_runs_stops_the_instance, start, stop),
    cmocka_unit_test_setup_teardown(impossible_folder_is_refused, start, stop),
    cmocka_unit_test_setup_teardown(little_room_stops_the_line, start, stop),
    cmocka_unit_test_setup_teardown(nothing_is_opened_without_room, start, stop),
    cmocka_unit_test_setup_teardown(failed_apply_is_repaired_from_the_log, start, stop),
    cmocka_unit_test_setup_teardown(lost_tail_is_caught_up, start, stop),
};
WEIR_TEST_MAIN(tests)
