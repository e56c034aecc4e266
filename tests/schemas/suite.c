/* schema-suite check SCHEMA FILE…: VALID or INVALID and the name, one line for each document.
 * schema-suite assert|annotate FILE…: runs files of the JSON-Schema-Test-Suite. One line for each schema that
 * is refused and for each answer that is wrong, both as FILE: GROUP: REASON, then the counts. Files of draft7
 * are compiled as that. Ends with 0 whatever came out; the caller compares. */
#include "common/file.h"
#include "common/json.h"
#include "common/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t passed;

/* The files of draft-07 do not say `$schema`. */
static void name_draft(const char *path, json_t *schema)
{
    if (strstr(path, "/draft7/") != NULL && json_is_object(schema) &&
        json_object_get(schema, "$schema") == NULL)
        json_object_set_new(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#"));
}

static void run_tests(
    const char *name, const char *group, const struct weir_schema *schema, const json_t *tests)
{
    for (size_t i = 0; i < json_array_size(tests); i++) {
        const json_t *test = json_array_get(tests, i);
        bool wanted = json_is_true(json_object_get(test, "valid"));
        WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
        bool quiet = weir_schema_validate(schema, json_object_get(test, "data"), NULL);
        bool told = weir_schema_validate(schema, json_object_get(test, "data"), &violations);
        if (quiet == wanted && told == wanted && (violations.count == 0) == wanted)
            passed++;
        else
            printf("WRONG %s: %s: %s: %s, %zu violations\n", name, group,
                json_string_value(json_object_get(test, "description")), quiet ? "valid" : "invalid",
                violations.count);
    }
}

static void run_group(const char *path, const json_t *group, bool formats)
{
    const char *name = strstr(path, "/draft") != NULL ? strstr(path, "/draft") + 1 : path;
    const char *description = json_string_value(json_object_get(group, "description"));
    WEIR_CLEANUP(schema) struct weir_schema *schema = NULL;
    struct weir_error err;

    name_draft(path, json_object_get(group, "schema"));
    char *text = json_dumps(json_object_get(group, "schema"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (weir_schema_parse("", weir_bytes_str(text), formats, &schema, &err) < 0)
        printf("REFUSED %s: %s%s\n", name, description, err.text);
    else
        run_tests(name, description, schema, json_object_get(group, "tests"));
    free(text);
}

static int run_file(const char *path, bool formats)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    WEIR_CLEANUP(json) json_t *groups = NULL;

    if (weir_file_read(path, 1 << 24, &text, NULL, NULL) < 0)
        return -1;
    /* Some tests hold U+0000. */
    groups = json_loadb(text.data, text.len, JSON_ALLOW_NUL, NULL);
    if (groups == NULL)
        return -1;
    for (size_t i = 0; i < json_array_size(groups); i++)
        run_group(path, json_array_get(groups, i), formats);
    return 0;
}

static int check_document(const struct weir_schema *schema, const char *path)
{
    WEIR_CLEANUP(json) json_t *document = json_load_file(path, JSON_DECODE_ANY, NULL);
    if (document == NULL)
        return -1;
    printf("%s %s\n", weir_schema_validate(schema, document, NULL) ? "VALID" : "INVALID", path);
    return 0;
}

static int check_documents(const char *schema_path, char **paths)
{
    WEIR_CLEANUP(schema) struct weir_schema *schema = NULL;
    struct weir_error err;
    if (weir_schema_load(schema_path, true, &schema, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 65;
    }
    for (; *paths != NULL; paths++)
        if (check_document(schema, *paths) < 0)
            return 66;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 64;
    if (strcmp(argv[1], "check") == 0)
        return check_documents(argv[2], argv + 3);
    for (int i = 2; i < argc; i++)
        if (run_file(argv[i], strcmp(argv[1], "assert") == 0) < 0)
            printf("UNREADABLE %s\n", argv[i]);
    printf("PASSED %zu\n", passed);
    return 0;
}
