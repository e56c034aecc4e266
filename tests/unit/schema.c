#include "common/schema.h"

#include "common/json.h"
#include "support/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The program is linked so that what common/ allocates is counted. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
static atomic_size_t allocations;

void *__wrap_malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __real_realloc(memory, size);
}

static struct weir_schema *compile(const char *text, bool formats)
{
    struct weir_schema *schema = NULL;
    struct weir_error err;
    if (weir_schema_parse("s.json", weir_bytes_str(text), formats, &schema, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return schema;
}

static json_t *parse(const char *text)
{
    struct weir_error err;
    json_t *value = NULL;
    if (weir_json_parse(weir_bytes_str(text), &value, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return value;
}

struct verdict {
    const char *schema, *value;
    bool valid;
};

static void check_verdicts(const struct verdict *rows, size_t count, bool formats)
{
    for (size_t i = 0; i < count; i++) {
        WEIR_CLEANUP(schema) struct weir_schema *schema = compile(rows[i].schema, formats);
        WEIR_CLEANUP(json) json_t *value = parse(rows[i].value);
        if (weir_schema_validate(schema, value, NULL) != rows[i].valid)
            fail_msg(
                "%s is %s against %s", rows[i].value, rows[i].valid ? "refused" : "taken", rows[i].schema);
    }
}

#define CHECK_VERDICTS(rows, formats) check_verdicts(rows, sizeof(rows) / sizeof((rows)[0]), formats)

/* What a double can't hold is not what its author wrote. */
static void multiples_of_decimals(void **state)
{
    (void)state;
    static const struct verdict rows[] = {
        {"{\"multipleOf\":0.01}", "19.99", true},
        {"{\"multipleOf\":0.01}", "19.990", true},
        {"{\"multipleOf\":0.01}", "-0.07", true},
        {"{\"multipleOf\":0.01}", "4.35", true},
        {"{\"multipleOf\":0.01}", "1.005", false},
        {"{\"multipleOf\":0.01}", "19.990000000000002", false},
        {"{\"multipleOf\":0.01}", "90071992547409.93", true},
        {"{\"multipleOf\":0.01}", "9007199254740993", true},
        {"{\"multipleOf\":0.01}", "1e300", true},
        {"{\"multipleOf\":0.1}", "0.3", true},
        {"{\"multipleOf\":0.3}", "0.9", true},
        {"{\"multipleOf\":0.3}", "1", false},
        {"{\"multipleOf\":0.0001}", "0.0075", true},
        {"{\"multipleOf\":1e-30}", "3e-30", true},
        {"{\"multipleOf\":1e-30}", "3.5e-30", false},
        {"{\"multipleOf\":2e20}", "4e20", true},
        {"{\"multipleOf\":2e20}", "5e20", false},
        {"{\"multipleOf\":7}", "9223372036854775807", true},
        {"{\"multipleOf\":7}", "9223372036854775806", false},
        {"{\"multipleOf\":7}", "-9223372036854775808", false},
        {"{\"multipleOf\":2}", "9007199254740993", false},
        {"{\"multipleOf\":0.5}", "0", true},
        {"{\"multipleOf\":0.5}", "-0.0", true},
    };
    CHECK_VERDICTS(rows, false);
}

static void limits_beyond_the_doubles(void **state)
{
    (void)state;
    static const struct verdict rows[] = {
        {"{\"maximum\":9007199254740992}", "9007199254740993", false},
        {"{\"maximum\":9007199254740992.0}", "9007199254740993", false},
        {"{\"minimum\":9007199254740993}", "9007199254740992.0", false},
        {"{\"exclusiveMaximum\":9223372036854775807}", "9223372036854775807", false},
        {"{\"maximum\":1e19}", "9223372036854775807", true},
        {"{\"minimum\":-1e19}", "-9223372036854775808", true},
        {"{\"minimum\":-1.5}", "-1", true},
        {"{\"minimum\":-1.5}", "-2", false},
        {"{\"const\":9007199254740993}", "9007199254740992.0", false},
        {"{\"const\":1}", "1.0", true},
        {"{\"enum\":[{\"a\":[1.0]}]}", "{\"a\":[1]}", true},
        {"{\"enum\":[true,null,\"x\"]}", "1", false},
        {"{\"uniqueItems\":true}", "[1,1.0]", false},
        {"{\"uniqueItems\":true}", "[[1],[true],[\"1\"],[null],[0],[false]]", true},
        {"{\"type\":\"integer\"}", "1e300", true},
        {"{\"type\":\"integer\"}", "1.5", false},
    };
    CHECK_VERDICTS(rows, false);
}

/* Beyond a few items another way is taken. */
static void many_unique_items(void **state)
{
    (void)state;
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile("{\"uniqueItems\":true}", false);
    WEIR_CLEANUP(json) json_t *array = json_array();
    for (json_int_t i = 0; i < 50000; i++)
        json_array_append_new(array, json_pack("{s:I,s:s}", "n", ((json_int_t)1 << 60) + i, "text", "x"));
    assert_true(weir_schema_validate(schema, array, NULL));
    json_array_append_new(array, json_pack("{s:s,s:I}", "text", "x", "n", ((json_int_t)1 << 60) + 777));
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    assert_false(weir_schema_validate(schema, array, &violations));
    assert_string_equal(
        violations.list[0].detail, "has to have no two items alike, and items 777 and 50000 are");
}

static const char order_schema[] =
    "{\"type\":\"object\",\"required\":[\"orderID\",\"items\"],\"additionalProperties\":false,\"properties\":"
    "{"
    "\"orderID\":{\"type\":\"string\",\"maxLength\":4,\"pattern\":\"^[a-z0-9-]+$\"},"
    "\"status\":{\"enum\":[\"NEW\",\"PAID\"]},\"total\":{\"type\":[\"number\",\"null\"],\"minimum\":0.5},"
    "\"a/b~c\":{\"type\":\"boolean\"},"
    "\"items\":{\"type\":\"array\",\"minItems\":1,\"items\":{\"type\":\"object\",\"required\":[\"sku\"],"
    "\"properties\":{\"quantity\":{\"type\":\"integer\"}}}}}}";

struct expected {
    const char *pointer, *detail;
};

static void check_violations(
    const char *schema_text, const char *text, const struct expected *wanted, size_t count)
{
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile(schema_text, false);
    WEIR_CLEANUP(json) json_t *value = parse(text);
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    assert_false(weir_schema_validate(schema, value, &violations));
    for (size_t i = 0; i < count && i < violations.count; i++) {
        assert_string_equal(violations.list[i].pointer, wanted[i].pointer);
        assert_string_equal(violations.list[i].detail, wanted[i].detail);
    }
    assert_int_equal(violations.count, count);
    assert_false(violations.more);
}

static void every_violation_with_its_place(void **state)
{
    (void)state;
    static const struct expected wanted[] = {
        {"/orderID", "has to have at most 4 characters, and has 5"},
        {"/orderID", "has to match ^[a-z0-9-]+$"},
        {"/status", "has to be one of \"NEW\", \"PAID\""},
        {"/total", "has to be at least 0.5"},
        {"/a~1b~0c", "has to be true or false, not null"},
        {"/items/0", "lacks the member sku"},
        {"/items/1/quantity", "has to be an integer, not a number"},
        {"/items/2", "has to be an object, not a string"},
        {"/more", "is not allowed here"},
    };
    check_violations(order_schema,
        "{\"orderID\":\"O_\u00e9\u00e9\u00e9\",\"status\":\"paid\",\"total\":0.25,\"a/b~c\":null,"
        "\"items\":[{},{\"sku\":\"x\",\"quantity\":1.5},\"s\"],\"more\":{}}",
        wanted, sizeof(wanted) / sizeof(wanted[0]));
}

static void violations_of_the_whole_document(void **state)
{
    (void)state;
    static const struct expected missing[] = {
        {"", "lacks the member orderID"}, {"", "lacks the member items"}};
    static const struct expected kind[] = {{"", "has to be an object, not an array"}};
    static const struct expected total[] = {{"/total", "has to be null or a number, not a string"}};
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile(order_schema, false);
    WEIR_CLEANUP(json) json_t *value = parse("{}");
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    assert_false(weir_schema_validate(schema, value, &violations));
    assert_int_equal(violations.count, 2); /* in the order of the table, whichever that is */
    assert_true(strcmp(violations.list[0].detail, missing[0].detail) == 0 ||
                strcmp(violations.list[0].detail, missing[1].detail) == 0);
    check_violations(order_schema, "[]", kind, 1);
    check_violations(order_schema, "{\"orderID\":\"o\",\"items\":[{\"sku\":1}],\"total\":\"1\"}", total, 1);
}

static void violations_of_combinations(void **state)
{
    (void)state;
    static const struct expected nullable[] = {{"/a", "has to be at least 3"}};
    static const struct expected none[] = {{"", "matches none of the 2 schemas of anyOf"}};
    static const struct expected two[] = {
        {"", "matches the schemas 0 and 1 of oneOf, and has to match only one"}};
    static const struct expected not_it[] = {{"", "is what `not` excludes"}};
    static const struct expected contains[] = {
        {"", "has to have at least 2 items as `contains` says, and has 1"}};
    static const struct expected dependent[] = {{"", "lacks the member b, which it has to have with a"}};
    static const struct expected name[] = {{"/toolong", "has a name that is not allowed here"}};
    static const struct expected constant[] = {{"", "has to be {\"a\":1}"}};
    check_violations(
        "{\"properties\":{\"a\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"integer\",\"minimum\":3}]}}}",
        "{\"a\":2}", nullable, 1);
    check_violations("{\"anyOf\":[{\"minimum\":5},{\"multipleOf\":2}]}", "3", none, 1);
    check_violations("{\"oneOf\":[{\"minimum\":5},{\"multipleOf\":2}]}", "8", two, 1);
    check_violations("{\"not\":{\"minimum\":5}}", "8", not_it, 1);
    check_violations("{\"contains\":{\"minimum\":5},\"minContains\":2}", "[1,8]", contains, 1);
    check_violations("{\"dependentRequired\":{\"a\":[\"b\"]}}", "{\"a\":8}", dependent, 1);
    check_violations("{\"propertyNames\":{\"maxLength\":3}}", "{\"abc\":1,\"toolong\":8}", name, 1);
    check_violations("{\"const\":{\"a\":1}}", "{\"a\":2}", constant, 1);
}

static void violations_are_bounded(void **state)
{
    (void)state;
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile("{\"additionalProperties\":false}", false);
    WEIR_CLEANUP(json) json_t *value = json_object();
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    char name[600];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "%0500d", i);
        json_object_set_new(value, name, json_null());
    }
    assert_false(weir_schema_validate(schema, value, &violations));
    assert_int_equal(violations.count, WEIR_SCHEMA_VIOLATIONS_MAX);
    assert_true(violations.more);
    assert_string_equal(violations.list[0].pointer, ""); /* the name does not fit: its object is named */
}

static void details_end_with_whole_characters(void **state)
{
    (void)state;
    char text[700] = "{\"pattern\":\"";
    for (int i = 0; i < 200; i++)
        strcat(text, "\u20ac");
    strcat(text, "\"}");
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile(text, false);
    WEIR_CLEANUP(json) json_t *value = parse("\"x\"");
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    assert_false(weir_schema_validate(schema, value, &violations));
    assert_true(weir_utf8_valid(weir_bytes_str(violations.list[0].detail)));
}

struct refusal {
    const char *schema, *text;
};

/* Every broken schema is refused with its place and the reason. */
static void broken_schemas(void **state)
{
    (void)state;
    static const struct refusal rows[] = {
        {"", "s.json: invalid JSON: empty"},
        {"{\"type\":\"object\",}", "s.json: invalid JSON at byte 18"},
        {"[]", "s.json: \"\": has to be a schema: an object, true or false"},
        {"{\"properties\":{\"a\":{\"minimun\":1}}}",
            "s.json: \"/properties/a/minimun\": the keyword minimun is not known here"},
        {"{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}", "s.json: \"/$schema\": only "},
        {"{\"$schema\":7}", "s.json: \"/$schema\": only "},
        {"{\"dependencies\":{\"a\":7}}", "s.json: \"/dependencies/a\": has to be a schema"},
        {"{\"additionalItems\":{}}",
            "s.json: \"/additionalItems\": the keyword additionalItems is not one of draft 2020-12"},
        {"{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"prefixItems\":[{}]}",
            "s.json: \"/prefixItems\": the keyword prefixItems is not one of draft-07"},
        {"{\"items\":[{}]}",
            "s.json: \"/items\": has to be a schema; schemas for the first items are prefixItems"},
        {"{\"type\":\"text\"}", "s.json: \"/type\": has to be null, boolean, object"},
        {"{\"type\":[\"string\",7]}", "s.json: \"/type\": has to be an array of strings"},
        {"{\"type\":[\"string\",\"string\"]}", "s.json: \"/type\": names string twice"},
        {"{\"type\":[]}", "s.json: \"/type\": has to name at least one type"},
        {"{\"enum\":1}", "s.json: \"/enum\": has to be an array"},
        {"{\"minimum\":\"1\"}", "s.json: \"/minimum\": has to be a number"},
        {"{\"multipleOf\":0}", "s.json: \"/multipleOf\": has to be a number above 0"},
        {"{\"minLength\":-1}", "s.json: \"/minLength\": has to be an integer of at least 0"},
        {"{\"minLength\":1.5}", "s.json: \"/minLength\": has to be an integer of at least 0"},
        {"{\"pattern\":\"a(\"}", "s.json: \"/pattern\": is no regular expression, at character 2 of a("},
        {"{\"patternProperties\":{\"[\":{}}}", "s.json: \"/patternProperties/[\": is no regular expression"},
        {"{\"pattern\":1}", "s.json: \"/pattern\": has to be a string"},
        {"{\"required\":\"a\"}", "s.json: \"/required\": has to be an array of strings"},
        {"{\"required\":[\"a\",\"a\"]}", "s.json: \"/required\": names a twice"},
        {"{\"properties\":[]}", "s.json: \"/properties\": has to be an object"},
        {"{\"allOf\":[]}", "s.json: \"/allOf\": has to be an array of at least one schema"},
        {"{\"allOf\":[1]}", "s.json: \"/allOf/0\": has to be a schema"},
        {"{\"not\":null}", "s.json: \"/not\": has to be a schema"},
        {"{\"uniqueItems\":1}", "s.json: \"/uniqueItems\": has to be true or false"},
        {"{\"$ref\":\"other.json\"}",
            "s.json: \"/$ref\": other.json leads to another document, and none is fetched"},
        {"{\"$ref\":\"https://json-schema.org/draft/2020-12/schema\"}", "s.json: \"/$ref\": https://"},
        {"{\"$ref\":\"#/$defs/a\"}", "s.json: \"/$ref\": #/$defs/a leads nowhere"},
        {"{\"$ref\":\"#a\"}", "s.json: \"/$ref\": #a names no anchor"},
        {"{\"$ref\":\"#/type\",\"type\":\"object\"}", "s.json: \"/type\": has to be a schema"},
        {"{\"$ref\":\"#\"}", "s.json: a schema refers to itself"},
        {"{\"$defs\":{\"a\":{\"allOf\":[{\"$ref\":\"#/$defs/b\"}]},\"b\":{\"not\":{\"$ref\":\"#/$defs/"
         "a\"}}}}",
            "s.json: a schema refers to itself"},
        {"{\"$defs\":{\"a\":{\"$anchor\":\"x\"},\"b\":{\"$anchor\":\"x\"}}}",
            "s.json: \"/$defs/b/$anchor\": two schemas have the anchor x"},
        {"{\"$defs\":{\"a\":{\"$id\":\"u:x\"},\"b\":{\"$id\":\"u:x\"}}}",
            "s.json: \"/$defs/b\": two schemas have the $id u:x"},
        {"{\"format\":\"nosuch\"}", "s.json: \"/format\": the format nosuch can't be checked here"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_schema *schema = NULL;
        struct weir_error err = {0};
        assert_int_equal(
            weir_schema_parse("s.json", weir_bytes_str(rows[i].schema), true, &schema, &err), WEIR_E_CONFIG);
        if (strncmp(err.text, rows[i].text, strlen(rows[i].text)) != 0)
            fail_msg("%s: %s", rows[i].schema, err.text);
    }
}

static void a_file_that_is_not_there(void **state)
{
    (void)state;
    struct weir_schema *schema = NULL;
    struct weir_error err;
    assert_int_equal(weir_schema_load("/nonexistent/s.json", false, &schema, &err), WEIR_E_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nonexistent/s.json"));
}

static json_t *repeated(const char *text, size_t count)
{
    WEIR_CLEANUP(buffer) struct weir_buffer buffer = {0};
    for (size_t i = 0; i < count; i++)
        weir_buffer_append_str(&buffer, text);
    return json_stringn(buffer.data, buffer.len);
}

static void long_strings_against_patterns(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "^[A-Za-z0-9_.-]+$", "^(a|b|ab)*$", "^(.|\\\\n)*$", "^[^@]+@?[^@]*$", "^(?:a(?:b)?)*$"};
    WEIR_CLEANUP(json) json_t *value = repeated("ab", 10000);
    char text[100];
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        snprintf(text, sizeof(text), "{\"pattern\":\"%s\"}", patterns[i]);
        WEIR_CLEANUP(schema) struct weir_schema *schema = compile(text, false);
        assert_true(weir_schema_validate(schema, value, NULL));
    }
}

/* A text can't make a bad pattern run for longer than its size allows; then the whole document counts as
 * invalid, also where `not` would turn a no into a yes. */
static void runaway_patterns(void **state)
{
    (void)state;
    static const char *const schemas[] = {"{\"pattern\":\"^(a+)+$\"}", "{\"not\":{\"pattern\":\"^(a+)+$\"}}",
        "{\"anyOf\":[{\"pattern\":\"^(a|a)*$\"},true]}", "{\"pattern\":\"^(([a-z])+.)+[A-Z]([a-z])+$\"}"};
    WEIR_CLEANUP(json) json_t *value = repeated("a", 5000);
    json_t *tail = json_pack("s++", json_string_value(value), "!", "");
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        WEIR_CLEANUP(schema) struct weir_schema *schema = compile(schemas[i], false);
        WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
        assert_false(weir_schema_validate(schema, tail, NULL));
        assert_false(weir_schema_validate(schema, tail, &violations));
        assert_int_equal(violations.count, 1);
        assert_string_equal(violations.list[0].detail, "takes too many steps to compare with its pattern");
    }
    json_decref(tail);
}

/* Each second level asks twice. */
static void steps_are_bounded(void **state)
{
    (void)state;
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile(
        "{\"not\":{\"anyOf\":[{\"items\":{\"$ref\":\"#\"}},{\"items\":{\"$ref\":\"#\"},\"maxItems\":1}]}}", false);
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    json_t *value = json_integer(1);
    for (int depth = 0; depth < 60; depth++)
        value = json_pack("[o]", value);
    assert_false(weir_schema_validate(schema, value, &violations));
    assert_string_equal(violations.list[0].detail, "the document takes too many steps to check");
    json_decref(value);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile("{\"items\":{\"$ref\":\"#\"}}", false);
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    json_t *value = json_array();
    for (int depth = 0; depth < 2000; depth++)
        value = json_pack("[o]", value);
    assert_false(weir_schema_validate(schema, value, &violations));
    assert_string_equal(
        violations.list[0].detail, "the document and its schema nest too deeply to be checked");
    json_decref(value);
}

static void a_valid_document_allocates_nothing(void **state)
{
    (void)state;
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile(order_schema, true);
    WEIR_CLEANUP(json)
    json_t *value = parse("{\"orderID\":\"o-1\",\"status\":\"NEW\",\"total\":19.99,"
                          "\"a/b~c\":true,\"items\":[{\"sku\":\"x\",\"quantity\":1}]}");
    assert_true(weir_schema_validate(schema, value, NULL)); /* the thread's first pattern */
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    size_t before = atomic_load(&allocations);
    for (int i = 0; i < 100; i++)
        assert_true(weir_schema_validate(schema, value, &violations));
    assert_int_equal(atomic_load(&allocations), before);
    assert_true(before > 0); /* they are counted */
}

static void formats_are_notes_unless_asked_for(void **state)
{
    (void)state;
    static const struct verdict notes[] = {{"{\"format\":\"email\"}", "\"x\"", true}};
    static const struct verdict rules[] = {
        {"{\"format\":\"email\"}", "\"x\"", false},
        {"{\"format\":\"email\"}", "7", true},
        {"{\"format\":\"email\"}", "\"ada@example.org\"", true},
        {"{\"format\":\"date-time\"}", "\"2026-02-29T00:00:00Z\"", false},
        {"{\"format\":\"date-time\"}", "\"2028-02-29T23:59:60Z\"", true},
        {"{\"format\":\"date-time\"}", "\"2028-02-29T00:29:60+00:30\"", true},
        {"{\"format\":\"ipv6\"}", "\"::1%lo\"", false},
        {"{\"format\":\"uri\"}", "\"https://example.org:80/a?b#c\"", true},
        {"{\"format\":\"uri\"}", "\"/a\"", false},
        {"{\"format\":\"duration\"}", "\"P1Y2M3DT4H5M6S\"", true},
        {"{\"format\":\"duration\"}", "\"P\"", false},
        {"{\"format\":\"duration\"}", "\"PT\"", false},
        {"{\"format\":\"duration\"}", "\"P1W2D\"", false},
    };
    CHECK_VERDICTS(notes, false);
    CHECK_VERDICTS(rules, true);
}

static void *validate_often(void *context)
{
    WEIR_CLEANUP(json)
    json_t *value = parse("{\"orderID\":\"o-1\",\"items\":[{\"sku\":\"x\",\"quantity\":1}]}");
    WEIR_CLEANUP(json) json_t *bad = parse("{\"orderID\":\"O!\",\"items\":[]}");
    uintptr_t good = 1;
    for (int i = 0; i < 2000; i++) {
        WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
        good &= weir_schema_validate(context, value, NULL);
        good &= !weir_schema_validate(context, bad, &violations) && violations.count == 2;
    }
    return (void *)good; /* NOLINT: a truth, not an address */
}

static void threads_share_a_schema(void **state)
{
    (void)state;
    WEIR_CLEANUP(schema) struct weir_schema *schema = compile(order_schema, false);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, validate_often, schema), 0);
    for (size_t i = 0; i < 4; i++) {
        void *good = NULL;
        pthread_join(threads[i], &good);
        assert_non_null(good);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(multiples_of_decimals),
    cmocka_unit_test(limits_beyond_the_doubles),
    cmocka_unit_test(many_unique_items),
    cmocka_unit_test(every_violation_with_its_place),
    cmocka_unit_test(violations_of_the_whole_document),
    cmocka_unit_test(violations_of_combinations),
    cmocka_unit_test(violations_are_bounded),
    cmocka_unit_test(details_end_with_whole_characters),
    cmocka_unit_test(broken_schemas),
    cmocka_unit_test(a_file_that_is_not_there),
    cmocka_unit_test(long_strings_against_patterns),
    cmocka_unit_test(runaway_patterns),
    cmocka_unit_test(steps_are_bounded),
    cmocka_unit_test(depth_is_bounded),
    cmocka_unit_test(a_valid_document_allocates_nothing),
    cmocka_unit_test(formats_are_notes_unless_asked_for),
    cmocka_unit_test(threads_share_a_schema),
};

WEIR_TEST_MAIN(tests)
