/* mustache-spec FILE.json …: renders every case of files in the format of the Mustache specification and
 * tells which differ. Ends with 0 when all are alike and there was at least one. */
#include "common/json.h"
#include "common/mustache.h"

#include <stdio.h>
#include <stdlib.h>

struct partials {
    struct weir_mustache *compiled[8];
    const char *names[8];
    size_t count;
};

static const struct weir_mustache *find(void *context, const char *name)
{
    const struct partials *partials = context;
    for (size_t i = 0; i < partials->count; i++)
        if (strcmp(partials->names[i], name) == 0)
            return partials->compiled[i];
    return NULL;
}

static int compile_partials(json_t *test, struct partials *partials, struct weir_error *err)
{
    const char *name;
    json_t *text;
    int code = 0;

    json_object_foreach(json_object_get(test, "partials"), name, text)
    {
        if (code < 0 || partials->count == sizeof(partials->names) / sizeof(partials->names[0]))
            break;
        partials->names[partials->count] = name;
        code = weir_mustache_compile(
            name, weir_bytes_str(json_string_value(text)), &partials->compiled[partials->count], err);
        partials->count += code == 0;
    }
    return code;
}

static int render(json_t *test, struct partials *partials, struct weir_buffer *out, struct weir_error *err)
{
    const struct weir_mustache_options options = {
        .html = true, .most = 65536, .find = find, .context = partials};
    const char *text = json_string_value(json_object_get(test, "template"));
    WEIR_CLEANUP(mustache) struct weir_mustache *template = NULL;
    WEIR_CLEANUP(free)
    char *data = json_dumps(json_object_get(test, "data"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    struct weir_bytes context = weir_bytes_str(data);

    int code = weir_mustache_compile("template", weir_bytes_str(text), &template, err);
    if (code == 0)
        code = compile_partials(test, partials, err);
    return code < 0 ? code : weir_mustache_render(template, &context, 1, &options, out, err);
}

static bool run_test(const char *file, json_t *test)
{
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct partials partials = {0};
    struct weir_error err = {0};
    const char *wanted = json_string_value(json_object_get(test, "expected"));

    weir_buffer_append_str(&out, "");
    int code = render(test, &partials, &out, &err);
    bool same = code == 0 && wanted != NULL && strcmp(out.len > 0 ? out.data : "", wanted) == 0;
    if (!same)
        printf("%s: %s: got \"%s\" (%s), wanted \"%s\"\n", file,
            json_string_value(json_object_get(test, "name")), out.len > 0 ? out.data : "", err.text, wanted);
    for (size_t i = 0; i < partials.count; i++)
        weir_mustache_free(partials.compiled[i]);
    return same;
}

int main(int argc, char **argv)
{
    size_t passed = 0, total = 0;

    for (int i = 1; i < argc; i++) {
        json_error_t fault;
        WEIR_CLEANUP(json) json_t *file = json_load_file(argv[i], 0, &fault);
        json_t *test;
        size_t at;
        if (file == NULL)
            printf("%s: %s\n", argv[i], fault.text);
        total += file == NULL;
        json_array_foreach(json_object_get(file, "tests"), at, test)
        {
            total++;
            passed += run_test(argv[i], test);
        }
    }
    printf("%zu of %zu cases\n", passed, total);
    return passed > 0 && passed == total ? 0 : 1;
}
