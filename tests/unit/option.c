/* common/option.h: every type's values, limits and errors; the pages made from a table. */
#include "support/test.h"

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/option.h"

#include <stdlib.h>
#include <unistd.h>

struct settings {
    char *name, *listen, *url, *path, *secret;
    char **list;
    bool on;
    int64_t count, free_count, wait_ms, size_bytes, mode;
};

#define AT(member) .offset = offsetof(struct settings, member)

static const struct weir_option rows[] = {
    {.key = "name", .type = WEIR_OPTION_STRING, .min = 1, .max = 8, AT(name), .help = "a name"},
    {.key = "on", .type = WEIR_OPTION_BOOL, .fallback = "yes", AT(on), .help = "on or off"},
    {.key = "count", .type = WEIR_OPTION_INTEGER, .fallback = "7", .min = -5, .max = 100, AT(count)},
    {.key = "free", .type = WEIR_OPTION_INTEGER, AT(free_count)},
    {.key = "wait",
        .type = WEIR_OPTION_DURATION,
        .fallback = "90s",
        .min = 1000,
        .max = 3600000,
        AT(wait_ms),
        .reload = true,
        .help = "how long"},
    {.key = "size", .type = WEIR_OPTION_SIZE, .fallback = "64KiB", AT(size_bytes)},
    {.key = "mode",
        .type = WEIR_OPTION_CHOICE,
        .fallback = "none",
        .choices = "key|none",
        AT(mode),
        .help = "which"},
    {.key = "listen", .type = WEIR_OPTION_ADDRESS, AT(listen)},
    {.key = "url", .type = WEIR_OPTION_URL, AT(url)},
    {.key = "path", .type = WEIR_OPTION_PATH, AT(path)},
    {.key = "topics",
        .type = WEIR_OPTION_LIST,
        .min = 1,
        .max = 3,
        .required = true,
        AT(list),
        .help = "topics"},
    {.key = "secret", .type = WEIR_OPTION_SECRET, .min = 4, .max = 20, AT(secret)},
};

static const struct weir_option_table table = {.section = "test",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct settings)};

static void cleanup_settings(struct settings *settings)
{
    weir_option_free(&table, settings);
}

#define SETTINGS __attribute__((cleanup(cleanup_settings))) struct settings

static int set(struct settings *settings, const char *key, const char *text, struct weir_error *err)
{
    const struct weir_option *row = weir_option_find(&table, key);
    assert_non_null(row);
    return weir_option_set(row, settings, text, err);
}

static void refused(const char *key, const char *text, const char *wanted)
{
    SETTINGS settings = {0};
    struct weir_error err = {0};

    assert_int_equal(set(&settings, key, text, &err), WEIR_E_CONFIG);
    if (strcmp(err.text, wanted) != 0)
        fail_msg("got    \"%s\"\nwanted \"%s\"", err.text, wanted);
}

static void defaults_fill_every_member(void **state)
{
    SETTINGS settings = {0};

    (void)state;
    assert_int_equal(weir_option_defaults(&table, &settings, NULL), 0);
    assert_null(settings.name);
    assert_null(settings.list);
    assert_true(settings.on);
    assert_int_equal(settings.count, 7);
    assert_int_equal(settings.wait_ms, 90000);
    assert_int_equal(settings.size_bytes, 65536);
    assert_int_equal(settings.mode, 1);
}

static void broken_tables_are_told(void **state)
{
    static const struct weir_option broken[] = {
        {.key = "x", .type = WEIR_OPTION_DURATION, .fallback = "5"},
        {.key = "x", .type = WEIR_OPTION_CHOICE, .fallback = "a"},
        {.key = "x", .type = (enum weir_option_type)99, .fallback = "a"},
        {.type = WEIR_OPTION_STRING, .fallback = "a"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        const struct weir_option_table one = {.section = "t", .rows = &broken[i], .count = 1};
        int64_t room[2] = {0};
        struct weir_error err = {0};
        assert_int_equal(weir_option_defaults(&one, room, &err), WEIR_E_CONFIG);
        assert_non_null(strstr(err.text, "fallback: "));
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0}, {"-5", -5}, {"100", 100}, {"007", 7}};
    SETTINGS settings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(set(&settings, "count", good[i].text, NULL), 0);
        assert_int_equal(settings.count, good[i].value);
    }
    assert_int_equal(set(&settings, "free", "9223372036854775807", NULL), 0);
    assert_true(settings.free_count == INT64_MAX);
    assert_int_equal(set(&settings, "free", "-9223372036854775808", NULL), 0);
    assert_true(settings.free_count == INT64_MIN);
    refused("count", "101", "count = 101: allowed is -5 to 100");
    refused("count", "-6", "count = -6: allowed is -5 to 100");
    refused(
        "count", "9223372036854775808", "count = 9223372036854775808: is out of range; allowed is -5 to 100");
    refused("free", "-9223372036854775809", "free = -9223372036854775809: is out of range; allowed is any");
    refused("free", "30000000000000000000", "free = 30000000000000000000: is out of range; allowed is any");
    refused("count", "", "count = : expected a whole number");
    static const char *const bad[] = {"1.5", "0x10", "1e3", "+1", " 1", "1 ", "--1", "-", "1k", "٣"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(set(&settings, "count", bad[i], NULL), WEIR_E_CONFIG);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t value_ms;
    } good[] = {{"1000ms", 1000}, {"30s", 30000}, {"5m", 300000}, {"1h", 3600000}};
    SETTINGS settings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(set(&settings, "wait", good[i].text, NULL), 0);
        assert_int_equal(settings.wait_ms, good[i].value_ms);
    }
    refused("wait", "999ms", "wait = 999ms: allowed is 1s to 1h");
    refused("wait", "2h", "wait = 2h: allowed is 1s to 1h");
    refused("wait", "7d", "wait = 7d: allowed is 1s to 1h");
    refused("wait", "30", "wait = 30: durations are written with a unit: 500ms, 30s, 5m, 2h, 7d");
    refused("wait", "-5s", "wait = -5s: durations are written with a unit: 500ms, 30s, 5m, 2h, 7d");
    refused("wait", "106751991168d", "wait = 106751991168d: is out of range; allowed is 1s to 1h");
    refused("wait", "99999999999999999999s",
        "wait = 99999999999999999999s: is out of range; allowed is 1s to 1h");
    static const char *const bad[] = {"", "s", "5 m", "5M", "5min", "1h30m", "1.5s", "0", "5S"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(set(&settings, "wait", bad[i], NULL), WEIR_E_CONFIG);
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0B", 0}, {"64B", 64}, {"64KiB", 65536}, {"256MiB", 256 << 20}, {"2GiB", 2LL << 30},
        {"8388607TiB", 8388607LL << 40}};
    SETTINGS settings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(set(&settings, "size", good[i].text, NULL), 0);
        assert_true(settings.size_bytes == good[i].value);
    }
    refused("size", "5", "size = 5: sizes are written with a unit: 64B, 64KiB, 256MiB, 2GiB");
    refused("size", "8388608TiB", "size = 8388608TiB: is out of range; allowed is any");
    static const char *const bad[] = {"64KB", "64kib", "64K", "1.5MiB", "KiB", "-1B", "1 KiB"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(set(&settings, "size", bad[i], NULL), WEIR_E_CONFIG);
}

static void booleans_and_choices(void **state)
{
    static const char *const truths[] = {"true", "yes", "on"}, *const lies[] = {"false", "no", "off"};
    SETTINGS settings = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(set(&settings, "on", truths[i], NULL), 0);
        assert_true(settings.on);
        assert_int_equal(set(&settings, "on", lies[i], NULL), 0);
        assert_false(settings.on);
    }
    refused("on", "1", "on = 1: allowed are true, false, yes, no, on, off");
    assert_int_equal(set(&settings, "mode", "none", NULL), 0);
    assert_int_equal(settings.mode, 1);
    assert_int_equal(set(&settings, "mode", "key", NULL), 0);
    assert_int_equal(settings.mode, 0);
    refused("mode", "ke", "mode = ke: allowed are key|none");
    refused("mode", "", "mode = : allowed are key|none");
    refused("mode", "key|none", "mode = key|none: allowed are key|none");
    refused("mode", "Key", "mode = Key: allowed are key|none");
}

static void strings(void **state)
{
    SETTINGS settings = {0};

    (void)state;
    assert_int_equal(set(&settings, "name", "a ; # b", NULL), 0);
    assert_string_equal(settings.name, "a ; # b");
    refused("name", "", "name = : has to be of 1 to 8 bytes");
    refused("name", "123456789", "name = 123456789: has to be of 1 to 8 bytes");
    refused("name", "a\tb", "name = a b: holds a control character");
    refused("name", "a\xff", "name = a?: is not UTF-8");
    assert_string_equal(settings.name, "a ; # b");
}

static void addresses(void **state)
{
    static const char *const good[] = {
        "127.0.0.1:8080", "localhost:0", "[::1]:65535", "a.b-c_d:1", "unix:/run/x.sock", "0.0.0.0:80"};
    static const char *const bad[] = {"", ":80", "host", "host:", "host:65536", "host:123456", "host:-1",
        "host:8o", "::1:80", "[::1]", "[::1:80", "[]:80", "[host]:80", "[::1]80", "unix:", "unix:run/x",
        "unix:/", "a b:80", "a/b:80", "http://x:80", "a:80:80", "[", "]:80"};
    SETTINGS settings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (set(&settings, "listen", good[i], NULL) != 0)
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (set(&settings, "listen", bad[i], NULL) != WEIR_E_CONFIG)
            fail_msg("taken: %s", bad[i]);
    refused("listen", "8080", "listen = 8080: expected host:port, [v6]:port or unix:/path");
}

static void urls(void **state)
{
    static const char *const good[] = {
        "http://host", "https://host:8443/a/b", "http://[::1]:80/", "http://127.0.0.1:1"};
    static const char *const bad[] = {"", "host:80", "ftp://x", "http://", "http:///x", "http://u@h",
        "http://h?q", "http://h#f", "http://h/a b", "http://h:99999", "HTTP://h", "http://h:/",
        "http://h\"/"};
    SETTINGS settings = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (set(&settings, "url", good[i], NULL) != 0)
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (set(&settings, "url", bad[i], NULL) != WEIR_E_CONFIG)
            fail_msg("taken: %s", bad[i]);
}

static void paths(void **state)
{
    SETTINGS settings = {0};
    char text[5000];

    (void)state;
    assert_int_equal(set(&settings, "path", "/a b/\xc3\xa4", NULL), 0);
    assert_string_equal(settings.path, "/a b/\xc3\xa4");
    refused("path", "", "path = : a path has 1 to 4095 bytes");
    refused("path", "/a\nb", "path = /a b: holds a control character");
    memset(text, 'x', sizeof(text));
    text[4096] = '\0';
    assert_int_equal(set(&settings, "path", text, NULL), WEIR_E_CONFIG);
    text[4095] = '\0';
    assert_int_equal(set(&settings, "path", text, NULL), 0);
}

static void lists(void **state)
{
    SETTINGS settings = {0};

    (void)state;
    assert_int_equal(set(&settings, "topics", " a ,b\t, c d", NULL), 0);
    assert_string_equal(settings.list[0], "a");
    assert_string_equal(settings.list[1], "b");
    assert_string_equal(settings.list[2], "c d");
    assert_null(settings.list[3]);
    assert_int_equal(set(&settings, "topics", "only", NULL), 0);
    assert_null(settings.list[1]);
    refused("topics", "", "topics = : has an empty entry; entries stand between commas");
    refused("topics", "a,", "topics = a,: has an empty entry; entries stand between commas");
    refused("topics", "a, ,b", "topics = a, ,b: has an empty entry; entries stand between commas");
    refused("topics", "a,b,c,d", "topics = a,b,c,d: has to be of 1 to 3 entries");
    refused("topics", "a\tb", "topics = a b: holds a control character");
    refused("topics", "a\xff", "topics = a?: is not UTF-8");
    assert_string_equal(settings.list[0], "only");
}

static char *write_file(const char *text, size_t len)
{
    char *path = strdup("/tmp/unit-option-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    return path;
}

static void secrets_come_from_files(void **state)
{
    static const struct {
        const char *content;
        size_t len;
        const char *value;
    } good[] = {{"hunter2\n", 8, "hunter2"}, {"hunter2", 7, "hunter2"}, {"hunter2\r\n", 9, "hunter2"},
        {"  x  \n", 6, "  x  "}};
    SETTINGS settings = {0};
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        WEIR_CLEANUP(free) char *path = write_file(good[i].content, good[i].len);
        snprintf(text, sizeof(text), "@file:%s", path);
        int code = set(&settings, "secret", text, NULL);
        unlink(path);
        assert_int_equal(code, 0);
        assert_string_equal(settings.secret, good[i].value);
    }
    assert_int_equal(set(&settings, "secret", "literal", NULL), 0);
    assert_string_equal(settings.secret, "literal");
}

static void secrets_are_never_shown(void **state)
{
    static const struct {
        const char *content;
        size_t len;
    } bad[] = {{"", 0}, {"\n", 1}, {"top-secret\0x", 12}, {"top\nsecret", 10},
        {"top-secret, far too long for this", 33}, {"top", 3}};
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        SETTINGS settings = {0};
        struct weir_error err = {0};
        WEIR_CLEANUP(free) char *path = write_file(bad[i].content, bad[i].len);
        snprintf(text, sizeof(text), "@file:%s", path);
        int code = set(&settings, "secret", text, &err);
        unlink(path);
        assert_int_equal(code, WEIR_E_CONFIG);
        assert_non_null(strstr(err.text, "secret"));
        assert_null(strstr(err.text, "top"));
    }
    refused("secret", "abc", "secret = ***: has to be of 4 to 20 bytes");
    refused("secret", "@file:/nonexistent/x", "secret: /nonexistent/x: No such file or directory");
    refused("secret", "@file:/", "secret: /: Is a directory");
}

static void credentials_come_from_systemd(void **state)
{
    SETTINGS settings = {0};
    WEIR_CLEANUP(free) char *path = write_file("from systemd\n", 13);
    char text[128];

    (void)state;
    snprintf(text, sizeof(text), "@credential:%s", strrchr(path, '/') + 1);
    unsetenv("CREDENTIALS_DIRECTORY");
    struct weir_error err = {0};
    assert_int_equal(set(&settings, "secret", text, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "$CREDENTIALS_DIRECTORY is not set"));
    setenv("CREDENTIALS_DIRECTORY", "/tmp", 1);
    int code = set(&settings, "secret", text, NULL);
    unlink(path);
    assert_int_equal(code, 0);
    assert_string_equal(settings.secret, "from systemd");
    static const char *const bad[] = {
        "@credential:", "@credential:..", "@credential:../etc/hostname", "@credential:/etc/hostname"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(set(&settings, "secret", bad[i], &err), WEIR_E_CONFIG);
        assert_non_null(strstr(err.text, "is no name of a credential"));
    }
}

static void nearest_name_is_found(void **state)
{
    (void)state;
    assert_string_equal(weir_option_nearest(&table, "lsiten"), "listen"); /* swapped */
    assert_string_equal(weir_option_nearest(&table, "no"), "on");         /* one swap, but two replacements */
    assert_string_equal(weir_option_nearest(&table, "topic"), "topics");
    assert_string_equal(weir_option_nearest(&table, "secrets"), "secret");
    assert_string_equal(weir_option_nearest(&table, "cuont"), "count");
    assert_null(weir_option_nearest(&table, "replication.factor"));
    assert_null(weir_option_nearest(&table, ""));
    char text[1000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    assert_null(weir_option_nearest(&table, text));
}

static void pages_hold_every_row(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer help = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer page = {0};

    (void)state;
    weir_option_help(&table, &help);
    weir_option_markdown(&table, &page);
    for (size_t i = 0; i < table.count; i++) {
        assert_non_null(strstr(help.data, rows[i].key));
        assert_non_null(strstr(page.data, rows[i].key));
    }
    assert_non_null(strstr(help.data, "  wait    how long (duration, 1s to 1h; default 90s)\n"));
    assert_non_null(strstr(help.data, "  topics  topics (list, 1 to 3 entries; required)\n"));
    assert_non_null(strstr(page.data, "| `wait` | duration | `90s` | 1s to 1h | yes | how long |\n"));
    assert_non_null(strstr(page.data, "| `mode` | key\\|none | `none` | – | no | which |\n"));
    assert_non_null(strstr(page.data, "| `topics` | list | required | 1 to 3 entries | no | topics |\n"));
}

static void setting_again_frees_what_was_there(void **state)
{
    SETTINGS settings = {0};

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(set(&settings, "name", "name", NULL), 0);
        assert_int_equal(set(&settings, "topics", "a,b", NULL), 0);
        assert_int_equal(weir_option_defaults(&table, &settings, NULL), 0);
        assert_null(settings.name);
    }
    weir_option_free(&table, NULL);
}

static void a_changed_value_is_named(void **state)
{
    static const struct {
        const char *key, *text;
    } changes[] = {{"name", "other"}, {"on", "no"}, {"count", "8"}, {"wait", "91s"}, {"mode", "key"},
        {"topics", "orders"}, {"topics", "orders, carts, more"}, {"secret", "another"}};
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct weir_error err;
        SETTINGS before = {0}, after = {0};
        struct settings *both[] = {&before, &after};
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(weir_option_defaults(&table, both[k], &err), 0);
            assert_int_equal(
                weir_option_set(weir_option_find(&table, "topics"), both[k], "orders, carts", &err), 0);
        }
        assert_null(weir_option_changed(&table, &before, &after, false));
        const struct weir_option *row = weir_option_find(&table, changes[i].key);
        assert_int_equal(weir_option_set(row, &after, changes[i].text, &err), 0);
        assert_string_equal(weir_option_changed(&table, &before, &after, false), changes[i].key);
        if (row->reload)
            assert_null(weir_option_changed(&table, &before, &after, true));
        else
            assert_string_equal(weir_option_changed(&table, &before, &after, true), changes[i].key);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(defaults_fill_every_member),
    cmocka_unit_test(broken_tables_are_told),
    cmocka_unit_test(numbers),
    cmocka_unit_test(durations),
    cmocka_unit_test(sizes),
    cmocka_unit_test(booleans_and_choices),
    cmocka_unit_test(strings),
    cmocka_unit_test(addresses),
    cmocka_unit_test(urls),
    cmocka_unit_test(paths),
    cmocka_unit_test(lists),
    cmocka_unit_test(secrets_come_from_files),
    cmocka_unit_test(secrets_are_never_shown),
    cmocka_unit_test(credentials_come_from_systemd),
    cmocka_unit_test(nearest_name_is_found),
    cmocka_unit_test(pages_hold_every_row),
    cmocka_unit_test(setting_again_frees_what_was_there),
    cmocka_unit_test(a_changed_value_is_named),
};

WEIR_TEST_MAIN(tests)
