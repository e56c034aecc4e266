/* The plugin inventory without Kafka: events of orders and products, and outcomes of its commands, in;
 * commands out. */
#include "support/test.h"

#include "common/envelope.h"
#include "common/topic.h"

#include <stdlib.h>
#include <unistd.h>
#include <weir/testhost.h>

enum { ORDER_PARTITIONS = 2, PRODUCT_PARTITIONS = 3, ID_BYTES = WEIR_ID_BYTES, VALUE_BYTES = 1024 };
enum { ORDERS, ORDER_OUTCOMES, PRODUCTS, PRODUCT_OUTCOMES };

static const char conf[] =
    "[kafka]\nbootstrap.servers = 127.0.0.1:9\ndev = true\ntopic.prefix = acme.\n"
    "[collection orders]\nkey = orderID\npartitions = 2\n[collection products]\nkey = productID\npartitions "
    "= 3\n"
    "[service keeper]\nplugin = store\ntopics = orders, products\n"
    "[service inventory]\nplugin = inventory\n"
    "topics = orders.changes, orders.keeper.outcomes, products.changes, products.keeper.outcomes\n";

static void open_host(struct weir_testhost **ret_host, const char *text)
{
    char path[] = "/tmp/weir-inventory.XXXXXX";
    struct weir_error err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int rc = weir_testhost_open_service(path, "inventory", ret_host, &err);
    unlink(path);
    if (rc < 0)
        fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    struct weir_testhost *host;
    open_host(&host, conf);
    *state = host;
    return 0;
}

static int tear_down(void **state)
{
    weir_testhost_close(*state);
    return 0;
}

/* ---- records in ---- */

static void feed(struct weir_testhost *host, uint32_t source, const char *key, const char *value)
{
    struct weir_error err = {0};
    const struct weir_record record = {
        .source = source, .key = weir_bytes_str(key), .value = weir_bytes_str(value)};
    if (weir_testhost_feed(host, &record, &err) < 0)
        fail_msg("%s", err.text);
}

/* Into the table, which the real host reads before it hands the record out. */
static void know(struct weir_testhost *host, const char *key, const char *value)
{
    struct weir_error err = {0};
    const struct weir_record record = {.key = weir_bytes_str(key), .value = weir_bytes_str(value)};
    assert_int_equal(weir_testhost_apply(host, 0, &record, 1, &err), 0);
}

static void commit(struct weir_testhost *host)
{
    struct weir_error err = {0};
    assert_int_equal(weir_testhost_commit(host, &err), 0);
}

/* Handled, not committed. */
static void handle(struct weir_testhost *host)
{
    struct weir_error err = {0};
    if (weir_testhost_handle(host, &err) < 0)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < weir_testhost_record_count(host); i++)
        assert_int_equal(weir_testhost_verdict(host, i), WEIR_DONE);
}

static void order_event(struct weir_testhost *host, const char *op, const char *request, const char *after)
{
    char value[VALUE_BYTES];
    snprintf(value, sizeof(value), "{\"op\":\"%s\",\"key\":\"o-1\",\"request\":\"%s\"%s%s}", op, request,
        after != NULL ? ",\"after\":" : "", after != NULL ? after : "");
    know(host, "o-1", value);
    feed(host, ORDERS, "o-1", value);
    handle(host);
}

static void stock_changed(struct weir_testhost *host, const char *sku, const char *request)
{
    char value[VALUE_BYTES];
    snprintf(value, sizeof(value), "{\"op\":\"u\",\"key\":\"%s\",\"request\":\"%s\",\"after\":{\"stock\":1}}",
        sku, request);
    feed(host, PRODUCTS, sku, value);
    handle(host);
}

static void outcome(struct weir_testhost *host, uint32_t source, const char *key, const char *request,
    const char *what, const char *error)
{
    char value[VALUE_BYTES];
    snprintf(value, sizeof(value),
        "{\"request\":\"%s\",\"outcome\":\"%s\",\"error\":\"%s\",\"at\":\"a/0/1\"}", request, what, error);
    feed(host, source, key, value);
    handle(host);
}

/* ---- commands out ---- */

static struct weir_bytes header(const struct weir_testhost_output *output, const char *name)
{
    return weir_header_find(output->headers, output->header_count, name);
}

static void take_id(const struct weir_testhost_output *output, char id[static ID_BYTES])
{
    struct weir_bytes value = header(output, WEIR_HEADER_ID);
    assert_int_equal(value.len, ID_BYTES - 1);
    memcpy(id, value.data, value.len);
    id[value.len] = '\0';
}

/* Output number i is this one, on the partition of its key. */
static void is_adjust(
    struct weir_testhost *host, size_t i, const char *sku, const char *value, char id[static ID_BYTES])
{
    assert_true(i < weir_testhost_output_count(host));
    struct weir_testhost_output output = weir_testhost_output(host, i);
    assert_string_equal(output.topic, "acme.products");
    assert_int_equal(output.partition, weir_topic_partition(weir_bytes_str(sku), PRODUCT_PARTITIONS));
    assert_true(weir_bytes_is(output.key, sku));
    assert_true(weir_bytes_is(output.value, value));
    assert_true(weir_bytes_is(header(&output, WEIR_HEADER_TYPE), "weir.products.adjust"));
    assert_null(header(&output, WEIR_HEADER_IF_MATCH).data);
    take_id(&output, id);
}

static void is_merge(
    struct weir_testhost *host, size_t i, const char *if_match, const char *value, char id[static ID_BYTES])
{
    assert_true(i < weir_testhost_output_count(host));
    struct weir_testhost_output output = weir_testhost_output(host, i);
    assert_string_equal(output.topic, "acme.orders");
    assert_int_equal(output.partition, weir_topic_partition(weir_bytes_str("o-1"), ORDER_PARTITIONS));
    assert_true(weir_bytes_is(output.key, "o-1"));
    if (!weir_bytes_is(output.value, value))
        fail_msg("%.*s", (int)output.value.len, output.value.data);
    assert_true(weir_bytes_is(header(&output, WEIR_HEADER_TYPE), "weir.orders.merge"));
    assert_true(weir_bytes_is(header(&output, WEIR_HEADER_IF_MATCH), if_match));
    take_id(&output, id);
}

static void count_is(struct weir_testhost *host, size_t count)
{
    assert_int_equal(weir_testhost_output_count(host), count);
    commit(host);
}

#define ORDER "{\"orderID\":\"o-1\",\"status\":\"CREATED\",\"items\":" ITEMS "}"
#define ITEMS "[{\"sku\":\"pen\",\"quantity\":2},{\"sku\":\"ink\",\"quantity\":1}]"
#define RESERVATION "\"reservation\":{\"id\":\"r-1\",\"items\":" ITEMS "}"
#define CONFIRMATION "{\"status\":\"CONFIRMED\"," RESERVATION "}"
#define REJECTION "{\"status\":\"REJECTED\",\"reason\":\"out of stock: ink\"}"

/* Up to where the second item is asked for; its command's id. */
static void reserve_both(struct weir_testhost *host, char id[static ID_BYTES])
{
    order_event(host, "c", "r-1", ORDER);
    is_adjust(host, 0, "pen", "{\"stock\":-2}", id);
    count_is(host, 1);
    stock_changed(host, "pen", id);
    is_adjust(host, 0, "ink", "{\"stock\":-1}", id);
    count_is(host, 1);
}

static void confirm(struct weir_testhost *host, char id[static ID_BYTES])
{
    reserve_both(host, id);
    stock_changed(host, "ink", id);
    is_merge(host, 0, "\"r-1\"", CONFIRMATION, id);
    count_is(host, 1);
}

/* ---- cases ---- */

static void items_are_taken_one_by_one(void **state)
{
    char id[ID_BYTES];
    confirm(*state, id);
}

static void a_refused_item_gives_the_others_back(void **state)
{
    char id[ID_BYTES];
    reserve_both(*state, id);
    outcome(*state, PRODUCT_OUTCOMES, "ink", id, "rejected", "minimum");
    is_adjust(*state, 0, "pen", "{\"stock\":2}", id);
    is_merge(*state, 1, "\"r-1\"", REJECTION, id);
    count_is(*state, 2);
}

static void a_step_that_is_taken_again_is_the_same_request(void **state)
{
    char first[ID_BYTES], second[ID_BYTES];
    order_event(*state, "c", "r-1", ORDER);
    is_adjust(*state, 0, "pen", "{\"stock\":-2}", first);
    weir_testhost_abort(*state);
    handle(*state);
    is_adjust(*state, 0, "pen", "{\"stock\":-2}", second);
    count_is(*state, 1);
    assert_string_equal(first, second);
}

static void another_instance_goes_on(void **state)
{
    struct weir_testhost *host = *state;
    char id[ID_BYTES];
    order_event(host, "c", "r-1", ORDER);
    is_adjust(host, 0, "pen", "{\"stock\":-2}", id);
    commit(host);
    weir_testhost_close(host);
    open_host(&host, conf);
    *state = host;
    know(host, "o-1", "{\"op\":\"c\",\"key\":\"o-1\",\"request\":\"r-1\",\"after\":" ORDER "}");
    stock_changed(host, "pen", id);
    is_adjust(host, 0, "ink", "{\"stock\":-1}", id);
    count_is(host, 1);
}

static void what_does_not_concern_it_has_no_effect(void **state)
{
    char id[ID_BYTES];
    confirm(*state, id);
    stock_changed(*state, "pen", "somebody-elses");
    count_is(*state, 0);
    stock_changed(*state, "pen", "018f3c3e-7a2b-5c4d-8e9f-0123456789ab");
    count_is(*state, 0);
    outcome(*state, ORDER_OUTCOMES, "o-1", "somebody-elses", "rejected", "precondition-failed");
    count_is(*state, 0);
    order_event(*state, "u", "r-2", "{\"orderID\":\"o-1\",\"status\":\"CREATED\",\"note\":\"gift\"}");
    count_is(*state, 0);
}

static void a_change_meanwhile_is_looked_at_again(void **state)
{
    char id[ID_BYTES], again[ID_BYTES];
    confirm(*state, id);
    order_event(*state, "u", "r-2", "{\"orderID\":\"o-1\",\"status\":\"PAID\"}");
    count_is(*state, 0);
    outcome(*state, ORDER_OUTCOMES, "o-1", id, "rejected", "precondition-failed");
    is_merge(*state, 0, "\"r-2\"", "{" RESERVATION "}", again);
    count_is(*state, 1);
    assert_string_not_equal(id, again);
}

static void cancelled_on_the_way_an_order_gives_back(void **state)
{
    char id[ID_BYTES];
    reserve_both(*state, id);
    order_event(*state, "u", "r-2", "{\"orderID\":\"o-1\",\"status\":\"CANCELLED\"}");
    count_is(*state, 0);
    stock_changed(*state, "ink", id);
    is_adjust(*state, 0, "pen", "{\"stock\":2}", id);
    is_adjust(*state, 1, "ink", "{\"stock\":1}", id);
    count_is(*state, 2);
}

static void cancelled_while_confirmed_an_order_gives_back(void **state)
{
    char id[ID_BYTES], other[ID_BYTES];
    confirm(*state, id);
    order_event(*state, "u", "r-2", "{\"orderID\":\"o-1\",\"status\":\"CANCELLED\"}");
    count_is(*state, 0);
    outcome(*state, ORDER_OUTCOMES, "o-1", id, "rejected", "precondition-failed");
    is_adjust(*state, 0, "pen", "{\"stock\":2}", other);
    is_adjust(*state, 1, "ink", "{\"stock\":1}", other);
    count_is(*state, 2);
}

static void an_order_that_is_deleted_gives_back_what_it_took(void **state)
{
    char id[ID_BYTES];
    reserve_both(*state, id);
    order_event(*state, "d", "r-2", NULL);
    count_is(*state, 0);
    outcome(*state, PRODUCT_OUTCOMES, "ink", id, "rejected", "minimum");
    is_adjust(*state, 0, "pen", "{\"stock\":2}", id);
    count_is(*state, 1);
}

static void a_new_order_of_the_same_key_is_another_one(void **state)
{
    char first[ID_BYTES], second[ID_BYTES];
    reserve_both(*state, first);
    order_event(*state, "d", "r-2", NULL);
    count_is(*state, 0);
    order_event(*state, "c", "r-3", ORDER);
    is_adjust(*state, 0, "pen", "{\"stock\":-2}", second);
    count_is(*state, 1);
    stock_changed(*state, "ink", first); /* the old one's second item */
    is_adjust(*state, 0, "pen", "{\"stock\":2}", first);
    is_adjust(*state, 1, "ink", "{\"stock\":1}", first);
    count_is(*state, 2);
    stock_changed(*state, "pen", second);
    is_adjust(*state, 0, "ink", "{\"stock\":-1}", second);
    count_is(*state, 1);
}

static void a_confirmed_order_that_is_cancelled_gives_back_once(void **state)
{
    static const char cancelled[] = "{\"orderID\":\"o-1\",\"status\":\"CANCELLED\"," RESERVATION "}";
    char id[ID_BYTES], pen[2][ID_BYTES], ink[2][ID_BYTES];
    confirm(*state, id);
    order_event(*state, "u", id, "{\"orderID\":\"o-1\",\"status\":\"CONFIRMED\"," RESERVATION "}");
    count_is(*state, 0);
    for (int i = 0; i < 2; i++) { /* told twice, the same requests: the store carries them out once */
        order_event(*state, "u", i == 0 ? "r-3" : "r-4", cancelled);
        is_adjust(*state, 0, "pen", "{\"stock\":2}", pen[i]);
        is_adjust(*state, 1, "ink", "{\"stock\":1}", ink[i]);
        is_merge(*state, 2, "*", "{\"reservation\":null}", id);
        count_is(*state, 3);
    }
    assert_string_equal(pen[0], pen[1]);
    assert_string_equal(ink[0], ink[1]);
    order_event(*state, "u", "r-5", "{\"orderID\":\"o-1\",\"status\":\"CANCELLED\"}");
    count_is(*state, 0);
}

static void a_dead_letter_is_waited_for(void **state)
{
    char id[ID_BYTES];
    reserve_both(*state, id);
    outcome(*state, PRODUCT_OUTCOMES, "ink", id, "dead-lettered", "invalid");
    count_is(*state, 0);
    stock_changed(*state, "ink", id); /* driven again */
    is_merge(*state, 0, "\"r-1\"", CONFIRMATION, id);
    count_is(*state, 1);
}

static void a_reservation_of_a_clients_own_is_none(void **state)
{
    char id[ID_BYTES];
    order_event(*state, "c", "r-1", "{\"orderID\":\"o-1\",\"status\":\"CANCELLED\"," RESERVATION "}");
    is_merge(*state, 0, "*", "{\"reservation\":null}", id);
    count_is(*state, 1);
}

static void an_order_without_items_is_nobodys_business(void **state)
{
    order_event(*state, "c", "r-1", "{\"orderID\":\"o-1\",\"total\":1}");
    count_is(*state, 0);
}

static void items_that_make_no_sense_are_a_dead_letter(void **state)
{
    static const char *const items[] = {"[{\"sku\":\"pen\",\"quantity\":-5}]",
        "[{\"sku\":\"pen\",\"quantity\":0}]", "[{\"sku\":\"pen\",\"quantity\":1.5}]", "[{\"sku\":\"pen\"}]",
        "[{\"quantity\":1}]", "[1]", "{}", "[{\"sku\":\"\",\"quantity\":1}]"};
    struct weir_error err = {0};
    for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
        char value[VALUE_BYTES];
        snprintf(value, sizeof(value), "{\"op\":\"c\",\"request\":\"r-%zu\",\"after\":{\"items\":%s}}", i,
            items[i]);
        know(*state, "o-1", value);
        feed(*state, ORDERS, "o-1", value);
        assert_int_equal(weir_testhost_handle(*state, &err), 0);
        assert_int_equal(weir_testhost_verdict(*state, 0), WEIR_REJECT);
        assert_non_null(strstr(weir_testhost_reason(*state, 0)->text, "/items"));
        count_is(*state, 0);
    }
}

static void a_republished_order_takes_nothing(void **state)
{
    struct weir_error err = {0};
    static const char value[] = "{\"op\":\"c\",\"request\":\"r-1\",\"after\":" ORDER "}";
    const struct weir_header reason = {WEIR_HEADER_REASON, {"republish", 9}};
    know(*state, "o-1", value);
    assert_int_equal(weir_testhost_feed(*state,
                         &(struct weir_record){.key = weir_bytes_str("o-1"),
                             .value = weir_bytes_str(value),
                             .headers = &reason,
                             .header_count = 1},
                         &err),
        0);
    handle(*state);
    count_is(*state, 0);
}

static void topics_that_it_needs_are_asked_for(void **state)
{
    struct weir_testhost *host;
    struct weir_error err = {0};
    char path[] = "/tmp/weir-inventory.XXXXXX", text[sizeof(conf)];
    (void)state;
    memcpy(text, conf, sizeof(conf));
    *strstr(text, ", products.keeper.outcomes\n") = '\0';
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(weir_testhost_open_service(path, "inventory", &host, &err), WEIR_E_CONFIG);
    unlink(path);
    assert_non_null(strstr(err.text, "acme.products.keeper.outcomes"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(items_are_taken_one_by_one, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_refused_item_gives_the_others_back, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_step_that_is_taken_again_is_the_same_request, set_up, tear_down),
    cmocka_unit_test_setup_teardown(another_instance_goes_on, set_up, tear_down),
    cmocka_unit_test_setup_teardown(what_does_not_concern_it_has_no_effect, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_change_meanwhile_is_looked_at_again, set_up, tear_down),
    cmocka_unit_test_setup_teardown(cancelled_on_the_way_an_order_gives_back, set_up, tear_down),
    cmocka_unit_test_setup_teardown(cancelled_while_confirmed_an_order_gives_back, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_order_that_is_deleted_gives_back_what_it_took, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_new_order_of_the_same_key_is_another_one, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_confirmed_order_that_is_cancelled_gives_back_once, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_dead_letter_is_waited_for, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_reservation_of_a_clients_own_is_none, set_up, tear_down),
    cmocka_unit_test_setup_teardown(an_order_without_items_is_nobodys_business, set_up, tear_down),
    cmocka_unit_test_setup_teardown(items_that_make_no_sense_are_a_dead_letter, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_republished_order_takes_nothing, set_up, tear_down),
    cmocka_unit_test(topics_that_it_needs_are_asked_for),
};
WEIR_TEST_MAIN(tests)
