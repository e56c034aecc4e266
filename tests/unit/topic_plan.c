/* weir_topic_plan: the topics of a deployment, as the configuration file says. */
#include "support/test.h"

#include "common/topic.h"

#include <stdlib.h>
#include <unistd.h>

static const char whole[] =
    "[kafka]\nbootstrap.servers = 127.0.0.1:1\nreplication.factor = 3\nmin.insync.replicas = 2\n"
    "window = 7d\n"
    "[collection orders]\nkey = orderID\npartitions = 6\n"
    "[collection carts]\nkey = cartID\npartitions = 3\n"
    "[service store]\nplugin = store\ntopics = orders\n"
    "[service notifier]\nplugin = notifier\ntopics = orders.changes, carts.changes\n"
    "notifier.from = a@example.com\nnotifier.to = b@example.com\n";

struct planned {
    struct weir_deployment *deployment;
    struct weir_topic_plan *plan;
    size_t count;
};

static struct weir_deployment *load(const char *text)
{
    char path[] = "/tmp/weir-plan-XXXXXX";
    struct weir_deployment *deployment = NULL;
    struct weir_error err = {0};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    int code = weir_deployment_load(path, &deployment, &err);
    unlink(path);
    if (code != 0)
        fail_msg("%s", err.text);
    return deployment;
}

static struct planned plan(const char *text)
{
    struct planned planned = {.deployment = load(text)};
    struct weir_error err = {0};

    if (weir_topic_plan(planned.deployment, &planned.plan, &planned.count, &err) != 0)
        fail_msg("%s", err.text);
    return planned;
}

static void done(struct planned *planned)
{
    weir_topic_plan_free(planned->plan, planned->count);
    weir_deployment_free(planned->deployment);
}

static const struct weir_topic_plan *topic(const struct planned *planned, const char *name)
{
    for (size_t i = 0; i < planned->count; i++)
        if (strcmp(planned->plan[i].name, name) == 0)
            return &planned->plan[i];
    fail_msg("%s is not planned", name);
    return NULL;
}

static void setting_is(const struct weir_topic_plan *of, const char *name, const char *expected)
{
    for (size_t i = 0; i < of->setting_count; i++)
        if (strcmp(of->settings[i].name, name) == 0) {
            assert_string_equal(of->settings[i].value, expected);
            return;
        }
    fail_msg("%s has no %s", of->name, name);
}

static void plans_each_topic_once_commands_first(void **state)
{
    (void)state;
    static const char *const names[] = {"orders", "carts", "orders.changes", "carts.changes",
        "orders.store.retry", "orders.store.dlq", "orders.store.outcomes", "orders.changes.notifier.retry",
        "orders.changes.notifier.dlq", "orders.changes.notifier.notifications",
        "carts.changes.notifier.retry", "carts.changes.notifier.dlq", "carts.changes.notifier.notifications"};
    struct planned planned = plan(whole);

    assert_int_equal(planned.count, sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < planned.count; i++)
        assert_string_equal(planned.plan[i].name, names[i]);
    done(&planned);
}

static void outcomes_may_be_read_by_who_stands_first(void **state)
{
    (void)state;
    struct planned planned =
        plan("[kafka]\nbootstrap.servers = 127.0.0.1:1\n[collection orders]\nkey = orderID\n"
             "partitions = 4\n[service counter]\nplugin = counter\ntopics = orders.store.outcomes\n"
             "[service store]\nplugin = store\ntopics = orders\n");

    assert_int_equal(topic(&planned, "orders.store.outcomes")->partitions, 4);
    assert_int_equal(topic(&planned, "orders.store.outcomes.counter.dlq")->partitions, 4);
    done(&planned);
}

static void a_family_shares_its_partition_count(void **state)
{
    (void)state;
    struct planned planned = plan(whole);

    for (size_t i = 0; i < planned.count; i++) {
        assert_int_equal(planned.plan[i].partitions, strncmp(planned.plan[i].name, "orders", 6) == 0 ? 6 : 3);
        assert_int_equal(planned.plan[i].replication_factor, 3);
        setting_is(&planned.plan[i], "min.insync.replicas", "2");
        setting_is(&planned.plan[i], "message.timestamp.type", "LogAppendTime");
    }
    done(&planned);
}

static void settings_follow_the_window(void **state)
{
    (void)state;
    struct planned planned = plan(whole);

    setting_is(topic(&planned, "orders"), "cleanup.policy", "delete");
    setting_is(topic(&planned, "orders"), "retention.ms", "604800000");
    setting_is(topic(&planned, "orders.changes"), "cleanup.policy", "compact");
    setting_is(topic(&planned, "orders.changes"), "min.compaction.lag.ms", "604800000");
    setting_is(topic(&planned, "orders.changes"), "delete.retention.ms", "604800000");
    setting_is(topic(&planned, "orders.store.retry"), "retention.ms", "2419200000");
    setting_is(topic(&planned, "orders.store.dlq"), "retention.ms", "1209600000"); /* a fortnight at least */
    setting_is(topic(&planned, "orders.store.outcomes"), "retention.ms", "604800000");
    setting_is(topic(&planned, "orders.changes.notifier.notifications"), "cleanup.policy", "compact,delete");
    setting_is(topic(&planned, "orders.changes.notifier.notifications"), "retention.ms", "2592000000");
    done(&planned);
}

static void short_windows_keep_letters_and_outcomes(void **state)
{
    (void)state;
    struct planned planned = plan("[kafka]\nbootstrap.servers = 127.0.0.1:1\nwindow = 1h\n"
                                  "[collection orders]\nkey = orderID\npartitions = 1\n"
                                  "[service store]\nplugin = store\ntopics = orders\n");

    setting_is(topic(&planned, "orders"), "retention.ms", "3600000");
    setting_is(topic(&planned, "orders.store.retry"), "retention.ms", "1209600000");
    setting_is(topic(&planned, "orders.store.dlq"), "retention.ms", "1209600000");
    setting_is(topic(&planned, "orders.store.outcomes"), "retention.ms", "172800000");
    done(&planned);
}

static void sizes_follow_the_body_limit(void **state)
{
    (void)state;
    struct planned planned = plan(whole);

    setting_is(topic(&planned, "orders"), "max.message.bytes", "327680");         /* 256 KiB + 64 KiB */
    setting_is(topic(&planned, "orders.changes"), "max.message.bytes", "589824"); /* 2 × 256 KiB + 64 KiB */
    done(&planned);
    planned =
        plan("[kafka]\nbootstrap.servers = 127.0.0.1:1\n[gateway]\nlisten = 127.0.0.1:0\nbody.max = 1MiB\n"
             "[collection orders]\nkey = orderID\npartitions = 1\n");
    setting_is(topic(&planned, "orders"), "max.message.bytes", "1114112");
    setting_is(topic(&planned, "orders.changes"), "max.message.bytes", "2162688");
    done(&planned);
}

static void the_prefix_begins_every_name(void **state)
{
    (void)state;
    struct planned planned = plan("[kafka]\nbootstrap.servers = 127.0.0.1:1\ntopic.prefix = acme.\n"
                                  "[collection orders]\nkey = orderID\npartitions = 1\n"
                                  "[service store]\nplugin = store\ntopics = orders\n");

    for (size_t i = 0; i < planned.count; i++)
        assert_memory_equal(planned.plan[i].name, "acme.orders", strlen("acme.orders"));
    topic(&planned, "acme.orders.store.dlq");
    done(&planned);
}

/* Dead letters and outcomes are read by services too. */
static void a_service_may_read_another_services_topic(void **state)
{
    (void)state;
    struct planned planned = plan("[kafka]\nbootstrap.servers = 127.0.0.1:1\n"
                                  "[collection orders]\nkey = orderID\npartitions = 4\n"
                                  "[service store]\nplugin = store\ntopics = orders\n"
                                  "[service alarm]\nplugin = alarm\ntopics = orders.store.dlq\n");

    assert_int_equal(topic(&planned, "orders.store.dlq.alarm.retry")->partitions, 4);
    done(&planned);
}

static void refuses(const char *text, const char *says)
{
    struct weir_deployment *deployment = load(text);
    struct weir_topic_plan *none = NULL;
    size_t count = 0;
    struct weir_error err = {0};

    assert_int_equal(weir_topic_plan(deployment, &none, &count, &err), WEIR_E_CONFIG);
    if (strstr(err.text, says) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", says, err.text);
    assert_null(none);
    weir_deployment_free(deployment);
}

static void names_what_does_not_fit(void **state)
{
    (void)state;
    refuses("[kafka]\nbootstrap.servers = 127.0.0.1:1\n[collection orders]\nkey = orderID\npartitions = 1\n"
            "[service audit]\nplugin = audit\ntopics = payments\n",
        "payments");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plans_each_topic_once_commands_first),
    cmocka_unit_test(outcomes_may_be_read_by_who_stands_first),
    cmocka_unit_test(a_family_shares_its_partition_count),
    cmocka_unit_test(settings_follow_the_window),
    cmocka_unit_test(short_windows_keep_letters_and_outcomes),
    cmocka_unit_test(sizes_follow_the_body_limit),
    cmocka_unit_test(the_prefix_begins_every_name),
    cmocka_unit_test(a_service_may_read_another_services_topic),
    cmocka_unit_test(names_what_does_not_fit),
};

WEIR_TEST_MAIN(tests)
