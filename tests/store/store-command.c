/* What each command does to a document, told as a table. */
#include "common/topic.h"
#include "consumers/plugins/store/command.h"
#include "support/test.h"

static const struct weir_minimum minimums[] = {
    {"/stock", {0, 0}, false}, {"/credit/limit", {-10050, 2}, false}, {"/rest", {0, 0}, true}};
static struct weir_rules rules = {"orders", "orderID", NULL, 6, minimums, 3};

struct row {
    enum weir_operation operation;
    const char *current; /* NULL: no document; else of version 4, last changed by request "before" */
    const char *body, *if_match, *if_none_match;
    enum weir_effect_kind kind;
    const char *document; /* expected text */
    const char *error;    /* expected error, or disposition and error type with a slash between */
};

#define CREATE WEIR_OPERATION_CREATE
#define REPLACE WEIR_OPERATION_REPLACE
#define MERGE WEIR_OPERATION_MERGE
#define DELETE WEIR_OPERATION_DELETE
#define ADJUST WEIR_OPERATION_ADJUST

static struct weir_effect apply(const struct row *row, const char *request, struct weir_buffer *scratch)
{
    struct weir_effect effect;
    struct weir_command command = {.operation = row->operation,
        .request = weir_bytes_str(request),
        .if_match = weir_bytes_str(row->if_match),
        .if_none_match = weir_bytes_str(row->if_none_match)};
    struct weir_document current = {4, 1000, weir_bytes_str("before"), weir_bytes_str(row->current)};

    assert_int_equal(weir_command_apply(&rules, &command, weir_bytes_str("o-1"), weir_bytes_str(row->body),
                         row->current != NULL ? &current : NULL, scratch, &effect),
        0);
    return effect;
}

static void check_row(const struct row *row)
{
    WEIR_CLEANUP(buffer) struct weir_buffer scratch = {0};
    char error[64] = "";

    struct weir_effect effect = apply(row, "now", &scratch);
    if (effect.kind == WEIR_EFFECT_REFUSED)
        snprintf(error, sizeof(error), "%s/%s", effect.disposition, effect.error_type);
    else if (effect.error != NULL)
        snprintf(error, sizeof(error), "%s", effect.error);
    if (effect.kind != row->kind || strcmp(error, row->error != NULL ? row->error : "") != 0)
        fail_msg("%s of %s over %s: %s %s %s", weir_operation_name(row->operation), row->body, row->current,
            weir_effect_name(effect.kind), error, effect.kind == WEIR_EFFECT_REFUSED ? effect.why.text : "");
    if (row->document != NULL && !weir_bytes_is(effect.document, row->document))
        fail_msg("%s of %s: %.*s, not %s", weir_operation_name(row->operation), row->body,
            (int)effect.document.len, effect.document.data, row->document);
    if (row->document != NULL || row->kind == WEIR_EFFECT_DELETED)
        assert_int_equal(effect.version, row->current != NULL ? 5 : 1);
}

#define CHECK(rows)                                                                                          \
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)                                              \
    check_row(&rows[i])

static void create_keeps_the_bytes(void **state)
{
    static const struct row rows[] = {
        {CREATE, NULL, " {\"orderID\" : \"o-1\",\"total\":19.99}\n", .kind = WEIR_EFFECT_CREATED,
            .document = " {\"orderID\" : \"o-1\",\"total\":19.99}\n"},
        {CREATE, NULL, "{\"total\":1e2, \"n\":-0}", .kind = WEIR_EFFECT_CREATED,
            .document = "{\"orderID\":\"o-1\",\"total\":1e2, \"n\":-0}"},
        {CREATE, NULL, "{}", .kind = WEIR_EFFECT_CREATED, .document = "{\"orderID\":\"o-1\"}"},
        {CREATE, "{\"orderID\":\"o-1\"}", "{\"total\":1}", .kind = WEIR_EFFECT_REJECTED,
            .error = "already-exists"},
    };
    (void)state;
    CHECK(rows);
}

static void texts_become_documents_where_they_may(void **state)
{
    static const struct row texts[] = {
        {CREATE, NULL, "Hello \"from\" SQS!\n", .kind = WEIR_EFFECT_CREATED,
            .document = "{\"orderID\":\"o-1\",\"order\":\"Hello \\\"from\\\" SQS!\\n\"}"},
        {CREATE, NULL, "", .kind = WEIR_EFFECT_CREATED, .document = "{\"orderID\":\"o-1\",\"order\":\"\"}"},
        {REPLACE, "{\"orderID\":\"o-1\"}", "[1]", .kind = WEIR_EFFECT_UPDATED,
            .document = "{\"orderID\":\"o-1\",\"order\":\"[1]\"}"},
        {CREATE, NULL, "{\"total\":1}", .kind = WEIR_EFFECT_CREATED,
            .document = "{\"orderID\":\"o-1\",\"total\":1}"},
        {CREATE, "{\"orderID\":\"o-1\"}", "text", .kind = WEIR_EFFECT_REJECTED, .error = "already-exists"},
        {CREATE, NULL, "caf\xe9", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/text"},
        {CREATE, NULL, "{\"orderID\":\"o-2\"}", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/key"},
        {MERGE, NULL, "text", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
        {ADJUST, "{\"orderID\":\"o-1\"}", "text", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
    };
    static const struct row elsewhere[] = {
        {CREATE, NULL, "text", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"}};
    (void)state;
    rules.text_member = "order";
    CHECK(texts);
    rules.text_member = NULL;
    CHECK(elsewhere);
}

static void replace_is_an_upsert(void **state)
{
    static const struct row rows[] = {
        {REPLACE, NULL, "{\"orderID\":\"o-1\"}", .kind = WEIR_EFFECT_CREATED,
            .document = "{\"orderID\":\"o-1\"}"},
        {REPLACE, "{\"orderID\":\"o-1\",\"old\":1}", "{\"new\":19.990}", .kind = WEIR_EFFECT_UPDATED,
            .document = "{\"orderID\":\"o-1\",\"new\":19.990}"},
    };
    (void)state;
    CHECK(rows);
}

static void merge_follows_rfc_7396(void **state)
{
    static const struct row rows[] = {
        {MERGE, "{\"orderID\":\"o-1\",\"a\":1.50,\"b\":{\"c\":1}}", "{\"b\":{\"c\":null,\"d\":2}}",
            .kind = WEIR_EFFECT_UPDATED, .document = "{\"orderID\":\"o-1\",\"a\":1.50,\"b\":{\"d\":2}}"},
        {MERGE, "{\"orderID\":\"o-1\",\"a\":1}", "{\"a\":null}", .kind = WEIR_EFFECT_UPDATED,
            .document = "{\"orderID\":\"o-1\"}"},
        {MERGE, NULL, "{\"a\":1}", .kind = WEIR_EFFECT_CREATED, .document = "{\"orderID\":\"o-1\",\"a\":1}"},
        {MERGE, "{\"orderID\":\"o-1\"}", "{\"orderID\":\"o-1\"}", .kind = WEIR_EFFECT_UPDATED,
            .document = "{\"orderID\":\"o-1\"}"},
        {MERGE, "{\"orderID\":\"o-1\"}", "{\"orderID\":null}", .kind = WEIR_EFFECT_REFUSED,
            .error = "invalid/key"},
        {MERGE, "{\"orderID\":\"o-1\"}", "[1]", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
    };
    (void)state;
    CHECK(rows);
}

static void merge_keeps_what_it_leaves_alone(void **state)
{
    static const struct row rows[] = {
        {MERGE, " {\"orderID\" :\"o-1\", \"a\": 19.990 ,\"b\":1E+2,\"c\":\"\\u00e9\",\"n\":-0.0}\n",
            "{\"a2\":1}", .kind = WEIR_EFFECT_UPDATED,
            .document =
                "{\"orderID\" :\"o-1\", \"a\": 19.990 ,\"b\":1E+2,\"c\":\"\\u00e9\",\"n\":-0.0,\"a2\":1}"},
    };
    (void)state;
    CHECK(rows);
}

#define O_1(members) "{\"orderID\":\"o-1\"," members "}"

static void adjust_adds_exactly(void **state)
{
    static const struct row rows[] = {
        {ADJUST, O_1("\"stock\":5"), "{\"stock\":-2}", .kind = WEIR_EFFECT_UPDATED,
            .document = O_1("\"stock\":3")},
        {ADJUST, O_1("\"total\": 19.99 ,\"b\":1e2"), "{\"total\":0.01}", .kind = WEIR_EFFECT_UPDATED,
            .document = O_1("\"total\": 20.00 ,\"b\":1e2")},
        {ADJUST, O_1("\"a\":0.1,\"b\":{\"c\":-1,\"d\":7}"), " {\"b\": {\"c\":1.50}, \"a\": 0.2 }\n",
            .kind = WEIR_EFFECT_UPDATED, .document = O_1("\"a\":0.3,\"b\":{\"c\":0.50,\"d\":7}")},
        {ADJUST, O_1("\"a/b~\":1"), "{\"a\\u002fb~\":1}", .kind = WEIR_EFFECT_UPDATED,
            .document = O_1("\"a/b~\":2")},
        {ADJUST, O_1("\"a\":1"), "{}", .kind = WEIR_EFFECT_UPDATED, .document = O_1("\"a\":1")},
        {ADJUST, O_1("\"a\":1"), "{\"a\":1}", "\"other\"", NULL, WEIR_EFFECT_REJECTED, NULL,
            "precondition-failed"},
        {ADJUST, NULL, "{\"a\":1}", .kind = WEIR_EFFECT_REJECTED, .error = "not-found"},
    };
    (void)state;
    CHECK(rows);
}

static void adjust_stops_at_a_minimum(void **state)
{
    static const struct row rows[] = {
        {ADJUST, O_1("\"stock\":2"), "{\"stock\":-2}", .kind = WEIR_EFFECT_UPDATED,
            .document = O_1("\"stock\":0")},
        {ADJUST, O_1("\"stock\":2"), "{\"stock\":-2.01}", .kind = WEIR_EFFECT_REJECTED, .error = "minimum"},
        {ADJUST, O_1("\"rest\":2"), "{\"rest\":-2}", .kind = WEIR_EFFECT_REJECTED, .error = "minimum"},
        {ADJUST, O_1("\"credit\":{\"limit\":0}"), "{\"credit\":{\"limit\":-100.5}}",
            .kind = WEIR_EFFECT_UPDATED, .document = O_1("\"credit\":{\"limit\":-100.5}")},
        {ADJUST, O_1("\"credit\":{\"limit\":0}"), "{\"credit\":{\"limit\":-1.0051e2}}",
            .kind = WEIR_EFFECT_REJECTED, .error = "minimum"},
    };
    (void)state;
    CHECK(rows);
}

static void adjust_refuses_by_pointer(void **state)
{
    static const struct {
        const char *current, *body, *pointer, *why;
    } rows[] = {
        {O_1("\"a\":1"), "{\"a\":\"1\"}", "\"/a\"", "only numbers"},
        {O_1("\"a\":1"), "{\"orderID\":\"o-1\"}", "\"/orderID\"", "only numbers"},
        {O_1("\"a\":[1]"), "{\"a\":1}", "\"/a\"", "something else than a number"},
        {O_1("\"a\":1"), "{\"b\":1}", "\"/b\"", "nothing there"},
        {O_1("\"a\":{\"x/y\":null}"), "{\"a\":{\"x/y\":1}}", "\"/a/x~1y\"", "something else"},
        {O_1("\"a\":1"), "{\"a\":{\"b\":1}}", "\"/a\"", "something else than an object"},
        {O_1("\"a\":9223372036854775807"), "{\"a\":1}", "\"/a\"", "beyond 64 bits"},
        {O_1("\"a\":1"), "{\"a\":1e-40}", "\"/a\"", "more than 34 digits"},
        {O_1("\"a\":1"), "{\"a\":9223372036854775808}", "\"/a\"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer scratch = {0};
        struct row row = {ADJUST, rows[i].current, rows[i].body};
        struct weir_effect effect = apply(&row, "now", &scratch);
        assert_int_equal(effect.kind, WEIR_EFFECT_REFUSED);
        if (strstr(effect.why.text, rows[i].pointer) == NULL || strstr(effect.why.text, rows[i].why) == NULL)
            fail_msg("%s: %s", rows[i].body, effect.why.text);
    }
}

static void delete_of_nothing_is_unchanged(void **state)
{
    static const struct row rows[] = {
        {DELETE, "{\"orderID\":\"o-1\"}", NULL, .kind = WEIR_EFFECT_DELETED},
        {DELETE, NULL, NULL, .kind = WEIR_EFFECT_UNCHANGED},
        {DELETE, "{\"orderID\":\"o-1\"}", "not looked at", .kind = WEIR_EFFECT_DELETED},
    };
    (void)state;
    CHECK(rows);
}

static void bodies_that_are_no_documents_are_refused(void **state)
{
    static const struct row rows[] = {
        {CREATE, NULL, NULL, .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
        {REPLACE, NULL, "", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
        {REPLACE, NULL, "{\"a\":1", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
        {REPLACE, NULL, "{\"a\":1,\"a\":2}", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
        {REPLACE, NULL, "{\"a\":\"\\u0000\"}", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
        {REPLACE, NULL, "{\"a\":\"\xff\"}", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
        {REPLACE, NULL, "\"text\"", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
        {REPLACE, NULL, "{\"orderID\":\"o-2\"}", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/key"},
        {REPLACE, NULL, "{\"orderID\":1}", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/key"},
        {CREATE, "{\"orderID\":\"o-1\"}", "{\"orderID\":\"\"}", .kind = WEIR_EFFECT_REFUSED,
            .error = "invalid/key"},
        {MERGE, "{\"orderID\":\"o-1\"}", "{\"a\":{\"b\":9223372036854775808}}", .kind = WEIR_EFFECT_REFUSED,
            .error = "invalid/json"},
        {ADJUST, "{\"orderID\":\"o-1\"}", "{\"a\":", .kind = WEIR_EFFECT_REFUSED, .error = "invalid/json"},
    };
    (void)state;
    CHECK(rows);
}

static void reason_names_the_position(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer scratch = {0};
    struct row row = {REPLACE, .body = "{\"items\":[1,2,x]}"};

    (void)state;
    struct weir_effect effect = apply(&row, "now", &scratch);
    if (strstr(effect.why.text, "byte 15") == NULL || strstr(effect.why.text, "/items/2") == NULL)
        fail_msg("%s", effect.why.text);
    row.body = "{\"orderID\":\"o-2\"}";
    effect = apply(&row, "now", &scratch);
    assert_non_null(strstr(effect.why.text, "/orderID"));
}

static void conditions_are_judged_here(void **state)
{
    static const struct row rows[] = {
        {REPLACE, "{}", "{}", "\"before\"", NULL, WEIR_EFFECT_UPDATED, "{\"orderID\":\"o-1\"}", NULL},
        {REPLACE, "{}", "{}", "\"other\"", NULL, WEIR_EFFECT_REJECTED, NULL, "precondition-failed"},
        {REPLACE, NULL, "{}", "*", NULL, WEIR_EFFECT_REJECTED, NULL, "precondition-failed"},
        {REPLACE, "{}", "{}", NULL, "*", WEIR_EFFECT_REJECTED, NULL, "precondition-failed"},
        {REPLACE, NULL, "{}", NULL, "*", WEIR_EFFECT_CREATED, "{\"orderID\":\"o-1\"}", NULL},
        {DELETE, "{}", NULL, "\"other\"", NULL, WEIR_EFFECT_REJECTED, NULL, "precondition-failed"},
        {DELETE, NULL, NULL, "\"other\"", NULL, WEIR_EFFECT_REJECTED, NULL, "precondition-failed"},
        {MERGE, "{}", "{", "\"other\"", NULL, WEIR_EFFECT_REFUSED, NULL, "invalid/json"},
    };
    (void)state;
    CHECK(rows);
}

static void same_request_twice_is_unchanged(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer scratch = {0};
    const struct row row = {CREATE, .current = "{\"orderID\":\"o-1\"}", .body = "{}"};

    (void)state;
    assert_int_equal(apply(&row, "before", &scratch).kind, WEIR_EFFECT_UNCHANGED);
    assert_int_equal(apply(&row, "now", &scratch).kind, WEIR_EFFECT_REJECTED);
}

static void keys_are_checked(void **state)
{
    struct weir_effect effect;
    char long_key[WEIR_KEY_BYTES + 2];

    (void)state;
    memset(long_key, 'k', sizeof(long_key));
    struct weir_bytes longest = weir_bytes(long_key, WEIR_KEY_BYTES),
                      longer = weir_bytes(long_key, sizeof(long_key));
    assert_int_equal(weir_command_check_key(&rules, longest, weir_topic_partition(longest, 6), &effect), 0);
    assert_int_equal(
        weir_command_check_key(&rules, longer, weir_topic_partition(longer, 6), &effect), WEIR_E_INVALID);
    assert_string_equal(effect.disposition, "invalid");
    assert_int_equal(weir_command_check_key(&rules, WEIR_BYTES_NULL, 0, &effect), WEIR_E_INVALID);
    assert_string_equal(effect.disposition, "invalid");
    struct weir_bytes key = weir_bytes_str("o-1");
    assert_int_equal(
        weir_command_check_key(&rules, key, (weir_topic_partition(key, 6) + 1) % 6, &effect), WEIR_E_INVALID);
    assert_string_equal(effect.disposition, "wrong-partition");
}

static void request_ids_fit_an_etag(void **state)
{
    static const char *const good[] = {"0198", "a/b:c\\d", "~"}, *const bad[] = {
                                                                     "", "a b", "a\"b", "\xc3\xa4", "a\x7f"};
    struct weir_effect effect;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(weir_command_check_request(weir_bytes_str(good[i]), &effect), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(weir_command_check_request(weir_bytes_str(bad[i]), &effect), WEIR_E_INVALID);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(create_keeps_the_bytes),
    cmocka_unit_test(texts_become_documents_where_they_may),
    cmocka_unit_test(replace_is_an_upsert),
    cmocka_unit_test(merge_follows_rfc_7396),
    cmocka_unit_test(merge_keeps_what_it_leaves_alone),
    cmocka_unit_test(adjust_adds_exactly),
    cmocka_unit_test(adjust_stops_at_a_minimum),
    cmocka_unit_test(adjust_refuses_by_pointer),
    cmocka_unit_test(delete_of_nothing_is_unchanged),
    cmocka_unit_test(bodies_that_are_no_documents_are_refused),
    cmocka_unit_test(reason_names_the_position),
    cmocka_unit_test(conditions_are_judged_here),
    cmocka_unit_test(same_request_twice_is_unchanged),
    cmocka_unit_test(keys_are_checked),
    cmocka_unit_test(request_ids_fit_an_etag),
};
WEIR_TEST_MAIN(tests)
