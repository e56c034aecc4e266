/* A schema on the first line and a document behind it: neither may crash, hang or be judged in two ways, and
 * each violation has to name a place that is there. */
#include "common/schema.h"
#include "common/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* RFC 6901, into a value whose names hold no escapes that matter here: ~0 and ~1 are undone. */
static const json_t *at_pointer(const json_t *value, const char *pointer)
{
    while (value != NULL && *pointer == '/') {
        char token[256];
        size_t len = 0;
        for (pointer++; *pointer != '\0' && *pointer != '/'; pointer++) {
            bool escaped = *pointer == '~' && pointer[1] != '\0';
            token[len++] = !escaped ? *pointer : *++pointer == '0' ? '~' : '/';
        }
        token[len] = '\0';
        value = json_is_array(value) ? json_array_get(value, strtoul(token, NULL, 10))
                                     : json_object_get(value, token);
    }
    return value;
}

static void validate(const struct weir_schema *schema, const json_t *value)
{
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    bool valid = weir_schema_validate(schema, value, &violations);

    check(valid == weir_schema_validate(schema, value, NULL));
    check(valid == (violations.count == 0));
    check(violations.count <= WEIR_SCHEMA_VIOLATIONS_MAX);
    for (size_t i = 0; i < violations.count; i++) {
        check(violations.list[i].detail[0] != '\0');
        check(weir_utf8_valid(weir_bytes_str(violations.list[i].detail)));
        check(weir_utf8_valid(weir_bytes_str(violations.list[i].pointer)));
        check(at_pointer(value, violations.list[i].pointer) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;
    const char *line = size > 0 ? memchr(text, '\n', size) : NULL;
    WEIR_CLEANUP(schema) struct weir_schema *schema = NULL;
    WEIR_CLEANUP(json) json_t *value = NULL;
    struct weir_error err = {0};

    if (line == NULL)
        return 0;
    if (weir_schema_parse("fuzz", weir_bytes(text, (size_t)(line - text)), size % 2 == 0, &schema, &err) <
        0) {
        check(err.text[0] != '\0');
        return 0;
    }
    if (weir_json_parse(weir_bytes(line + 1, (size_t)(end - line - 1)), &value, &err) == 0)
        validate(schema, value);
    return 0;
}
