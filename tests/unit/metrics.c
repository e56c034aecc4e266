/* common/metrics.h: values, the text format, many threads at once. */
#include "support/test.h"

#include "common/cleanup.h"
#include "common/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static struct weir_metric *counter(const char *name, const char *labels)
{
    return weir_metric(WEIR_METRIC_COUNTER, name, labels, "Help.");
}

static char *page(void)
{
    struct weir_buffer out = {0};

    weir_metrics_write(&out);
    assert_false(out.failed);
    return out.data;
}

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = text; (at = strstr(at, line)) != NULL; at += len)
        if ((at == text || at[-1] == '\n') && (at[len] == '\n' || at[len] == '\0'))
            return true;
    return false;
}

static void same_name_and_labels_are_one_metric(void **state)
{
    (void)state;
    struct weir_metric *a = counter("test_same_total", "a=\"1\"");
    assert_ptr_equal(counter("test_same_total", "a=\"1\""), a);
    assert_ptr_not_equal(counter("test_same_total", "a=\"2\""), a);
    assert_ptr_not_equal(counter("test_same_total", ""), a);
    assert_ptr_equal(counter("test_same_total", NULL), counter("test_same_total", ""));
}

static void values_follow_their_type(void **state)
{
    (void)state;
    struct weir_metric *total = counter("test_value_total", "");
    struct weir_metric *gauge = weir_metric(WEIR_METRIC_GAUGE, "test_value", "", "Help.");
    weir_metric_add(total, 5);
    weir_metric_add(total, -3); /* a counter never falls */
    weir_metric_set(total, 1);
    weir_metric_observe_us(total, 1);
    assert_int_equal(weir_metric_value(total), 5);
    weir_metric_set(gauge, 10);
    weir_metric_add(gauge, -15);
    assert_int_equal(weir_metric_value(gauge), -5);
    WEIR_CLEANUP(free) char *text = page();
    assert_true(has_line(text, "test_value_total 5"));
    assert_true(has_line(text, "test_value -5"));
}

static void unsound_metrics_spoil_nothing(void **state)
{
    static const struct {
        enum weir_metric_type type;
        const char *name, *labels;
    } rows[] = {
        {WEIR_METRIC_COUNTER, "", ""},
        {WEIR_METRIC_COUNTER, "9test", ""},
        {WEIR_METRIC_COUNTER, "test unsound", ""},
        {WEIR_METRIC_COUNTER, "test_unsound\n", ""},
        {WEIR_METRIC_COUNTER, "test_unsound", "a"},
        {WEIR_METRIC_COUNTER, "test_unsound", "a=1"},
        {WEIR_METRIC_COUNTER, "test_unsound", "a=\"1"},
        {WEIR_METRIC_COUNTER, "test_unsound", "a=\"1\\\""},
        {WEIR_METRIC_COUNTER, "test_unsound", "a=\"1\","},
        {WEIR_METRIC_COUNTER, "test_unsound", "a=\"1\"b=\"2\""},
        {WEIR_METRIC_COUNTER, "test_unsound", "a=\"x\ny\""},
        {WEIR_METRIC_COUNTER, "test_unsound", "a=\"\xff\""},
        {WEIR_METRIC_COUNTER, "test_unsound", "9=\"1\""},
        {WEIR_METRIC_GAUGE, "test_kind_total", ""},        /* registered as a counter below */
        {WEIR_METRIC_GAUGE, "test_kind_total", "a=\"0\""}, /* sorts before it */
        {WEIR_METRIC_HISTOGRAM, "test_kind_total", "z=\"1\""},
    };

    (void)state;
    counter("test_kind_total", "m=\"1\"");
    counter("test_kind_total", "");
    WEIR_CLEANUP(free) char *before = page();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_metric *metric = weir_metric(rows[i].type, rows[i].name, rows[i].labels, "x");
        assert_non_null(metric);
        weir_metric_add(metric, 1);
        weir_metric_set(metric, 1);
        weir_metric_observe_us(metric, 1);
    }
    WEIR_CLEANUP(free) char *text = page();
    assert_null(strstr(text, "unsound"));
    const char *mine = strstr(text, "# HELP test_kind_total"),
               *old = strstr(before, "# HELP test_kind_total");
    assert_string_equal(mine, old);
}

static void histograms_are_cumulative(void **state)
{
    static const int64_t durations_us[] = {
        0, -5, 100, 101, 1500, 999999, 1000000, 60000000, 60000001, 3600000000};

    (void)state;
    struct weir_metric *metric =
        weir_metric(WEIR_METRIC_HISTOGRAM, "test_wait_seconds", "topic=\"orders\"", "How long.");
    for (size_t i = 0; i < sizeof(durations_us) / sizeof(durations_us[0]); i++)
        weir_metric_observe_us(metric, durations_us[i]);
    assert_int_equal(weir_metric_value(metric), 10);
    WEIR_CLEANUP(free) char *text = page();
    static const char *const lines[] = {
        "# TYPE test_wait_seconds histogram",
        "test_wait_seconds_bucket{topic=\"orders\",le=\"0.0001\"} 3",
        "test_wait_seconds_bucket{topic=\"orders\",le=\"0.00025\"} 4",
        "test_wait_seconds_bucket{topic=\"orders\",le=\"0.001\"} 4",
        "test_wait_seconds_bucket{topic=\"orders\",le=\"0.0025\"} 5",
        "test_wait_seconds_bucket{topic=\"orders\",le=\"1\"} 7",
        "test_wait_seconds_bucket{topic=\"orders\",le=\"60\"} 8",
        "test_wait_seconds_bucket{topic=\"orders\",le=\"+Inf\"} 10",
        "test_wait_seconds_sum{topic=\"orders\"} 3722.001701",
        "test_wait_seconds_count{topic=\"orders\"} 10",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (!has_line(text, lines[i]))
            fail_msg("missing: %s", lines[i]);
}

static void histogram_without_labels(void **state)
{
    (void)state;
    weir_metric_observe_us(weir_metric(WEIR_METRIC_HISTOGRAM, "test_bare_seconds", "", "x"), 200);
    WEIR_CLEANUP(free) char *text = page();
    assert_true(has_line(text, "test_bare_seconds_bucket{le=\"0.00025\"} 1"));
    assert_true(has_line(text, "test_bare_seconds_sum 0.000200"));
    assert_true(has_line(text, "test_bare_seconds_count 1"));
}

static void labels_are_escaped(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer labels = {0};

    (void)state;
    weir_metric_label(&labels, "path", "C:\\x");
    weir_metric_label(&labels, "said", "\"a\nb\"");
    assert_string_equal(labels.data, "path=\"C:\\\\x\",said=\"\\\"a\\nb\\\"\"");
    weir_metric_add(weir_metric(WEIR_METRIC_COUNTER, "test_escaped_total", labels.data, "a\\b\n\"c\""), 1);
    WEIR_CLEANUP(free) char *text = page();
    assert_true(has_line(text, "test_escaped_total{path=\"C:\\\\x\",said=\"\\\"a\\nb\\\"\"} 1"));
    assert_true(has_line(text, "# HELP test_escaped_total a\\\\b\\n\"c\""));
}

/* Families come sorted, each once, HELP before TYPE before its samples: what promtool check metrics asks for.
 */
static void page_is_well_formed(void **state)
{
    char last[128] = "", type[32] = "";

    (void)state;
    counter("test_z_total", "");
    counter("aaa_total", "b=\"2\"");
    counter("aaa_total", "b=\"1\"");
    weir_metric(WEIR_METRIC_GAUGE, "process", "", "Sorts before process_*.");
    weir_metric(WEIR_METRIC_GAUGE, "processor", "", "Sorts behind it.");
    WEIR_CLEANUP(free) char *text = page();
    assert_int_equal(text[strlen(text) - 1], '\n');
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
        char name[128] = "";
        if (sscanf(line, "# HELP %127s", name) == 1) {
            if (strcmp(name, last) <= 0)
                fail_msg("%s stands behind %s", name, last);
            snprintf(last, sizeof(last), "%s", name);
            type[0] = '\0';
        } else if (sscanf(line, "# TYPE %127s %31s", name, type) == 2) {
            assert_string_equal(name, last);
        } else {
            assert_true(type[0] != '\0');
            assert_memory_equal(line, last, strlen(last));
            assert_non_null(strchr(line, ' '));
        }
    }
}

static double figure(const char *text, const char *name)
{
    char line[128];

    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(text, line);
    assert_non_null(at);
    return strtod(at + strlen(line), NULL);
}

static void process_is_told(void **state)
{
    struct rlimit limit;

    (void)state;
    WEIR_CLEANUP(free) char *before = page();
    int fds[10];
    for (size_t i = 0; i < 10; i++)
        fds[i] = dup(STDERR_FILENO);
    WEIR_CLEANUP(free) char *after = page();
    for (size_t i = 0; i < 10; i++)
        close(fds[i]);
    assert_true(figure(after, "process_open_fds") == figure(before, "process_open_fds") + 10);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(figure(after, "process_max_fds") == (double)limit.rlim_cur);
    assert_true(figure(after, "process_resident_memory_bytes") > 500000);
    assert_true(figure(after, "process_cpu_seconds_total") >= figure(before, "process_cpu_seconds_total"));
    double age_s = (double)time(NULL) - figure(after, "process_start_time_seconds");
    assert_true(age_s > -3 && age_s < 3600);
    assert_non_null(strstr(after, "\nweir_build_info{version=\"" WEIR_VERSION "\",librdkafka=\""));
}

enum { THREADS = 8, ROUNDS = 2000 };
static atomic_int running;

static void *update(void *argument)
{
    char labels[32];

    snprintf(labels, sizeof(labels), "thread=\"%d\"", *(int *)argument);
    for (int i = 0; i < ROUNDS; i++) {
        weir_metric_add(counter("test_threads_total", ""), 1);
        weir_metric_add(counter("test_threads_total", labels), 1);
        weir_metric_observe_us(weir_metric(WEIR_METRIC_HISTOGRAM, "test_threads_seconds", "", "x"), i);
        weir_metric_set(weir_metric(WEIR_METRIC_GAUGE, "test_threads", labels, "x"), i);
    }
    atomic_fetch_sub(&running, 1);
    return NULL;
}

static void threads_lose_no_update(void **state)
{
    pthread_t threads[THREADS];
    int numbers[THREADS];

    (void)state;
    atomic_store(&running, THREADS);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, update, &numbers[i]), 0);
    }
    do
        free(page());
    while (atomic_load(&running) > 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(weir_metric_value(counter("test_threads_total", "")), THREADS * ROUNDS);
    assert_int_equal(weir_metric_value(counter("test_threads_total", "thread=\"3\"")), ROUNDS);
    assert_int_equal(weir_metric_value(weir_metric(WEIR_METRIC_HISTOGRAM, "test_threads_seconds", "", "x")),
        THREADS * ROUNDS);
}

/* A label that never repeats must not eat the machine. */
static void their_number_is_bounded(void **state)
{
    char labels[64];

    (void)state;
    for (int i = 0; i < 25000; i++) {
        snprintf(labels, sizeof(labels), "id=\"%d\"", i);
        weir_metric_add(counter("test_unbounded_total", labels), 1);
    }
    struct weir_metric *spare = counter("test_unbounded_total", "id=\"no room\"");
    assert_non_null(spare);
    assert_ptr_equal(spare, counter("test_unbounded_total", "id=\"nor here\""));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(same_name_and_labels_are_one_metric), cmocka_unit_test(values_follow_their_type),
    cmocka_unit_test(unsound_metrics_spoil_nothing), cmocka_unit_test(histograms_are_cumulative),
    cmocka_unit_test(histogram_without_labels), cmocka_unit_test(labels_are_escaped),
    cmocka_unit_test(page_is_well_formed), cmocka_unit_test(process_is_told),
    cmocka_unit_test(threads_lose_no_update),
    cmocka_unit_test(their_number_is_bounded), /* last: it leaves no room */
};

WEIR_TEST_MAIN(tests)
