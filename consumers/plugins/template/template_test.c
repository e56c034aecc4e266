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

static void a_record_is_greeted(struct weir_testhost *host)
{
    struct weir_error err = {0};
    CHECK(weir_testhost_feed(host, &(struct weir_record){.key = weir_bytes_str("ada")}, &err) == 0);
    CHECK(weir_testhost_handle(host, &err) == 0);
    CHECK(weir_testhost_verdict(host, 0) == WEIR_DONE);
    CHECK(weir_testhost_output_count(host) == 1);
    CHECK(weir_bytes_is(weir_testhost_output(host, 0).value, "good day, ada"));
    CHECK(weir_testhost_commit(host, &err) == 0);
}

static void a_record_without_a_key_is_rejected(struct weir_testhost *host)
{
    struct weir_error err = {0};
    CHECK(weir_testhost_feed(host, &(struct weir_record){.value = weir_bytes_str("{}")}, &err) == 0);
    CHECK(weir_testhost_handle(host, &err) == 0);
    CHECK(weir_testhost_verdict(host, 0) == WEIR_REJECT);
    CHECK(weir_testhost_output_count(host) == 0);
    CHECK(weir_testhost_commit(host, &err) == 0);
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
    a_record_is_greeted(host);
    a_record_without_a_key_is_rejected(host);
    weir_testhost_close(host);
    return EXIT_SUCCESS;
}
