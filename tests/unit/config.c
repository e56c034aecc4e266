/* common/config.h: the strict reader, binding, the environment. What a whole file is refused with is in
 * tests/cases/config. */
#include "support/test.h"

#include "common/config.h"

#include "common/bytes.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct settings {
    char *listen, *password;
    int64_t wait_ms;
    bool on;
};

static const struct weir_option rows[] = {
    {.key = "listen",
        .type = WEIR_OPTION_ADDRESS,
        .fallback = "127.0.0.1:1",
        .offset = offsetof(struct settings, listen)},
    {.key = "wait.max",
        .type = WEIR_OPTION_DURATION,
        .fallback = "1s",
        .offset = offsetof(struct settings, wait_ms)},
    {.key = "on", .type = WEIR_OPTION_BOOL, .offset = offsetof(struct settings, on)},
    {.key = "password", .type = WEIR_OPTION_SECRET, .offset = offsetof(struct settings, password)},
};

static const struct weir_option_table table = {.section = "gateway",
    .rows = rows,
    .count = sizeof(rows) / sizeof(rows[0]),
    .settings_size = sizeof(struct settings)};

static void cleanup_settings(struct settings *settings)
{
    weir_option_free(&table, settings);
}

#define SETTINGS __attribute__((cleanup(cleanup_settings))) struct settings

static struct weir_config *parse(const char *text)
{
    struct weir_config *config = NULL;
    struct weir_error err = {0};

    if (weir_config_parse("weir.conf", text, strlen(text), &config, &err) != 0)
        fail_msg("%s", err.text);
    return config;
}

static void refused(const void *text, size_t len, const char *wanted)
{
    struct weir_config *config = NULL;
    struct weir_error err = {0};

    assert_int_equal(weir_config_parse("weir.conf", text, len, &config, &err), WEIR_E_CONFIG);
    assert_null(config);
    if (strcmp(err.text, wanted) != 0)
        fail_msg("got    \"%s\"\nwanted \"%s\"", err.text, wanted);
}

static int bind(
    const struct weir_config *config, const char *section, struct settings *settings, struct weir_error *err)
{
    return weir_config_bind(config, section, NULL, &table, NULL, NULL, settings, err);
}

static void file_overrides_fallbacks(void **state)
{
    WEIR_CLEANUP(config)
    struct weir_config *config =
        parse("# c\n; c\n\n \t\n[gateway]\nlisten=[::1]:80\nwait.max =\t 5m \non = yes");
    SETTINGS settings = {0};

    (void)state;
    assert_int_equal(bind(config, "gateway", &settings, NULL), 0);
    assert_string_equal(settings.listen, "[::1]:80");
    assert_int_equal(settings.wait_ms, 300000);
    assert_true(settings.on);
    assert_null(settings.password);
}

static void absent_section_has_fallbacks(void **state)
{
    WEIR_CLEANUP(config) struct weir_config *config = parse("");
    SETTINGS settings = {0};

    (void)state;
    assert_false(weir_config_has(config, "gateway"));
    assert_int_equal(bind(config, "gateway", &settings, NULL), 0);
    assert_string_equal(settings.listen, "127.0.0.1:1");
}

/* inih's own defaults would cut it at the semicolon. */
static void values_keep_what_looks_like_a_comment(void **state)
{
    WEIR_CLEANUP(config) struct weir_config *config = parse("[gateway]\npassword = a ; b # c = d [e]\n");
    SETTINGS settings = {0};

    (void)state;
    assert_int_equal(bind(config, "gateway", &settings, NULL), 0);
    assert_string_equal(settings.password, "a ; b # c = d [e]");
}

/* inih cuts sections at 49 bytes, so that two long ones would become one. */
static void long_sections_stay_apart(void **state)
{
    char text[600], first[129], second[129];
    SETTINGS settings = {0};

    (void)state;
    memset(first, 'a', 128);
    first[128] = '\0';
    memcpy(second, first, sizeof(second));
    second[127] = 'b';
    snprintf(text, sizeof(text), "[%s]\non = true\n[%s]\non = false\n", first, second);
    WEIR_CLEANUP(config) struct weir_config *config = parse(text);
    assert_int_equal(bind(config, first, &settings, NULL), 0);
    assert_true(settings.on);
    assert_int_equal(bind(config, second, &settings, NULL), 0);
    assert_false(settings.on);
}

static void values_up_to_the_limit_are_kept(void **state)
{
    enum { VALUE_BYTES = 4096 };
    WEIR_CLEANUP(free) char *text = calloc(1, VALUE_BYTES + 100);
    SETTINGS settings = {0};
    size_t len = (size_t)snprintf(text, 100, "[gateway]\npassword = ");

    (void)state;
    memset(text + len, 'v', VALUE_BYTES);
    WEIR_CLEANUP(config) struct weir_config *config = parse(text);
    assert_int_equal(bind(config, "gateway", &settings, NULL), 0);
    assert_int_equal(strlen(settings.password), VALUE_BYTES);
    text[len + VALUE_BYTES] = 'v';
    refused(text, strlen(text), "weir.conf:2: the value has more than 4096 bytes");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    (void)state;
    refused("[a]\nx = a\0b\n", 12, "weir.conf:2: holds a NUL byte");
    refused("\0", 1, "weir.conf:1: holds a NUL byte");
    refused("\xef\xbb\xbf[a]\n", 7,
        "weir.conf:1: begins with a byte order mark; save the file as UTF-8 without it");
    refused("[a]\r\nx = 1\r\n", 12, "weir.conf:1: holds a carriage return; lines end with a line feed alone");
    refused("[a]\nx = \x1b[2J\n", 13, "weir.conf:2: holds a control character");
    refused("[a]\n\n# \xc3\x28\n", 9, "weir.conf:3: is not UTF-8");
    refused("[a]\n\xed\xa0\x80 = 1", 11, "weir.conf:2: is not UTF-8");
}

static void huge_files_are_refused(void **state)
{
    size_t len = (1 << 20) + 1;
    WEIR_CLEANUP(free) char *text = malloc(len);

    (void)state;
    memset(text, '\n', len);
    refused(text, len, "weir.conf: the file has more than 1 MiB");
    struct weir_config *config = NULL;
    assert_int_equal(weir_config_parse("weir.conf", text, len - 1, &config, NULL), 0);
    weir_config_free(config);
}

/* Any bytes at all: an answer, never a crash (run it under the sanitizers), and always with its place. */
static void any_bytes_get_an_answer(void **state)
{
    static const char letters[] = "[]==ab \t\n\n;#:.\xc3\xa4_-\r\x01";
    unsigned seed = 3;
    int good = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct weir_config *config = NULL;
        struct weir_error err = {0};
        char text[40];
        seed = seed * 1664525 + 1013904223;
        size_t len = (seed >> 8) % sizeof(text);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = letters[(seed >> 16) % (sizeof(letters) - 1)];
        }
        int code = weir_config_parse("weir.conf", text, len, &config, &err);
        good += code == 0;
        if (code != 0)
            assert_memory_equal(err.text, "weir.conf:", 10);
        weir_config_free(config);
    }
    assert_true(good > 10);
}

static void environment_overrides_the_file(void **state)
{
    WEIR_CLEANUP(config) struct weir_config *config = parse("[gateway]\nlisten = a:1\nwait.max = 2s\n");
    SETTINGS settings = {0};

    (void)state;
    setenv("WEIR_GATEWAY_WAIT_MAX", "7s", 1);
    int code = bind(config, "gateway", &settings, NULL);
    const char *where = weir_config_where(config, "gateway", "wait.max");
    unsetenv("WEIR_GATEWAY_WAIT_MAX");
    assert_int_equal(code, 0);
    assert_int_equal(settings.wait_ms, 7000);
    assert_string_equal(settings.listen, "a:1");
    assert_string_equal(where, "WEIR_GATEWAY_WAIT_MAX");
    assert_string_equal(weir_config_where(config, "gateway", "wait.max"), "weir.conf:3");
    assert_string_equal(weir_config_where(config, "gateway", NULL), "weir.conf:1");
    assert_string_equal(weir_config_where(config, "gateway", "on"), "weir.conf:1");
    assert_string_equal(weir_config_where(config, "nosuch", "on"), "weir.conf");
}

static void a_secret_of_the_environment_needs_no_file(void **state)
{
    WEIR_CLEANUP(config) struct weir_config *config = parse("[gateway]\npassword = @file:/nonexistent/key\n");
    SETTINGS settings = {0};
    struct weir_error err = {0};

    (void)state;
    assert_int_equal(bind(config, "gateway", &settings, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, "/nonexistent/key"));
    setenv("WEIR_GATEWAY_PASSWORD_FILE", "/etc/hostname", 1);
    int code = bind(config, "gateway", &settings, &err);
    unsetenv("WEIR_GATEWAY_PASSWORD_FILE");
    assert_int_equal(code, 0);
    assert_non_null(settings.password);
}

static void environment_errors_name_the_variable(void **state)
{
    WEIR_CLEANUP(config) struct weir_config *config = parse("");
    SETTINGS settings = {0};
    struct weir_error err = {0};

    (void)state;
    setenv("WEIR_GATEWAY_WAIT_MAX", "7", 1);
    int code = bind(config, "gateway", &settings, &err);
    unsetenv("WEIR_GATEWAY_WAIT_MAX");
    assert_int_equal(code, WEIR_E_CONFIG);
    assert_string_equal(err.text,
        "WEIR_GATEWAY_WAIT_MAX: wait.max = 7: durations are written with a unit: 500ms, 30s, 5m, 2h, 7d");
}

static void variables_may_name_a_file(void **state)
{
    WEIR_CLEANUP(config) struct weir_config *config = parse("");
    SETTINGS settings = {0};
    struct weir_error err = {0};
    char path[] = "/tmp/unit-config-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, "9s\n", 3), 3);
    close(fd);
    setenv("WEIR_GATEWAY_WAIT_MAX_FILE", path, 1);
    int code = bind(config, "gateway", &settings, NULL);
    setenv("WEIR_GATEWAY_WAIT_MAX", "1s", 1);
    int both = bind(config, "gateway", &settings, &err);
    unsetenv("WEIR_GATEWAY_WAIT_MAX");
    unlink(path);
    struct weir_error gone = {0};
    int missing = bind(config, "gateway", &settings, &gone);
    unsetenv("WEIR_GATEWAY_WAIT_MAX_FILE");
    assert_int_equal(code, 0);
    assert_int_equal(both, WEIR_E_CONFIG);
    assert_string_equal(
        err.text, "WEIR_GATEWAY_WAIT_MAX and WEIR_GATEWAY_WAIT_MAX_FILE are both set; one of them is wanted");
    assert_int_equal(missing, WEIR_E_CONFIG);
    assert_int_equal(gone.code, WEIR_E_CONFIG);
    assert_memory_equal(gone.text, "WEIR_GATEWAY_WAIT_MAX_FILE: /tmp/", 33);
}

static int bind_key(
    const struct weir_config *config, const char *section, const char *key, struct weir_error *err)
{
    struct {
        bool on;
    } settings = {0};
    const struct weir_option row = {.key = key, .type = WEIR_OPTION_BOOL};
    const struct weir_option_table one = {.rows = &row, .count = 1, .settings_size = sizeof(settings)};

    return weir_config_bind(config, section, NULL, &one, NULL, NULL, &settings, err);
}

static void keys_that_share_a_variable_are_refused(void **state)
{
    static const struct {
        const char *section, *key, *other_section, *other_key;
        bool shared;
    } pairs[] = {
        {"service a", "x.y", "service a", "x-y", true},
        {"service a", "b.c", "service a-b", "c", true},
        {"service a", "x", "service a", "x.file", true},
        {"service a", "x.file", "service a", "x", true},
        {"service a", "x", "service a", "x", false},
        {"service a", "x", "service b", "x", false},
        {"service a", "x", "service a", "x.files", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        WEIR_CLEANUP(config) struct weir_config *config = parse("");
        struct weir_error err = {0};
        assert_int_equal(bind_key(config, pairs[i].section, pairs[i].key, NULL), 0);
        assert_int_equal(bind_key(config, pairs[i].other_section, pairs[i].other_key, &err),
            pairs[i].shared ? WEIR_E_CONFIG : 0);
        if (pairs[i].shared)
            assert_non_null(
                strstr(err.text, "would both be read from the environment variable WEIR_SERVICE_A_"));
    }
}

static int count_rest(void *context, const char *key, const char *value, struct weir_error *err)
{
    if (strcmp(key, "mine") == 0) {
        ++*(int *)context;
        return 0;
    }
    return strcmp(key, "bad") == 0 ? weir_error_set(err, WEIR_E_CONFIG, "%s is bad", value) : 1;
}

static void rest_takes_refuses_or_knows_nothing(void **state)
{
    static const struct {
        const char *text;
        int code, taken;
        const char *error;
    } files[] = {
        {"[gateway]\nmine = 1\non = true\n", 0, 1, ""},
        {"[gateway]\nmine = 1\nbad = 2\n", WEIR_E_CONFIG, 1, "weir.conf:3: 2 is bad"},
        {"[gateway]\nlistn = 1\n", WEIR_E_CONFIG, 0,
            "weir.conf:2: unknown key \"listn\" in [gateway], did you mean \"listen\"?"},
        {"[gateway]\nzzzzzz = 1\n", WEIR_E_CONFIG, 0, "weir.conf:2: unknown key \"zzzzzz\" in [gateway]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        WEIR_CLEANUP(config) struct weir_config *config = parse(files[i].text);
        SETTINGS settings = {0};
        struct weir_error err = {0};
        int taken = 0;
        assert_int_equal(
            weir_config_bind(config, "gateway", NULL, &table, count_rest, &taken, &settings, &err),
            files[i].code);
        assert_int_equal(taken, files[i].taken);
        assert_string_equal(err.text, files[i].error);
    }
}

static void prefix_takes_its_own_keys_only(void **state)
{
    WEIR_CLEANUP(config)
    struct weir_config *config = parse("[service s]\nplugin = x\nstore.listen = a:1\nstore.onn = true\n");
    SETTINGS settings = {0};
    struct weir_error err = {0};

    (void)state;
    assert_int_equal(
        weir_config_bind(config, "service s", "store.", &table, NULL, NULL, &settings, &err), WEIR_E_CONFIG);
    assert_string_equal(
        err.text, "weir.conf:4: unknown key \"store.onn\" in [service s], did you mean \"store.on\"?");
    assert_string_equal(settings.listen, "a:1");
    setenv("WEIR_SERVICE_S_STORE_LISTEN", "b:2", 1);
    WEIR_CLEANUP(config) struct weir_config *other = parse("[service s]\nplugin = x\n");
    int code = weir_config_bind(other, "service s", "store.", &table, NULL, NULL, &settings, &err);
    unsetenv("WEIR_SERVICE_S_STORE_LISTEN");
    assert_int_equal(code, 0);
    assert_string_equal(settings.listen, "b:2");
}

static void required_keys_may_come_from_anywhere(void **state)
{
    static const struct weir_option row = {
        .key = "name", .type = WEIR_OPTION_STRING, .required = true, .help = "who it is"};
    static const struct weir_option_table one = {.rows = &row, .count = 1, .settings_size = sizeof(char *)};
    WEIR_CLEANUP(config) struct weir_config *config = parse("\n[a]\n");
    WEIR_CLEANUP(free) char *name = NULL;
    struct weir_error err = {0};

    (void)state;
    assert_int_equal(weir_config_bind(config, "a", NULL, &one, NULL, NULL, &name, &err), WEIR_E_CONFIG);
    assert_string_equal(err.text, "weir.conf:2: [a] name is missing: who it is");
    assert_int_equal(weir_config_bind(config, "b", NULL, &one, NULL, NULL, &name, &err), WEIR_E_CONFIG);
    assert_string_equal(err.text, "weir.conf: [b] name is missing: who it is");
    setenv("WEIR_B_NAME", "x", 1);
    int code = weir_config_bind(config, "b", NULL, &one, NULL, NULL, &name, &err);
    unsetenv("WEIR_B_NAME");
    assert_int_equal(code, 0);
    assert_string_equal(name, "x");
}

static char *write_config(const char *text, mode_t mode)
{
    char *path = strdup("/tmp/unit-config-XXXXXX");
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    fchmod(fd, mode);
    close(fd);
    return path;
}

static void literal_secrets_want_a_private_file(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        int code;
    } files[] = {
        {"[gateway]\npassword = hunter2\n", 0600, 0},
        {"[gateway]\npassword = hunter2\n", 0400, 0},
        {"[gateway]\npassword = hunter2\n", 0640, WEIR_E_CONFIG},
        {"[gateway]\npassword = hunter2\n", 0604, WEIR_E_CONFIG},
        {"[gateway]\npassword = hunter2\n", 0620, WEIR_E_CONFIG},
        {"[gateway]\npassword = @file:/etc/hostname\n", 0644, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        WEIR_CLEANUP(config) struct weir_config *config = NULL;
        WEIR_CLEANUP(free) char *path = write_config(files[i].text, files[i].mode);
        SETTINGS settings = {0};
        struct weir_error err = {0};
        int loaded = weir_config_load(path, &config, &err);
        unlink(path);
        assert_int_equal(loaded, 0);
        assert_int_equal(bind(config, "gateway", &settings, &err), files[i].code);
        assert_null(strstr(err.text, "hunter2"));
        if (files[i].code != 0)
            assert_non_null(strstr(err.text, ":2: password = ***: a secret in a file that others may read"));
    }
}

static void files_that_cannot_be_read_are_named(void **state)
{
    struct weir_config *config = NULL;
    struct weir_error err = {0};

    (void)state;
    assert_int_equal(weir_config_load("/nonexistent/weir.conf", &config, &err), WEIR_E_NOT_FOUND);
    assert_string_equal(err.text, "/nonexistent/weir.conf: No such file or directory");
    assert_int_equal(weir_config_load("/", &config, &err), WEIR_E_CONFIG);
    assert_string_equal(err.text, "/: Is a directory");
    assert_null(config);
}

static void named_sections_are_told_in_order(void **state)
{
    WEIR_CLEANUP(config)
    struct weir_config *config =
        parse("[service b]\n[collection x]\n[service a]\nk = 1\n[services c]\n[service]\n");

    (void)state;
    assert_string_equal(weir_config_named(config, "service", 0), "b");
    assert_string_equal(weir_config_named(config, "service", 1), "a");
    assert_null(weir_config_named(config, "service", 2));
    assert_null(weir_config_named(config, "none", 0));
    assert_true(weir_config_has(config, "service b")); /* though it is empty */
}

static void unknown_sections_are_refused(void **state)
{
    static const char *const kinds[] = {"kafka", "service *", NULL};
    static const struct {
        const char *text, *error;
    } files[] = {
        {"[kafka]\n[service a]\n", NULL},
        {"[kafak]\n", "weir.conf:1: unknown section [kafak], did you mean [kafka]?"},
        {"[kafka]\n[service]\n", "weir.conf:2: unknown section [service], did you mean [service NAME]?"},
        {"[kafka x]\n", "weir.conf:1: unknown section [kafka x], did you mean [kafka]?"},
        {"[kafka.producer]\n", "weir.conf:1: unknown section [kafka.producer]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        WEIR_CLEANUP(config) struct weir_config *config = parse(files[i].text);
        struct weir_error err = {0};
        int code = weir_config_check_sections(config, kinds, &err);
        assert_int_equal(code, files[i].error == NULL ? 0 : WEIR_E_CONFIG);
        if (files[i].error != NULL)
            assert_string_equal(err.text, files[i].error);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(file_overrides_fallbacks),
    cmocka_unit_test(absent_section_has_fallbacks),
    cmocka_unit_test(values_keep_what_looks_like_a_comment),
    cmocka_unit_test(long_sections_stay_apart),
    cmocka_unit_test(values_up_to_the_limit_are_kept),
    cmocka_unit_test(bytes_that_are_no_text_are_refused),
    cmocka_unit_test(huge_files_are_refused),
    cmocka_unit_test(any_bytes_get_an_answer),
    cmocka_unit_test(environment_overrides_the_file),
    cmocka_unit_test(a_secret_of_the_environment_needs_no_file),
    cmocka_unit_test(environment_errors_name_the_variable),
    cmocka_unit_test(variables_may_name_a_file),
    cmocka_unit_test(keys_that_share_a_variable_are_refused),
    cmocka_unit_test(rest_takes_refuses_or_knows_nothing),
    cmocka_unit_test(prefix_takes_its_own_keys_only),
    cmocka_unit_test(required_keys_may_come_from_anywhere),
    cmocka_unit_test(literal_secrets_want_a_private_file),
    cmocka_unit_test(files_that_cannot_be_read_are_named),
    cmocka_unit_test(named_sections_are_told_in_order),
    cmocka_unit_test(unknown_sections_are_refused),
};

WEIR_TEST_MAIN(tests)
