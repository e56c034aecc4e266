/* Headers, keys, identifiers and positions of common/envelope.h. */
#include "support/test.h"

#include "common/envelope.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct weir_header header(const char *name, const char *value)
{
    return (struct weir_header){name, weir_bytes_str(value)};
}

static void finds_the_last_header(void **state)
{
    (void)state;
    const struct weir_header headers[] = {header("a", "1"), header("b", "2"), header("a", "3")};

    assert_true(weir_bytes_is(weir_header_find(headers, COUNT(headers), "a"), "3"));
    assert_null(weir_header_find(headers, COUNT(headers), "c").data);
    assert_null(weir_header_find(NULL, 0, "a").data);
}

static void reads_a_command(void **state)
{
    (void)state;
    struct weir_command command;
    const struct weir_header headers[] = {header("ce_specversion", "1.0"), header("ce_id", "r-1"),
        header("ce_type", "weir.orders.merge"), header("content-type", "application/json"),
        header("weir-principal", "ada"), header("weir-if-match", "\"e-1\""),
        header("weir-if-none-match", "*"), header("weir-fingerprint", "00ff"),
        header("weir-redrive-count", "2"), header("x-tenant", "any\nthing")};

    assert_int_equal(weir_command_read("orders", headers, COUNT(headers), true, &command, NULL), 0);
    assert_int_equal(command.operation, WEIR_OPERATION_MERGE);
    assert_true(weir_bytes_is(command.request, "r-1"));
    assert_true(weir_bytes_is(command.content_type, "application/json"));
    assert_true(weir_bytes_is(command.principal, "ada"));
    assert_true(weir_bytes_is(command.if_match, "\"e-1\""));
    assert_true(weir_bytes_is(command.if_none_match, "*"));
    assert_true(weir_bytes_is(command.fingerprint, "00ff"));
    assert_int_equal(command.redrive_count, 2);
    assert_null(command.traceparent.data);
}

static void a_bare_record_replaces_or_deletes(void **state)
{
    (void)state;
    struct weir_command command;
    const struct weir_header empty_id[] = {header("ce_id", "")};

    assert_int_equal(weir_command_read("orders", NULL, 0, true, &command, NULL), 0);
    assert_int_equal(command.operation, WEIR_OPERATION_REPLACE);
    assert_null(command.request.data);
    assert_int_equal(weir_command_read("orders", NULL, 0, false, &command, NULL), 0);
    assert_int_equal(command.operation, WEIR_OPERATION_DELETE);
    assert_int_equal(weir_command_read("orders", empty_id, 1, true, &command, NULL), 0);
    assert_null(command.request.data);
}

static void reads_every_operation(void **state)
{
    (void)state;
    for (int i = WEIR_OPERATION_CREATE; i <= WEIR_OPERATION_ADJUST; i++) {
        char type[64];
        struct weir_command command;

        snprintf(type, sizeof(type), "weir.orders.%s", weir_operation_name((enum weir_operation)i));
        const struct weir_header one = header("ce_type", type);
        assert_int_equal(weir_command_read("orders", &one, 1, true, &command, NULL), 0);
        assert_int_equal(command.operation, i);
        assert_int_equal(weir_command_read("orders", &one, 1, false, &command, NULL),
            i == WEIR_OPERATION_DELETE ? 0 : WEIR_E_INVALID);
    }
}

static void refuses(struct weir_header one, const char *says)
{
    struct weir_command command;
    struct weir_error err = {0};

    assert_int_equal(weir_command_read("orders", &one, 1, true, &command, &err), WEIR_E_INVALID);
    if (strstr(err.text, says) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", says, err.text);
}

static void refuses_foreign_and_broken_headers(void **state)
{
    (void)state;
    char long_value[WEIR_HEADER_VALUE_BYTES + 2];

    memset(long_value, 'x', sizeof(long_value) - 1);
    long_value[sizeof(long_value) - 1] = '\0';
    refuses(header("ce_type", "weir.products.create"), "no command of orders");
    refuses(header("ce_type", "weir.orders.created"), "no command");
    refuses(header("ce_type", "weir.orders."), "no command");
    refuses(header("ce_type", ""), "no command");
    refuses((struct weir_header){"ce_type", WEIR_BYTES_NULL}, "no command");
    refuses(header("ce_specversion", "0.3"), "1.0");
    refuses(header("ce_id", long_value), "1024");
    refuses(header("ce_id", "a\r\nb"), "control character");
    refuses(header("ce_id", "\x7f"), "control character");
    refuses(header("ce_id", "\xc2\x85"), "control character");
    refuses(header("weir-principal", "\xff"), "UTF-8");
    refuses(header("weir-principal", "\xed\xa0\x80"), "UTF-8");
    refuses(header("weir-principal", "\xc0\xaf"), "UTF-8");
    refuses(header("weir-principal", "\xf4\x90\x80\x80"), "UTF-8");
    refuses(header("weir-principal", "\xe2\x82"), "UTF-8");
    refuses((struct weir_header){"ce_id", weir_bytes("a\0b", 3)}, "control character");
    refuses(header("weir-redrive-count", "-1"), "weir-redrive-count");
    refuses(header("weir-redrive-count", "01"), "weir-redrive-count");
    refuses(header("weir-redrive-count", "2147483648"), "weir-redrive-count");
}

static void accepts_a_value_at_the_limit(void **state)
{
    (void)state;
    char value[WEIR_HEADER_VALUE_BYTES + 1];
    struct weir_command command;

    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    const struct weir_header one = header("ce_id", value);
    assert_int_equal(weir_command_read("orders", &one, 1, true, &command, NULL), 0);
}

static void checks_keys(void **state)
{
    (void)state;
    char key[WEIR_KEY_BYTES + 1];

    memset(key, 'k', sizeof(key));
    assert_int_equal(weir_key_check(weir_bytes(key, WEIR_KEY_BYTES), NULL), 0);
    assert_int_equal(weir_key_check(weir_bytes(key, WEIR_KEY_BYTES + 1), NULL), WEIR_E_INVALID);
    assert_int_equal(weir_key_check(WEIR_BYTES_NULL, NULL), WEIR_E_INVALID);
    assert_int_equal(weir_key_check(weir_bytes_str(""), NULL), WEIR_E_INVALID);
    assert_int_equal(weir_key_check(weir_bytes_str("a b/\xc3\xa9\xf0\x9f\x98\x80"), NULL), 0);
    assert_int_equal(weir_key_check(weir_bytes_str("a\tb"), NULL), WEIR_E_INVALID);
    assert_int_equal(weir_key_check(weir_bytes("a\0", 2), NULL), WEIR_E_INVALID);
    assert_int_equal(weir_key_check(weir_bytes_str("\x80"), NULL), WEIR_E_INVALID);
}

/* 8-4-4-4-12 in lower case, of that version and RFC 9562's variant. */
static void is_id(const char *id, char version)
{
    assert_int_equal(strlen(id), WEIR_ID_BYTES - 1);
    for (size_t i = 0; i < WEIR_ID_BYTES - 1; i++) {
        bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
        assert_true(hyphen ? id[i] == '-' : isdigit(id[i]) || (id[i] >= 'a' && id[i] <= 'f'));
    }
    assert_int_equal(id[14], version);
    assert_non_null(strchr("89ab", id[19]));
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, WEIR_ID_BYTES);
}

enum { IDS = 50000, THREADS = 4 };

static void *make_ids(void *context)
{
    char(*ids)[WEIR_ID_BYTES] = context;

    for (size_t i = 0; i < IDS; i++)
        weir_id_v7(ids[i]);
    return NULL;
}

static void ids_of_version_7_differ_and_rise(void **state)
{
    (void)state;
    char(*ids)[WEIR_ID_BYTES] = malloc(sizeof(*ids) * IDS * THREADS);
    pthread_t threads[THREADS];

    assert_non_null(ids);
    for (size_t t = 0; t < THREADS; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, make_ids, ids + t * IDS), 0);
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    is_id(ids[0], '7');
    for (size_t i = 1; i < IDS; i++) /* by the millisecond at least */
        assert_true(memcmp(ids[i - 1], ids[i], 13) <= 0);
    qsort(ids, IDS * THREADS, sizeof(*ids), compare_ids);
    for (size_t i = 1; i < IDS * THREADS; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
    free(ids);
}

static void ids_of_version_5_follow_their_parts(void **state)
{
    (void)state;
    char a[WEIR_ID_BYTES], b[WEIR_ID_BYTES], c[WEIR_ID_BYTES];
    const struct weir_bytes one[] = {weir_bytes_str("a"), weir_bytes_str("bc")};
    const struct weir_bytes two[] = {weir_bytes_str("ab"), weir_bytes_str("c")};

    weir_id_v5(one, 2, a);
    weir_id_v5(one, 2, b);
    weir_id_v5(two, 2, c);
    is_id(a, '5');
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    weir_id_v5(one, 1, c);
    assert_string_not_equal(a, c);
}

/* SHA-1 over namespace and length-prefixed parts, worked out with Python's hashlib: changing it would make
 * every repeat of an Idempotency-Key a new request. */
static void ids_of_version_5_never_change(void **state)
{
    (void)state;
    char id[WEIR_ID_BYTES];
    const struct weir_bytes parts[] = {weir_bytes_str("ada"), weir_bytes_str("POST"), WEIR_BYTES_NULL};

    weir_id_v5(parts, 3, id);
    assert_string_equal(id, "d0593cbe-4504-5e04-8d51-07147782578b");
    weir_id_of_record("cluster", "orders", 3, 1207, id);
    assert_string_equal(id, "71b1678c-03fe-5f84-a975-837472a99f21");
}

static void writes_and_reads_positions(void **state)
{
    (void)state;
    char text[WEIR_POSITION_BYTES], topic[WEIR_POSITION_BYTES];
    int32_t partition = -1;
    int64_t offset = -1;

    weir_position_write("acme.orders", 3, INT64_MAX, text);
    assert_string_equal(text, "acme.orders/3/9223372036854775807");
    assert_int_equal(
        weir_position_read(weir_bytes_str(text), topic, sizeof(topic), &partition, &offset, NULL), 0);
    assert_string_equal(topic, "acme.orders");
    assert_int_equal(partition, 3);
    assert_true(offset == INT64_MAX);
}

static void refuses_what_is_no_position(void **state)
{
    (void)state;
    static const char *const literals[] = {"", "orders", "orders/3", "orders/3/", "/3/1", "orders//1",
        "orders/3/-1", "orders/+3/1", "orders/03/1", "orders/3/1/2", "orders/2147483648/1",
        "orders/3/9223372036854775808", "orders/3/1 ", " orders/3/1", "ord\nrs/3/1", "orders/3/0x1",
        "orders/3/99999999999999999999"};
    char topic[32];
    int32_t partition;
    int64_t offset;

    for (size_t i = 0; i < COUNT(literals); i++)
        if (weir_position_read(
                weir_bytes_str(literals[i]), topic, sizeof(topic), &partition, &offset, NULL) == 0)
            fail_msg("%s was taken", literals[i]);
    assert_true(weir_position_read(WEIR_BYTES_NULL, topic, sizeof(topic), &partition, &offset, NULL) < 0);
    assert_true(weir_position_read(weir_bytes_str("a-topic-with-a-name-of-32-bytes-x/0/0"), topic,
                    sizeof(topic), &partition, &offset, NULL) < 0);
}

static const char valid_trace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

static void passes_a_valid_trace_on(void **state)
{
    (void)state;
    char out[WEIR_TRACEPARENT_BYTES], later[80];

    weir_traceparent(weir_bytes_str(valid_trace), out);
    assert_string_equal(out, valid_trace);
    snprintf(later, sizeof(later), "%s-more", valid_trace);
    later[1] = '1';
    weir_traceparent(weir_bytes_str(later), out); /* a later version is cut to what 00 knows */
    assert_string_equal(out, valid_trace);
}

static void begins_a_trace_instead_of_a_bad_one(void **state)
{
    (void)state;
    static const char *const literals[] = {"", "x", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r"};
    char out[WEIR_TRACEPARENT_BYTES], again[WEIR_TRACEPARENT_BYTES];

    for (size_t i = 0; i < COUNT(literals); i++) {
        weir_traceparent(weir_bytes_str(literals[i]), out);
        assert_int_equal(strlen(out), WEIR_TRACEPARENT_BYTES - 1);
        assert_null(strstr(out, "4bf92f35"));
        weir_traceparent(weir_bytes_str(out), again); /* what is begun is valid itself */
        assert_string_equal(out, again);
    }
    weir_traceparent(WEIR_BYTES_NULL, out);
    weir_traceparent(WEIR_BYTES_NULL, again);
    assert_string_not_equal(out, again);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(finds_the_last_header),
    cmocka_unit_test(reads_a_command),
    cmocka_unit_test(a_bare_record_replaces_or_deletes),
    cmocka_unit_test(reads_every_operation),
    cmocka_unit_test(refuses_foreign_and_broken_headers),
    cmocka_unit_test(accepts_a_value_at_the_limit),
    cmocka_unit_test(checks_keys),
    cmocka_unit_test(ids_of_version_7_differ_and_rise),
    cmocka_unit_test(ids_of_version_5_follow_their_parts),
    cmocka_unit_test(ids_of_version_5_never_change),
    cmocka_unit_test(writes_and_reads_positions),
    cmocka_unit_test(refuses_what_is_no_position),
    cmocka_unit_test(passes_a_valid_trace_on),
    cmocka_unit_test(begins_a_trace_instead_of_a_bad_one),
};

WEIR_TEST_MAIN(tests)
