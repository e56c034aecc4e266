/* The plugin without Kafka: template_test PLUGIN.so. */
#include <weir/testhost.h>

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) check((condition), #condition, __LINE__)

static void check(bool holds, const char *condition, int line)
{
    if (holds)
        return;
    fprintf(stderr, "line %d: %s does not hold\n", line, condition);
    exit(EXIT_FAILURE);
}

static void feed(struct weir_testhost *host, const char *type, const char *key, const char *value)
{
    const struct weir_header header = {.name = "ce_type", .value = weir_bytes_str(type)};
    const struct weir_record record = {
        .key = weir_bytes_str(key), .value = weir_bytes_str(value), .headers = &header, .header_count = 1};
    struct weir_error err = {0};

    CHECK(weir_testhost_feed(host, &record, &err) == 0);
}

static void handle(struct weir_testhost *host)
{
    struct weir_error err = {0};

    CHECK(weir_testhost_handle(host, &err) == 0);
}

static void commit(struct weir_testhost *host)
{
    struct weir_error err = {0};

    CHECK(weir_testhost_commit(host, &err) == 0);
}

static void each_kind_of_change_has_its_greeting(struct weir_testhost *host)
{
    feed(host, "weir.orders.created", "ada", "{\"op\":\"c\"}");
    feed(host, "weir.orders.updated", "ada", "{\"op\":\"u\"}");
    feed(host, "weir.orders.deleted", "ada", "{\"op\":\"d\"}");
    feed(host, "weir.orders.deleted", "ada", NULL);
    handle(host);
    for (size_t i = 0; i < 4; i++)
        CHECK(weir_testhost_verdict(host, i) == WEIR_DONE);
    CHECK(weir_testhost_output_count(host) == 3);
    CHECK(weir_bytes_is(weir_testhost_output(host, 0).value, "good day, ada"));
    CHECK(weir_bytes_is(weir_testhost_output(host, 1).value, "nice to see you again, ada"));
    CHECK(weir_bytes_is(weir_testhost_output(host, 2).value, "goodbye, ada"));
    commit(host);
}

static void is_rejected(struct weir_testhost *host, const char *type, const char *key, const char *value)
{
    feed(host, type, key, value);
    handle(host);
    CHECK(weir_testhost_verdict(host, 0) == WEIR_REJECT);
    CHECK(weir_testhost_output_count(host) == 0);
    commit(host);
}

static void what_is_no_change_is_rejected(struct weir_testhost *host)
{
    is_rejected(host, "weir.orders.create", "ada", "{}");
    is_rejected(host, "created.not", "ada", "{}");
    is_rejected(host, "weir.orders.created", NULL, "{}");
}

int main(int argc, char **argv)
{
    struct weir_testhost *host = NULL;
    struct weir_error err = {0};

    CHECK(argc == 2);
    if (weir_testhost_open(argv[1], "template.greeting = good day\n", &host, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    each_kind_of_change_has_its_greeting(host);
    what_is_no_change_is_rejected(host);
    weir_testhost_close(host);
    return EXIT_SUCCESS;
}
