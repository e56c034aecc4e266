/* The note of what is executed: what a process that ended in the middle leaves to the next. */
#include "support/test.h"

#include "consumers/runtime/crash_note.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct weir_record record = {.topic = "orders", .partition = 3, .offset = 41};
static const struct weir_record neighbour = {.topic = "orders", .partition = 3, .offset = 42};

static char folder[] = "/tmp/weir-note.XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/store.one.note", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static struct weir_crash_note *open_note(void)
{
    struct weir_crash_note *note = NULL;
    struct weir_error err = {0};
    if (weir_crash_note_open(folder, "store.one", &note, &err) < 0)
        fail_msg("%s", err.text);
    return note;
}

/* A process that executes the record, `pending` of them at once, and ends as a crash does. */
static void crash(const struct weir_record *executed, uint32_t pending)
{
    pid_t pid = fork();
    if (pid == 0) {
        weir_crash_note_executing(open_note(), executed, pending);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void crashes_in_a_row_are_counted(void **state)
{
    (void)state;
    for (uint32_t times = 1; times <= WEIR_CRASHES_MAX; times++) {
        crash(&record, 1);
        WEIR_CLEANUP(crash_note) struct weir_crash_note *note = open_note();
        assert_int_equal(weir_crash_note_count(note, &record), times);
        assert_int_equal(weir_crash_note_count(note, &neighbour), 0);
        assert_int_equal(weir_crash_note_suspects(note), 1);
    }
}

static void another_record_begins_anew(void **state)
{
    (void)state;
    crash(&record, 1);
    crash(&record, 1);
    crash(&neighbour, 1);
    WEIR_CLEANUP(crash_note) struct weir_crash_note *note = open_note();
    assert_int_equal(weir_crash_note_count(note, &record), 0);
    assert_int_equal(weir_crash_note_count(note, &neighbour), 1);
}

static void a_start_that_ends_well_counts_nothing(void **state)
{
    (void)state;
    crash(&record, 1);
    for (int starts = 0; starts < 3; starts++) {
        WEIR_CLEANUP(crash_note) struct weir_crash_note *note = open_note();
        weir_crash_note_executing(note, &record, 1);
        weir_crash_note_idle(note);
    }
    WEIR_CLEANUP(crash_note) struct weir_crash_note *note = open_note();
    assert_int_equal(weir_crash_note_count(note, &record), 1);
    assert_int_equal(weir_crash_note_suspects(note), 0);
}

static void a_finished_record_is_forgotten(void **state)
{
    (void)state;
    crash(&record, 1);
    WEIR_CLEANUP(crash_note) struct weir_crash_note *note = open_note();
    weir_crash_note_forget(note, &neighbour);
    assert_int_equal(weir_crash_note_count(note, &record), 1);
    weir_crash_note_forget(note, &record);
    assert_int_equal(weir_crash_note_count(note, &record), 0);
}

static void records_without_a_verdict_are_told(void **state)
{
    (void)state;
    crash(&record, 17);
    WEIR_CLEANUP(crash_note) struct weir_crash_note *note = open_note();
    assert_int_equal(weir_crash_note_suspects(note), 17);
}

static void a_live_process_keeps_its_note(void **state)
{
    (void)state;
    struct weir_error err = {0};
    struct weir_crash_note *second = NULL;
    WEIR_CLEANUP(crash_note) struct weir_crash_note *note = open_note();
    assert_int_equal(weir_crash_note_open(folder, "store.one", &second, &err), WEIR_E_BUSY);
    assert_non_null(strstr(err.text, path));
}

static void garbage_is_an_empty_note(void **state)
{
    (void)state;
    char bytes[4096];
    memset(bytes, 'x', sizeof(bytes));
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    close(fd);
    WEIR_CLEANUP(crash_note) struct weir_crash_note *note = open_note();
    assert_int_equal(weir_crash_note_suspects(note), 0);
    assert_int_equal(weir_crash_note_count(note, &record), 0);
}

static void a_folder_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    struct weir_error err = {0};
    struct weir_crash_note *note = NULL;
    assert_int_equal(weir_crash_note_open("/proc/none", "store.one", &note, &err), WEIR_E_DISK);
    assert_non_null(strstr(err.text, "/proc/none/store.one.note"));
}

static void no_note_is_no_trouble(void **state)
{
    (void)state;
    weir_crash_note_executing(NULL, &record, 1);
    weir_crash_note_idle(NULL);
    weir_crash_note_forget(NULL, &record);
    assert_int_equal(weir_crash_note_count(NULL, &record), 0);
    assert_int_equal(weir_crash_note_suspects(NULL), 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(crashes_in_a_row_are_counted, set_up, tear_down),
    cmocka_unit_test_setup_teardown(another_record_begins_anew, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_start_that_ends_well_counts_nothing, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_finished_record_is_forgotten, set_up, tear_down),
    cmocka_unit_test_setup_teardown(records_without_a_verdict_are_told, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_live_process_keeps_its_note, set_up, tear_down),
    cmocka_unit_test_setup_teardown(garbage_is_an_empty_note, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written_is_told, set_up, tear_down),
    cmocka_unit_test(no_note_is_no_trouble),
};

WEIR_TEST_MAIN(tests)
