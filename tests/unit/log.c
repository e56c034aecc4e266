/* common/log.h: one line an event, whatever the event holds. Lines are read back from a pipe in place of
 * stderr. */
#include "support/test.h"

#include "common/cleanup.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

static void hostile_text_cannot_forge_a_line(void **state)
{
    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_JOURNAL);
    CAPTURED(
        text, weir_log(WEIR_LOG_INFO, "a\nb", "key=%s", "x\n<0>kernel: fire\r\t\x7f\x1b[31m\xc2\x85\xff"));
    assert_string_equal(
        text, "<6>\"a\\nb\" key=\"x\\n<0>kernel: fire\\r\\t\\u007f\\u001b[31m\\u0085\\\\xff\"\n");
}

/* The string that begins there, as every reader of JSON, and of logfmt, takes it; `ret_end`: behind it. */
static json_t *read_string(const char *at, const char **ret_end)
{
    json_error_t error;
    json_t *string = json_loadb(at, strlen(at), JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);

    assert_non_null(string);
    *ret_end = at + error.position;
    return string;
}

static json_t *read_value(const char *at, const char **ret_end)
{
    if (*at == '"')
        return read_string(at, ret_end);
    size_t len = strcspn(at, " \n");
    *ret_end = at + len;
    return json_stringn(at, len);
}

/* A line of logfmt as an object; keys without a value have null. */
static json_t *read_logfmt(const char *at)
{
    json_t *pairs = json_object();

    while (*at != '\n') {
        char key[64] = "";
        size_t len = strcspn(at, " =\n");
        assert_in_range(len, 1, sizeof(key) - 1);
        memcpy(key, at, len);
        at += len;
        assert_null(json_object_get(pairs, key));
        json_object_set_new(pairs, key, *at == '=' ? read_value(at + 1, &at) : json_null());
        at += *at == ' ';
    }
    assert_int_equal(at[1], '\0');
    return pairs;
}

static json_t *read_json(const char *line)
{
    json_error_t error;
    json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);

    assert_non_null(object);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    return object;
}

static json_t *(*const readers[])(const char *) = {[WEIR_LOG_TEXT] = read_logfmt,
    [WEIR_LOG_JOURNAL] = read_logfmt,
    [WEIR_LOG_JSON] = read_json,
    [WEIR_LOG_LOGFMT] = read_logfmt};

static void assert_member(const json_t *line, const char *name, const char *wanted)
{
    const char *found = json_string_value(json_object_get(line, name));
    assert_non_null(found);
    assert_string_equal(found, wanted);
}

static const char *const hostile[] = {"", "word", "two words", "x=1 level=ERROR", "\" two=\"forged",
    "} , \"two\":\"forged", "\\", "\\n", "a\nts=now level=INFO event=forged", "\r\t\x1b[31m\x7f",
    "\xc2\x85\xc2\x9b", "\xc3\xa4\xe2\x82\xac", "100%s %n", "=", "\\\""};
enum { HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

/* Whatever values hold, in each form a reader finds the same pairs, and no other ones. */
static void values_are_read_back(void **state)
{
    char both[200];

    (void)state;
    for (enum weir_log_format format = 0; format <= WEIR_LOG_LOGFMT; format++) {
        weir_log_init(WEIR_LOG_INFO, format);
        for (size_t i = 0; i < HOSTILE * HOSTILE; i++) {
            const char *first = hostile[i / HOSTILE], *second = hostile[i % HOSTILE];
            CAPTURED(text, weir_log(WEIR_LOG_INFO, "a.b", "one=%s two=\"%s and %s\" three=%.*s", first,
                               second, first, (int)strlen(second), second));
            WEIR_CLEANUP(json) json_t *line = readers[format](text);
            snprintf(both, sizeof(both), "%s and %s", second, first);
            assert_member(line, "one", first);
            assert_member(line, "two", both);
            assert_member(line, "three", second);
            assert_int_equal(json_object_size(line), format == WEIR_LOG_TEXT      ? 6
                                                     : format == WEIR_LOG_JOURNAL ? 4
                                                                                  : 6);
        }
    }
}

static void what_is_no_utf8_is_shown(void **state)
{
    (void)state;
    for (enum weir_log_format format = 0; format <= WEIR_LOG_LOGFMT; format++) {
        weir_log_init(WEIR_LOG_INFO, format);
        CAPTURED(text, weir_log(WEIR_LOG_INFO, "a.b", "x=%s", "\xff\xc3(\xed\xa0\x80"));
        WEIR_CLEANUP(json) json_t *line = readers[format](text);
        assert_member(line, "x", "\\xff\\xc3(\\xed\\xa0\\x80");
    }
}

/* The form for collectors: a member for each pair, integers as numbers, by OpenTelemetry's names where it has
 * some. */
static void json_has_members(void **state)
{
    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_JSON);
    CAPTURED(text,
        weir_log(WEIR_LOG_WARNING, "record.lost",
            "topic=%s partition=%d offset=%" PRId64 " executions=%zu share=%d%% share_of=%d/%d error_type=%s",
            "orders", 3, (int64_t)1 << 40, (size_t)2, 5, 1, 20, "json"));
    WEIR_CLEANUP(json) json_t *line = read_json(text);
    WEIR_CLEANUP(json)
    json_t *wanted = json_pack("{s:O, s:s, s:s, s:s, s:s, s:I, s:i, s:s, s:s, s:s}", "ts",
        json_object_get(line, "ts"), "level", "WARNING", "event", "record.lost", "messaging.destination.name",
        "orders", "messaging.destination.partition.id", "3", "messaging.kafka.offset", (json_int_t)1 << 40,
        "executions", 2, "share", "5%", "share_of", "1/20", "error.type", "json");
    assert_int_equal(strlen(json_string_value(json_object_get(line, "ts"))), 24);
    assert_true(json_equal(line, wanted));
}

static void logfmt_begins_with_time_level_event(void **state)
{
    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_LOGFMT);
    CAPTURED(text, weir_log(WEIR_LOG_WARNING, "store.slow", "topic=%s partition=%d", "orders", 3));
    WEIR_CLEANUP(json) json_t *line = read_logfmt(text);
    assert_int_equal(strlen(json_string_value(json_object_get(line, "ts"))), 24);
    assert_string_equal(strchr(text, ' '), " level=WARNING event=store.slow topic=orders partition=3\n");
}

/* What has no key, as the author of a plugin may write it. */
static void words_without_a_key_are_the_message(void **state)
{
    (void)state;
    weir_log_init(WEIR_LOG_INFO, WEIR_LOG_JOURNAL);
    CAPTURED(text, {
        weir_log(WEIR_LOG_INFO, "a", "opened %s x=%d", "b c=1", 2);
        weir_log(WEIR_LOG_INFO, "a", "x=%d  then %s", 1, "this");
        weir_log(WEIR_LOG_INFO, "a", "x=\"not closed %s", "y");
        weir_log(WEIR_LOG_INFO, "a", "%s", "alone");
    });
    assert_string_equal(text, "<6>a message=\"opened b c=1 x=2\"\n<6>a x=1 message=\"then this\"\n"
                              "<6>a x=\"not closed y\"\n<6>a message=alone\n");
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
    assert_string_equal(text, "<5>b message=x\n<7>c message=x\n");
}

static const char *tail_of(enum weir_log_format format, const char *fill)
{
    if (format == WEIR_LOG_JSON)
        return "…\"}\n";
    return fill[0] == 'x' ? "…\n" : "…\"\n"; /* what is no word, as a character cut in half, is quoted */
}

static void long_lines_are_cut(void **state)
{
    static const char *const fills[] = {"x", "\xe2\x82\xac", "\n", "\"", "\xff"};
    char message[20000];

    (void)state;
    for (enum weir_log_format format = 0; format <= WEIR_LOG_LOGFMT; format++) {
        weir_log_init(WEIR_LOG_INFO, format);
        for (size_t i = 0; i < sizeof(fills) / sizeof(fills[0]); i++) {
            size_t unit = strlen(fills[i]);
            for (size_t at = 0; at + unit < sizeof(message); at += unit)
                memcpy(message + at, fills[i], unit + 1);
            CAPTURED(text, weir_log(WEIR_LOG_INFO, "a.b", "%s", message));
            size_t len = strlen(text);
            assert_in_range(len, LINE_BYTES - 32, LINE_BYTES);
            const char *tail = tail_of(format, fills[i]);
            assert_string_equal(text + len - strlen(tail), tail);
            WEIR_CLEANUP(json) json_t *line = readers[format](text);
            assert_non_null(json_object_get(line, "message"));
        }
    }
}

/* Wherever the end of a line falls, what is written is a line of its form. */
static void cut_lines_are_lines(void **state)
{
    char fill[LINE_BYTES + 1];

    (void)state;
    for (enum weir_log_format format = 0; format <= WEIR_LOG_LOGFMT; format++) {
        weir_log_init(WEIR_LOG_INFO, format);
        for (size_t len = LINE_BYTES - 200; len < LINE_BYTES; len++) {
            memset(fill, 'x', len);
            fill[len] = '\0';
            CAPTURED(text, weir_log(WEIR_LOG_INFO, "a.b", "one=\"%s\" number=%d three=\"%s\" four=%s", fill,
                               12345, "a\nb", "\""));
            assert_in_range(strlen(text), LINE_BYTES - 200, LINE_BYTES);
            WEIR_CLEANUP(json) json_t *line = readers[format](text);
            bool whole = strstr(text, "four") != NULL;
            assert_true(whole || strstr(text, "…") != NULL);
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
    cmocka_unit_test(hostile_text_cannot_forge_a_line),
    cmocka_unit_test(values_are_read_back),
    cmocka_unit_test(what_is_no_utf8_is_shown),
    cmocka_unit_test(json_has_members),
    cmocka_unit_test(logfmt_begins_with_time_level_event),
    cmocka_unit_test(words_without_a_key_are_the_message),
    cmocka_unit_test(lower_levels_are_left_out),
    cmocka_unit_test(long_lines_are_cut),
    cmocka_unit_test(cut_lines_are_lines),
    cmocka_unit_test(closed_stderr_is_no_harm_nor_is_errno_touched),
    cmocka_unit_test(journal_is_found_by_its_stream),
    cmocka_unit_test(threads_do_not_mix_lines),
};

WEIR_TEST_MAIN(tests)
