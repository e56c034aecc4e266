/* common/deployment.h: what a good file becomes. What a bad one is refused with is in tests/cases/config. */
#include "support/test.h"

#include "common/deployment.h"

#include "common/kafka_property.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char sound[] = "[kafka]\n"
                            "bootstrap.servers = a:9092,b:9092\n"
                            "topic.prefix = acme.\n"
                            "compression.type = lz4\n"
                            "[kafka.producer]\n"
                            "linger.ms = 3\n"
                            "[kafka.consumer]\n"
                            "fetch.wait.max.ms = 50\n"
                            "socket.timeout.ms = 30000\n"
                            "[collection orders]\n"
                            "key = orderID\n"
                            "[collection carts]\n"
                            "key = cart-id\n"
                            "partitions = 1000\n"
                            "changes.view = NEW_AND_OLD_IMAGES\n"
                            "[service store]\n"
                            "plugin = store\n"
                            "topics = orders, other\n"
                            "store.path = /x\n"
                            "[service notifier]\n"
                            "notifier.smtp = a:25\n"
                            "topics = orders.changes\n"
                            "plugin = /opt/plugins/notifier.so\n"
                            "group = mailers\n"
                            "state.dir = /s\n"
                            "management.listen = 127.0.0.1:1\n";

static int load(
    const char *text, mode_t mode, struct weir_deployment **ret_deployment, struct weir_error *err)
{
    char path[] = "/tmp/unit-deployment-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    fchmod(fd, mode);
    close(fd);
    int code = weir_deployment_load(path, ret_deployment, err);
    unlink(path);
    return code;
}

static struct weir_deployment *load_sound(void)
{
    struct weir_deployment *deployment = NULL;
    struct weir_error err = {0};

    if (load(sound, 0644, &deployment, &err) != 0)
        fail_msg("%s", err.text);
    return deployment;
}

static void names_are_derived(void **state)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = load_sound();
    const struct weir_collection *orders = weir_deployment_collection(deployment, "orders");
    const struct weir_service *store = weir_deployment_service(deployment, "store");

    (void)state;
    assert_string_equal(orders->command_topic, "acme.orders");
    assert_string_equal(orders->changes_topic, "acme.orders.changes");
    assert_string_equal(orders->store_service, "store");
    assert_null(weir_deployment_collection(deployment, "carts")->store_service);
    assert_string_equal(store->topics[1], "other");
    assert_string_equal(store->source_topics[0], "acme.orders");
    assert_string_equal(store->source_topics[1], "acme.other");
    assert_null(store->source_topics[2]);
    assert_string_equal(store->group, "store");
    assert_string_equal(weir_deployment_service(deployment, "notifier")->group, "mailers");
    assert_ptr_equal(weir_deployment_collection_of_topic(deployment, "acme.orders"), orders);
    assert_ptr_equal(weir_deployment_collection_of_topic(deployment, "acme.orders.changes"), orders);
    assert_null(weir_deployment_collection_of_topic(deployment, "orders"));
    assert_null(weir_deployment_collection(deployment, "order"));
    assert_null(weir_deployment_service(deployment, "orders"));
}

static void fallbacks_are_the_documented_ones(void **state)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = load_sound();
    const struct weir_service *store = weir_deployment_service(deployment, "store");
    const struct weir_collection *orders = weir_deployment_collection(deployment, "orders");

    (void)state;
    assert_int_equal(deployment->log.level, WEIR_LOG_INFO);
    assert_int_equal(deployment->log.format, 0);
    assert_false(deployment->kafka.dev);
    assert_int_equal(deployment->kafka.replication_factor, 3);
    assert_int_equal(deployment->kafka.min_insync_replicas, 2);
    assert_int_equal(deployment->kafka.window_ms, 7LL * 86400000);
    assert_int_equal(orders->partitions, 6);
    assert_int_equal(orders->changes_view, WEIR_VIEW_NEW_IMAGE);
    assert_int_equal(
        weir_deployment_collection(deployment, "carts")->changes_view, WEIR_VIEW_NEW_AND_OLD_IMAGES);
    assert_int_equal(store->attempts, 3);
    assert_int_equal(store->retry_backoff_ms, 1000);
    assert_int_equal(store->retry_backoff_max_ms, 300000);
    assert_int_equal(store->batch_max, 10000);
    assert_int_equal(store->batch_max_bytes, 16 << 20);
    assert_int_equal(store->handle_timeout_ms, 60000);
    assert_int_equal(store->drain_timeout_ms, 20000);
}

static void properties_pass_through(void **state)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = load_sound();
    const struct weir_kafka_settings *kafka = &deployment->kafka;

    (void)state;
    assert_string_equal(kafka->bootstrap_servers, "a:9092,b:9092");
    assert_int_equal(kafka->property_count, 1);
    assert_string_equal(kafka->properties[0].name, "compression.type");
    assert_string_equal(kafka->properties[0].value, "lz4");
    assert_int_equal(kafka->producer_property_count, 1);
    assert_string_equal(kafka->producer_properties[0].name, "linger.ms");
    assert_int_equal(kafka->consumer_property_count, 2);
    assert_string_equal(kafka->consumer_properties[1].value, "30000");
}

static const char *find(const struct weir_property *properties, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(properties[i].name, name) == 0)
            return properties[i].value;
    return NULL;
}

static void environment_gives_properties(void **state)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    struct weir_error err = {0};
    static const char *const variables[][2] = {
        {"WEIR_KAFKA_SASL_PASSWORD", "hunter2"},
        {"WEIR_KAFKA_COMPRESSION_TYPE", "zstd"}, /* overrides the file */
        {"WEIR_KAFKA_PRODUCER_LINGER_MS", "9"},
        {"WEIR_KAFKA_CONSUMER_CHECK_CRCS", "true"},
        {"WEIR_KAFKA_TOPIC_PREFIX", "env."},
        /* what Kubernetes makes for a Service named weir-kafka */
        {"WEIR_KAFKA_SERVICE_HOST", "10.0.0.1"},
        {"WEIR_KAFKA_SERVICE_PORT_CLIENT", "9092"},
        {"WEIR_KAFKA_PORT", "tcp://10.0.0.1:9092"},
        {"WEIR_KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        setenv(variables[i][0], variables[i][1], 1);
    int code = load(sound, 0644, &deployment, &err);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i][0]);
    assert_string_equal(err.text, "");
    assert_int_equal(code, 0);
    const struct weir_kafka_settings *kafka = &deployment->kafka;
    assert_int_equal(kafka->property_count, 2);
    assert_string_equal(find(kafka->properties, 2, "sasl.password"), "hunter2");
    assert_string_equal(find(kafka->properties, 2, "compression.type"), "zstd");
    assert_int_equal(kafka->producer_property_count, 1);
    assert_string_equal(kafka->producer_properties[0].value, "9");
    assert_string_equal(
        find(kafka->consumer_properties, kafka->consumer_property_count, "check.crcs"), "true");
    assert_string_equal(kafka->topic_prefix, "env.");
}

static void environment_is_judged_like_the_file(void **state)
{
    static const struct {
        const char *variable, *value, *error;
    } rows[] = {
        {"WEIR_KAFKA_ACKS", "1", "WEIR_KAFKA_ACKS: acks can't be set: "},
        {"WEIR_KAFKA_CONSUMER_ISOLATION_LEVEL", "read_uncommitted",
            "WEIR_KAFKA_CONSUMER_ISOLATION_LEVEL: isolation.level can't be set: "},
        {"WEIR_KAFKA_SASL_PASWORD", "x",
            "WEIR_KAFKA_SASL_PASWORD: librdkafka has no property \"sasl.pasword\", did you mean "
            "\"sasl.password\"?"},
        {"WEIR_KAFKA_SASL_PASSWORD_FILE", "/nonexistent/p",
            "WEIR_KAFKA_SASL_PASSWORD_FILE: /nonexistent/p: No such file or directory"},
        {"WEIR_SERVICE_STORE_ATTEMPTS", "0",
            "WEIR_SERVICE_STORE_ATTEMPTS: attempts = 0: allowed is 1 to 1000"},
        {"WEIR_COLLECTION_ORDERS_PARTITIONS", "1001",
            "WEIR_COLLECTION_ORDERS_PARTITIONS: partitions = 1001: allowed is 1 to 1000"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_deployment *deployment = NULL;
        struct weir_error err = {0};
        setenv(rows[i].variable, rows[i].value, 1);
        int code = load(sound, 0644, &deployment, &err);
        unsetenv(rows[i].variable);
        assert_int_equal(code, WEIR_E_CONFIG);
        assert_null(deployment);
        if (strncmp(err.text, rows[i].error, strlen(rows[i].error)) != 0)
            fail_msg("got    \"%s\"\nwanted \"%s\"", err.text, rows[i].error);
    }
}

static void a_secret_of_the_environment_wants_no_file(void **state)
{
    static const char text[] =
        "[kafka]\nbootstrap.servers = a:1\nsasl.password = @credential:kafka.password\n";
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    struct weir_error err = {0};

    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(load(text, 0644, &deployment, &err), WEIR_E_CONFIG);
    setenv("WEIR_KAFKA_SASL_PASSWORD", "hunter2", 1);
    int code = load(text, 0644, &deployment, &err);
    setenv("WEIR_KAFKA_SASL_PASSWORD_FILE", "/etc/hostname", 1);
    int both = load(text, 0644, &(struct weir_deployment *){NULL}, &err);
    unsetenv("WEIR_KAFKA_SASL_PASSWORD");
    unsetenv("WEIR_KAFKA_SASL_PASSWORD_FILE");
    assert_int_equal(code, 0);
    assert_string_equal(
        find(deployment->kafka.properties, deployment->kafka.property_count, "sasl.password"), "hunter2");
    assert_int_equal(both, WEIR_E_CONFIG);
}

static void kafka_secrets_want_a_private_file(void **state)
{
    static const char literal[] = "[kafka]\nbootstrap.servers = a:1\nsasl.password = hunter2\n";
    static const char elsewhere[] = "[kafka]\nbootstrap.servers = a:1\nsasl.password = @file:/etc/hostname\n";
    struct weir_deployment *deployment = NULL;
    struct weir_error err = {0};

    (void)state;
    assert_int_equal(load(literal, 0644, &deployment, &err), WEIR_E_CONFIG);
    assert_non_null(strstr(err.text, ":3: sasl.password = ***: a secret in a file that others may read"));
    assert_null(strstr(err.text, "hunter2"));
    assert_int_equal(load(literal, 0600, &deployment, &err), 0);
    assert_string_equal(deployment->kafka.properties[0].value, "hunter2");
    weir_deployment_free(deployment);
    assert_int_equal(load(elsewhere, 0644, &deployment, &err), 0);
    assert_null(strchr(deployment->kafka.properties[0].value, '@'));
    assert_null(strchr(deployment->kafka.properties[0].value, '\n'));
    weir_deployment_free(deployment);
}

static void folders_come_from_systemd(void **state)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *plain = load_sound();
    WEIR_CLEANUP(deployment) struct weir_deployment *under = NULL;

    (void)state;
    assert_string_equal(weir_deployment_service(plain, "store")->state_dir, "/var/lib/weir/store");
    assert_null(weir_deployment_service(plain, "store")->management_listen);
    setenv("STATE_DIRECTORY", "/var/lib/first:/var/lib/second", 1);
    setenv("RUNTIME_DIRECTORY", "/run/weir", 1);
    under = load_sound();
    unsetenv("STATE_DIRECTORY");
    unsetenv("RUNTIME_DIRECTORY");
    const struct weir_service *store = weir_deployment_service(under, "store");
    const struct weir_service *notifier = weir_deployment_service(under, "notifier");
    assert_string_equal(store->state_dir, "/var/lib/first");
    assert_string_equal(store->management_listen, "unix:/run/weir/store.sock");
    assert_string_equal(notifier->state_dir, "/s");
    assert_string_equal(notifier->management_listen, "127.0.0.1:1");
}

static void default_path_can_be_changed(void **state)
{
    (void)state;
    unsetenv("WEIR_CONFIG");
    assert_string_equal(weir_deployment_default_path(), "/etc/weir/weir.conf");
    setenv("WEIR_CONFIG", "/x", 1);
    assert_string_equal(weir_deployment_default_path(), "/x");
    setenv("WEIR_CONFIG", "", 1);
    assert_string_equal(weir_deployment_default_path(), "/etc/weir/weir.conf");
}

static void librdkafka_knows_its_properties(void **state)
{
    struct weir_error err = {0};

    (void)state;
    assert_int_equal(weir_kafka_property_check("linger.ms", "5", NULL), 0);
    assert_int_equal(weir_kafka_property_check("lingr.ms", "5", &err), WEIR_E_NOT_FOUND);
    assert_string_equal(err.text, "librdkafka has no property \"lingr.ms\", did you mean \"linger.ms\"?");
    assert_int_equal(weir_kafka_property_check("linger.ms", "soon", &err), WEIR_E_CONFIG);
    assert_int_equal(weir_kafka_property_check("dr_msg_cb", "x", &err), WEIR_E_CONFIG);
    assert_true(strlen(weir_kafka_library_version()) >= 5);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(names_are_derived),
    cmocka_unit_test(fallbacks_are_the_documented_ones),
    cmocka_unit_test(properties_pass_through),
    cmocka_unit_test(environment_gives_properties),
    cmocka_unit_test(environment_is_judged_like_the_file),
    cmocka_unit_test(a_secret_of_the_environment_wants_no_file),
    cmocka_unit_test(kafka_secrets_want_a_private_file),
    cmocka_unit_test(folders_come_from_systemd),
    cmocka_unit_test(default_path_can_be_changed),
    cmocka_unit_test(librdkafka_knows_its_properties),
};

WEIR_TEST_MAIN(tests)
