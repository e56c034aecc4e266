/* Plugins that can't be run are refused with a line that names the file and the reason.
 * $WEIR_CONTRACT_PLUGINS is the folder they lie in. */
#include "support/test.h"

#include "consumers/runtime/loader.h"

#include <stdlib.h>

static const char conf[] = "[kafka]\n"
                           "bootstrap.servers = 127.0.0.1:9\n"
                           "dev = true\n"
                           "[collection orders]\n"
                           "key = orderID\n"
                           "[service contract]\n"
                           "plugin = %s\n"
                           "topics = orders\n"
                           "%s\n";

static void write_conf(char path[static 1], const char *plugin, const char *line)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dprintf(fd, conf, plugin, line);
    close(fd);
}

/* What is said of the plugin of that name, with one more line of configuration. */
static int try(const char *plugin, const char *line, struct weir_error *err)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    char path[] = "/tmp/weir-loader.XXXXXX";
    write_conf(path, plugin, line);
    int rc = weir_deployment_load(path, &deployment, err);
    unlink(path);
    if (rc == 0)
        rc = weir_plugin_try(deployment, weir_deployment_service(deployment, "contract"), err);
    return rc;
}

static void assert_refused(const char *plugin, const char *line, const char *file, const char *reason)
{
    struct weir_error err = {0};
    setenv("WEIR_PLUGIN_PATH", getenv("WEIR_CONTRACT_PLUGINS"), 1);
    assert_int_equal(try(plugin, line, &err), WEIR_E_CONFIG);
    if (strstr(err.text, file) == NULL || strstr(err.text, reason) == NULL)
        fail_msg("\"%s\" does not name %s and %s", err.text, file, reason);
}

static void a_missing_plugin(void **state)
{
    (void)state;
    assert_refused("nosuch", "", "nosuch.so", "missing");
}

static void a_missing_path(void **state)
{
    (void)state;
    assert_refused("/nowhere/nosuch.so", "", "/nowhere/nosuch.so", "No such file");
}

static void a_file_that_is_no_plugin(void **state)
{
    (void)state;
    assert_refused("/etc/passwd", "", "/etc/passwd", "invalid ELF header");
}

static void another_abi(void **state)
{
    (void)state;
    assert_refused("broken-abi", "", "broken-abi.so", "built for ABI 1001");
}

static void a_missing_symbol(void **state)
{
    (void)state;
    assert_refused("broken-symbol", "", "broken-symbol.so", "no symbol weir_plugin");
}

static void a_struct_that_is_too_small(void **state)
{
    (void)state;
    assert_refused("broken-size", "", "broken-size.so", "struct_size 8");
}

static void the_smallest_struct_is_taken(void **state)
{
    struct weir_error err = {0};
    (void)state;
    setenv("WEIR_PLUGIN_PATH", getenv("WEIR_CONTRACT_PLUGINS"), 1);
    if (try("smallest", "", &err) < 0)
        fail_msg("%s", err.text);
}

static void a_missing_callback(void **state)
{
    (void)state;
    assert_refused("broken-handle", "", "broken-handle.so", "lacks handle");
}

static void a_table_that_depends_on_no_switch(void **state)
{
    (void)state;
    assert_refused("broken-switch", "", "broken-switch.so", "depends on warm, which is none of its switches");
}

static void a_crash_while_it_is_loaded(void **state)
{
    (void)state;
    assert_refused("broken-constructor", "", "broken-constructor.so", "crashed");
}

static void an_exit_while_it_is_loaded(void **state)
{
    (void)state;
    assert_refused("broken-exit", "", "broken-exit.so", "status 3");
}

/* open() may do what only the process itself can do: it is not tried before, but its crash is told. */
static void a_crash_in_open(void **state)
{
    char path[] = "/tmp/weir-loader.XXXXXX", command[512], said[1024] = "";
    (void)state;
    write_conf(path, "broken-open", "");
    snprintf(command, sizeof(command),
        "WEIR_PLUGIN_PATH=\"$WEIR_CONTRACT_PLUGINS\" \"$WEIR_CONSUMER\" --config %s --service contract "
        "--instance a 2>&1 "
        ">/dev/null | grep crashed",
        path);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    assert_non_null(fgets(said, sizeof(said), pipe));
    pclose(pipe);
    unlink(path);
    assert_non_null(strstr(said, "broken-open.so crashed in open: Aborted"));
}

static void a_crash_in_check(void **state)
{
    (void)state;
    assert_refused("echo", "echo.topic = crash", "echo.so", "crashed");
}

static void settings_that_it_refuses(void **state)
{
    (void)state;
    assert_refused("echo", "echo.topic = refused", "echo.topic", "refused");
}

static void a_key_that_it_does_not_know(void **state)
{
    (void)state;
    assert_refused("echo", "echo.topc = orders.changes", ":9", "echo.topc");
}

static void a_key_that_is_missing(void **state)
{
    (void)state;
    assert_refused("echo", "", "service contract", "topic");
}

static void a_right_one_is_taken(void **state)
{
    struct weir_error err = {0};
    (void)state;
    setenv("WEIR_PLUGIN_PATH", getenv("WEIR_CONTRACT_PLUGINS"), 1);
    if (try("echo", "echo.topic = orders.changes", &err) < 0)
        fail_msg("%s", err.text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_missing_plugin),
    cmocka_unit_test(a_missing_path),
    cmocka_unit_test(a_file_that_is_no_plugin),
    cmocka_unit_test(another_abi),
    cmocka_unit_test(a_missing_symbol),
    cmocka_unit_test(a_struct_that_is_too_small),
    cmocka_unit_test(the_smallest_struct_is_taken),
    cmocka_unit_test(a_missing_callback),
    cmocka_unit_test(a_table_that_depends_on_no_switch),
    cmocka_unit_test(a_crash_while_it_is_loaded),
    cmocka_unit_test(an_exit_while_it_is_loaded),
    cmocka_unit_test(a_crash_in_open),
    cmocka_unit_test(a_crash_in_check),
    cmocka_unit_test(settings_that_it_refuses),
    cmocka_unit_test(a_key_that_it_does_not_know),
    cmocka_unit_test(a_key_that_is_missing),
    cmocka_unit_test(a_right_one_is_taken),
};
WEIR_TEST_MAIN(tests)
