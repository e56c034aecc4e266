/* common/log.h: one line an event, whatever the event holds. Lines are read back from a pipe in place of
 * stderr. */
#include "support/test.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20, LINE_BYTES = 4096 };

struct capture {
    int saved, from;
    char *text;
};

static struct capture begin_capture(void)
{
    struct capture capture = {.saved = dup(STDERR_FILENO)};
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    capture.from = ends[0];
    return capture;
}

/* What was written; the caller frees it. */
static char *end_capture(struct capture *capture)
{
    char *text = calloc(1, PIPE_BYTES + 1);
    size_t len = 0;
    ssize_t got;

    dup2(capture->saved, STDERR_FILENO);
    close(capture->saved);
    while ((got = read(capture->from, text + len, PIPE_BYTES - len)) > 0)
        len += (size_t)got;
    close(capture->from);
    return text;
}

#define CAPTURED(text, statement)                                                                            \
    WEIR_CLEANUP(free) char *text = NULL;                                                                    \
    do {                                                                                                     \
        struct capture capture_ = begin_capture();                                                           \
        statement;                                                                                           \
        text = end_capture(&capture_);                                                                       \
    } while (0)

static void text_has_time_level_event(void **state)
{
    int year, month, day, hour, minute, second, ms, end = 0;

    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_TEXT);
    CAPTURED(text, weir_log(WEIR_LOG_WARNING, "store.slow", "topic=%s partition=%d", "orders", 3));
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour, &minute,
                         &second, &ms, &end),
        7);
    assert_string_equal(text + end, "WARNING store.slow topic=orders partition=3\n");
}

static void journal_has_priorities(void **state)
{
    (void)state;
    weir_log_init(WEIR_LOG_DEBUG, WEIR_LOG_JOURNAL);
    CAPTURED(text, {
        weir_log(WEIR_LOG_ERROR, "a.b", "x=1");
        weir_log(WEIR_LOG_WARNING, "a.b", "x=1");
        weir_log(WEIR_LOG_NOTICE, "a.b", "x=1");
        weir_log(WEIR_LOG_INFO, "a.b", "x=1");
        weir_log(WEIR_LOG_DEBUG, "a.b", "%s", "");
    });
    assert_string_equal(text, "<3>a.b x=1\n<4>a.b x=1\n<5>a.b x=1\n<6>a.b x=1\n<7>a.b\n");
}

static void json_can_be_parsed(void **state)
{
    json_error_t error;

    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_JSON);
    CAPTURED(text, weir_log(WEIR_LOG_INFO, "a.b", "x=%s", "\"q\\\" \n\x1b \xc3\xa4 \xff \xc2\x9b"));
    WEIR_CLEANUP(json) json_t *line = json_loads(text, 0, &error);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "INFO");
    assert_string_equal(json_string_value(json_object_get(line, "event")), "a.b");
    assert_int_equal(strlen(json_string_value(json_object_get(line, "ts"))), 24);
    assert_string_equal(json_string_value(json_object_get(line, "message")),
        "x=\"q\\\" \\x0a\\x1b \xc3\xa4 \\xff \\xc2\\x9b");
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void hostile_text_cannot_forge_a_line(void **state)
{
    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_JOURNAL);
    CAPTURED(
        text, weir_log(WEIR_LOG_INFO, "a\nb", "key=%s", "x\n<0>kernel: fire\r\t\x7f\x1b[31m\xc2\x85\xff"));
    assert_string_equal(
        text, "<6>a\\x0ab key=x\\x0a<0>kernel: fire\\x0d\\x09\\x7f\\x1b[31m\\xc2\\x85\\xff\n");
}

static void lower_levels_are_left_out(void **state)
{
    (void)state;
    weir_log_init(WEIR_LOG_NOTICE, WEIR_LOG_JOURNAL);
    assert_true(weir_log_enabled(WEIR_LOG_NOTICE));
    assert_false(weir_log_enabled(WEIR_LOG_INFO));
    CAPTURED(text, {
        weir_log(WEIR_LOG_INFO, "a", "x");
        weir_log(WEIR_LOG_NOTICE, "b", "x");
        weir_log_set_level(WEIR_LOG_DEBUG);
        weir_log(WEIR_LOG_DEBUG, "c", "x");
    });
    assert_string_equal(text, "<5>b x\n<7>c x\n");
}

static void long_lines_are_cut(void **state)
{
    static const enum weir_log_format formats[] = {WEIR_LOG_TEXT, WEIR_LOG_JOURNAL, WEIR_LOG_JSON};
    static const char *const fills[] = {"x", "\xe2\x82\xac", "\n", "\"", "\xff"};
    char message[20000];

    (void)state;
    for (size_t f = 0; f < 3; f++) {
        weir_log_init(WEIR_LOG_INFO, formats[f]);
        for (size_t i = 0; i < sizeof(fills) / sizeof(fills[0]); i++) {
            size_t unit = strlen(fills[i]);
            for (size_t at = 0; at + unit < sizeof(message); at += unit)
                memcpy(message + at, fills[i], unit + 1);
            CAPTURED(text, weir_log(WEIR_LOG_INFO, "a.b", "%s", message));
            size_t len = strlen(text);
            assert_in_range(len, LINE_BYTES - 32, LINE_BYTES);
            const char *tail = formats[f] == WEIR_LOG_JSON ? "…\"}\n" : "…\n";
            assert_string_equal(text + len - strlen(tail), tail);
            assert_ptr_equal(strchr(text, '\n'), text + len - 1);
            if (formats[f] != WEIR_LOG_JSON)
                continue;
            json_error_t error;
            WEIR_CLEANUP(json) json_t *line = json_loads(text, 0, &error);
            assert_non_null(line);
        }
    }
}

static void closed_stderr_is_no_harm_nor_is_errno_touched(void **state)
{
    int saved = dup(STDERR_FILENO);

    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_TEXT);
    close(STDERR_FILENO);
    errno = EDOM;
    weir_log(WEIR_LOG_ERROR, "a.b", "x=1"); /* fails with EBADF */
    int number = errno;
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(number, EDOM);
}

static void journal_is_found_by_its_stream(void **state)
{
    struct stat found;
    char stream[64];

    (void)state;
    unsetenv("JOURNAL_STREAM");
    assert_int_equal(weir_log_format_auto(), WEIR_LOG_TEXT);
    assert_int_equal(fstat(STDERR_FILENO, &found), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)found.st_dev, (uintmax_t)found.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    assert_int_equal(weir_log_format_auto(), WEIR_LOG_JOURNAL);
    setenv("JOURNAL_STREAM", "1:2", 1); /* inherited, while stderr goes elsewhere */
    assert_int_equal(weir_log_format_auto(), WEIR_LOG_TEXT);
    unsetenv("JOURNAL_STREAM");
}

enum { WRITERS = 8, LINES = 200 };

static void *write_lines(void *argument)
{
    char fill[200];
    int writer = *(int *)argument;

    memset(fill, 'a' + writer, sizeof(fill) - 1);
    fill[sizeof(fill) - 1] = '\0';
    for (int i = 0; i < LINES; i++) {
        weir_log(WEIR_LOG_INFO, "thread.line", "writer=%d line=%d fill=%s", writer, i, fill);
        weir_log_set_level(i % 2 == 0 ? WEIR_LOG_INFO : WEIR_LOG_DEBUG);
    }
    return NULL;
}

/* Every line of every thread arrives whole and in its thread's order. */
static void threads_do_not_mix_lines(void **state)
{
    pthread_t threads[WRITERS];
    int numbers[WRITERS], next[WRITERS] = {0};

    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_JOURNAL);
    CAPTURED(text, {
        for (int i = 0; i < WRITERS; i++) {
            numbers[i] = i;
            assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
        }
        for (int i = 0; i < WRITERS; i++)
            pthread_join(threads[i], NULL);
    });
    for (char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        int writer = -1, number = -1, begin = 0;
        assert_int_equal(
            sscanf(line, "<6>thread.line writer=%d line=%d fill=%n", &writer, &number, &begin), 2);
        assert_in_range(writer, 0, WRITERS - 1);
        assert_int_equal(number, next[writer]++);
        assert_int_equal(strcspn(line + begin, "\n"), 199);
        assert_int_equal(line[begin], 'a' + writer);
        assert_int_equal(line[begin + 198], 'a' + writer);
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(next[i], LINES);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(text_has_time_level_event),
    cmocka_unit_test(journal_has_priorities),
    cmocka_unit_test(json_can_be_parsed),
    cmocka_unit_test(hostile_text_cannot_forge_a_line),
    cmocka_unit_test(lower_levels_are_left_out),
    cmocka_unit_test(long_lines_are_cut),
    cmocka_unit_test(closed_stderr_is_no_harm_nor_is_errno_touched),
    cmocka_unit_test(journal_is_found_by_its_stream),
    cmocka_unit_test(threads_do_not_mix_lines),
};

WEIR_TEST_MAIN(tests)
