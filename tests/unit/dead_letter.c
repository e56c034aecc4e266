/* common/dead_letter.h: letters of four systems read, filtered, and made ready for the way back. */
#include "support/test.h"

#include "common/dead_letter.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(literal) weir_bytes(literal, sizeof(literal) - 1)

static const struct weir_header own[] = {
    {"ce_id", {"r-1", 3}},
    {"ce_type", {"weir.orders.replace", 19}},
    {"weir-original-timestamp", {"1700", 4}},
    {"x-tenant", {"\x1b[2J\xff", 5}},
    {"__dlq.errors.topic", {"acme.orders", 11}},
    {"__dlq.errors.partition", {"3", 1}},
    {"__dlq.errors.offset", {"1207", 4}},
    {"__dlq.errors.group", {"store", 5}},
    {"__dlq.errors.delivery.count", {"2", 1}},
    {"__dlq.errors.message", {"/total: no number", 17}},
    {"weir-disposition", {"invalid", 7}},
    {"weir-error-type", {"schema", 6}},
    {"weir-redrive-count", {"1", 1}},
};

static struct weir_letter letter_of(const struct weir_header *headers, size_t count)
{
    struct weir_letter letter = {.topic = "acme.orders.store.dlq",
        .timestamp_ms = 2000,
        .key = BYTES("o-1"),
        .value = BYTES("{}"),
        .headers = headers,
        .header_count = count};
    weir_letter_read(&letter);
    return letter;
}

static void reads_a_letter_of_weir(void **state)
{
    (void)state;
    struct weir_letter letter = letter_of(own, COUNT(own));

    assert_int_equal(letter.dialect, WEIR_LETTER_WEIR);
    assert_true(weir_bytes_is(letter.source_topic, "acme.orders"));
    assert_int_equal(letter.source_partition, 3);
    assert_int_equal(letter.source_offset, 1207);
    assert_true(weir_bytes_is(letter.group, "store"));
    assert_int_equal(letter.executions, 2);
    assert_true(weir_bytes_is(letter.reason, "/total: no number"));
    assert_true(weir_bytes_is(letter.disposition, "invalid"));
    assert_true(weir_bytes_is(letter.error_type, "schema"));
    assert_int_equal(letter.original_ms, 1700);
    assert_int_equal(letter.redrive_count, 1);
    assert_null(letter.cut.data);
}

static void reads_a_letter_of_spring(void **state)
{
    (void)state;
    const struct weir_header headers[] = {
        {"kafka_dlt-exception-fqcn",
            BYTES("org.springframework.kafka.listener.ListenerExecutionFailedException")},
        {"kafka_dlt-exception-cause-fqcn", BYTES("java.lang.IllegalStateException")},
        {"kafka_dlt-exception-message", BYTES("no stock")},
        {"kafka_dlt-original-topic", BYTES("orders.placed")},
        {"kafka_dlt-original-partition", BYTES("\0\0\0\2")},
        {"kafka_dlt-original-offset", BYTES("\0\0\0\1\0\0\0\7")},
        {"kafka_dlt-original-timestamp", BYTES("\0\0\1\x8b\xcf\xe5\x68\x00")},
        {"kafka_dlt-original-consumer-group", BYTES("billing")},
    };
    struct weir_letter letter = letter_of(headers, COUNT(headers));

    assert_int_equal(letter.dialect, WEIR_LETTER_SPRING);
    assert_true(weir_bytes_is(letter.source_topic, "orders.placed"));
    assert_int_equal(letter.source_partition, 2);
    assert_int_equal(letter.source_offset, 4294967303);
    assert_int_equal(letter.original_ms, 1700000000000);
    assert_true(weir_bytes_is(letter.group, "billing"));
    assert_true(weir_bytes_is(letter.error_type, "java.lang.IllegalStateException"));
    assert_true(weir_bytes_is(letter.reason, "no stock"));
}

static void reads_letters_of_connect_and_streams(void **state)
{
    (void)state;
    const struct weir_header connect[] = {
        {"__connect.errors.topic", BYTES("orders")},
        {"__connect.errors.partition", BYTES("5")},
        {"__connect.errors.offset", BYTES("12")},
        {"__connect.errors.connector.name", BYTES("sink")},
        {"__connect.errors.task.id", BYTES("0")},
        {"__connect.errors.exception.class.name", BYTES("org.apache.kafka.connect.errors.DataException")},
        {"__connect.errors.exception.message", BYTES("bad")},
    };
    const struct weir_header streams[] = {
        {"__streams.errors.exception", BYTES("java.lang.RuntimeException")},
        {"__streams.errors.message", BYTES("worse")},
        {"__streams.errors.topic", BYTES("clicks")},
        {"__streams.errors.partition", BYTES("1")},
        {"__streams.errors.offset", BYTES("9")},
    };
    struct weir_letter letter = letter_of(connect, COUNT(connect));

    assert_int_equal(letter.dialect, WEIR_LETTER_CONNECT);
    assert_true(weir_bytes_is(letter.group, "sink"));
    assert_int_equal(letter.source_partition, 5);
    assert_int_equal(letter.source_offset, 12);
    assert_true(weir_bytes_is(letter.reason, "bad"));
    letter = letter_of(streams, COUNT(streams));
    assert_int_equal(letter.dialect, WEIR_LETTER_STREAMS);
    assert_true(weir_bytes_is(letter.error_type, "java.lang.RuntimeException"));
    assert_int_equal(letter.source_offset, 9);
}

/* Numbers that are none, spans that are empty: told as "not told", nothing is read beyond an end. */
static void hostile_headers_are_no_numbers(void **state)
{
    (void)state;
    const struct {
        const char *name;
        struct weir_bytes value;
    } bad[] = {
        {"__dlq.errors.partition", BYTES("-1")},
        {"__dlq.errors.partition", BYTES("")},
        {"__dlq.errors.offset", BYTES("99999999999999999999")},
        {"__dlq.errors.offset", BYTES("1 2")},
        {"__dlq.errors.offset", BYTES("\0\0\0\0\0\0\0\1")},
        {"__dlq.errors.delivery.count", BYTES("0x10")},
        {"weir-redrive-count", BYTES("-1")},
        {"weir-redrive-count", BYTES("9223372036854775808")},
        {"__dlq.errors.topic", BYTES("")},
        {"__dlq.errors.topic", BYTES("orders\0/0/1")},
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct weir_header headers[COUNT(own) + 1];
        memcpy(headers, own, sizeof(own));
        headers[COUNT(own)] = (struct weir_header){bad[i].name, bad[i].value};
        struct weir_letter letter = letter_of(headers, COUNT(headers));
        assert_int_equal(letter.dialect, WEIR_LETTER_WEIR);
        if (strcmp(bad[i].name, "__dlq.errors.delivery.count") == 0)
            assert_int_equal(letter.executions, -1);
        else
            assert_non_null(weir_letter_obstacle(&letter, "acme.orders"));
    }
    const struct weir_header spring[] = {{"kafka_dlt-original-topic", BYTES("t")},
        {"kafka_dlt-original-partition", BYTES("12")},
        {"kafka_dlt-original-offset", BYTES("\xff\0\0\0\0\0\0\0")}};
    struct weir_letter letter = letter_of(spring, COUNT(spring));
    assert_int_equal(letter.source_partition, -1);
    assert_int_equal(letter.source_offset, -1);
}

static void a_record_without_headers_is_unknown(void **state)
{
    (void)state;
    struct weir_letter letter = letter_of(NULL, 0);

    assert_int_equal(letter.dialect, WEIR_LETTER_UNKNOWN);
    assert_true(weir_letter_matches(&WEIR_LETTER_ANY, &letter));
    assert_non_null(weir_letter_obstacle(&letter, "acme.orders"));
}

static void filters_by_each_criterion(void **state)
{
    (void)state;
    struct weir_letter letter = letter_of(own, COUNT(own));
    struct weir_letter_filter filters[20];
    size_t count = 0;
#define CASE(member, yes, no)                                                                                \
    filters[count] = filters[count + 1] = WEIR_LETTER_ANY;                                                   \
    filters[count++].member = (yes);                                                                         \
    filters[count++].member = (no)

    CASE(disposition, "invalid", "expired");
    CASE(error_type, "schema", "json");
    CASE(key, "o-1", "o-12");
    CASE(reason, "total", "Total");
    CASE(source_topic, "acme.orders", "orders");
    CASE(source_partition, 3, 0);
    CASE(source_from, 1207, 1208);
    CASE(source_to, 1207, 1206);
    CASE(from_ms, 2000, 2001);
    CASE(to_ms, 2000, 1999);
    for (size_t i = 0; i < count; i++)
        if (weir_letter_matches(&filters[i], &letter) != (i % 2 == 0))
            fail_msg("filter %zu", i);
}

static const struct weir_header *header_of(const struct weir_letter_return *back, const char *name)
{
    const struct weir_header *found = NULL;

    for (size_t i = 0; i < back->header_count; i++) {
        if (strcmp(back->headers[i].name, name) != 0)
            continue;
        assert_null(found); /* each name once */
        found = &back->headers[i];
    }
    return found;
}

static void assert_header(const struct weir_letter_return *back, const char *name, const char *text)
{
    assert_non_null(header_of(back, name));
    assert_true(weir_bytes_is(header_of(back, name)->value, text));
}

static void the_way_back_keeps_the_original_headers(void **state)
{
    (void)state;
    struct weir_letter letter = letter_of(own, COUNT(own));
    struct weir_letter_return back;

    assert_null(weir_letter_obstacle(&letter, "acme.orders"));
    assert_int_equal(weir_letter_return_init(&back, &letter, NULL), 0);
    assert_header(&back, "ce_id", "r-1");
    assert_header(&back, "ce_type", "weir.orders.replace");
    assert_header(&back, "x-tenant", "\x1b[2J\xff");
    assert_header(&back, "weir-original-timestamp", "1700");
    assert_header(&back, "weir-origin", "acme.orders/3/1207");
    assert_header(&back, "weir-attempt", "0");
    assert_header(&back, "weir-not-before", "0");
    assert_header(&back, "weir-redrive-count", "2");
    assert_int_equal(back.header_count, 8);
    weir_letter_return_done(&back);
    assert_int_equal(weir_letter_return_init(&back, &letter, "/total by ada"), 0);
    assert_header(&back, "weir-patched", "/total by ada");
    weir_letter_return_done(&back);
}

static void a_letter_that_cannot_go_back_says_why(void **state)
{
    (void)state;
    struct weir_header headers[COUNT(own) + 1];
    memcpy(headers, own, sizeof(own));
    struct weir_letter letter = letter_of(own, COUNT(own));

    assert_non_null(strstr(weir_letter_obstacle(&letter, "orders"), "another topic"));
    headers[COUNT(own)] = (struct weir_header){"weir-cut", BYTES("value of 9 bytes left out")};
    letter = letter_of(headers, COUNT(headers));
    assert_non_null(strstr(weir_letter_obstacle(&letter, "acme.orders"), "left out"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_a_letter_of_weir),
    cmocka_unit_test(reads_a_letter_of_spring),
    cmocka_unit_test(reads_letters_of_connect_and_streams),
    cmocka_unit_test(hostile_headers_are_no_numbers),
    cmocka_unit_test(a_record_without_headers_is_unknown),
    cmocka_unit_test(filters_by_each_criterion),
    cmocka_unit_test(the_way_back_keeps_the_original_headers),
    cmocka_unit_test(a_letter_that_cannot_go_back_says_why),
};
WEIR_TEST_MAIN(tests)
