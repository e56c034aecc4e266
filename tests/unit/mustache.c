/* Templates: what the specification's files do not ask, hostile values, bounds, and where an error is. */
#include "support/test.h"

#include "common/mustache.h"

#include <stdlib.h>

static struct weir_mustache *compile(const char *text)
{
    struct weir_mustache *template = NULL;
    struct weir_error err;

    if (weir_mustache_compile("t", weir_bytes_str(text), &template, &err) < 0)
        fail_msg("%s", err.text);
    return template;
}

static void renders(const char *text, const char *json, bool html, const char *wanted)
{
    const struct weir_mustache_options options = {.html = html, .most = 65536};
    WEIR_CLEANUP(mustache) struct weir_mustache *template = compile(text);
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct weir_bytes context = weir_bytes_str(json);
    struct weir_error err;

    weir_buffer_append_str(&out, "");
    if (weir_mustache_render(template, &context, 1, &options, &out, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    if (strcmp(out.len > 0 ? out.data : "", wanted) != 0)
        fail_msg("%s with %s is %s, not %s", text, json, out.data, wanted);
}

static void numbers_stay_as_they_came(void **state)
{
    (void)state;
    renders("{{a}} {{b}} {{c}}", "{\"a\":19.90,\"b\":1e2,\"c\":-0}", true, "19.90 1e2 -0");
}

static void shows_json_of_what_is_no_text(void **state)
{
    (void)state;
    renders("{{a}} {{{b}}} {{c}}", " {\"a\":{\"x\":\"<\"},\"b\":[1, 2],\"c\":true}", true,
        "{&quot;x&quot;:&quot;&lt;&quot;} [1, 2] true");
}

static void takes_null_for_nothing(void **state)
{
    (void)state;
    renders("({{a}}|{{{a}}}|{{&a}}|{{#a}}x{{/a}}|{{^a}}y{{/a}})", "{\"a\":null}", true, "(||||y)");
    renders("({{#a}}x{{/a}}{{^a}}y{{/a}})", "{\"a\":[]}", true, "(y)");
    renders("({{#a}}x{{/a}}{{^a}}y{{/a}})", "{\"a\":\"\"}", true, "(x)");
    renders("({{#a}}x{{/a}}{{^a}}y{{/a}})", "{\"a\":0}", true, "(x)");
}

static void iterates_what_is_within(void **state)
{
    (void)state;
    renders("{{#a}}({{.}}){{/a}}", "{\"a\":[ 1 ,\"<b>\", 2.50 ,null]}", true, "(1)(&lt;b&gt;)(2.50)()");
    renders("{{#a}}({{{.}}}){{/a}}", "{\"a\":[\"<b>\"]}", true, "(<b>)");
    renders("{{#a}}{{#.}}{{.}},{{/.}};{{/a}}", "{\"a\":[[1,2],[],[3]]}", true, "1,2,;;3,;");
    renders(
        "{{#a}}{{n}}{{x}} {{/a}}", "{\"x\":\"!\",\"a\":[{\"n\":1},{\"n\":2,\"x\":\"?\"}]}", true, "1! 2? ");
}

static void escapes_for_html_alone(void **state)
{
    static const char json[] = "{\"a\":\"<a href=\\\"x\\\">&'\\u003c\"}";
    (void)state;
    renders("{{a}}", json, true, "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;");
    renders("{{{a}}}", json, true, "<a href=\"x\">&'<");
    renders("{{&a}}", json, true, "<a href=\"x\">&'<");
    renders("{{a}}", json, false, "<a href=\"x\">&'<");
}

/* A value is never a template, whatever it holds. */
static void values_are_no_templates(void **state)
{
    (void)state;
    renders("{{a}}{{b}}", "{\"a\":\"{{b}}{{=<% %>=}}{{#x}}\",\"b\":\"{{>p}}\"}", false,
        "{{b}}{{=<% %>=}}{{#x}}{{>p}}");
    renders("{{a.b}}", "{\"a.b\":1}", true, "");
    renders("{{#a}}{{b.c}}{{/a}}", "{\"a\":{\"b\":{}},\"b\":{\"c\":\"outer\"}}", true, "");
}

static void finds_names_in_the_last_context_first(void **state)
{
    const struct weir_mustache_options options = {.most = 100};
    const struct weir_bytes contexts[] = {
        weir_bytes_str("{\"link\":\"evil\",\"key\":\"o-1\"}"), weir_bytes_str("{\"link\":\"ours\"}")};
    WEIR_CLEANUP(mustache) struct weir_mustache *template = compile("{{link}} {{key}}");
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    (void)state;
    assert_int_equal(weir_mustache_render(template, contexts, 2, &options, &out, NULL), 0);
    assert_string_equal(out.data, "ours o-1");
}

static void refuses_with_the_line(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"a\nb {{#x}}\n", "t:2: the section that begins here is never closed"},
        {"{{#x}}\n{{#y}}{{/x}}", "t:2: this tag does not close the section of line 2"},
        {"\n\n{{/x}}", "t:3: this tag closes a section that is not open"},
        {"{{x", "t:1: this tag does not end"},
        {"\n{{{x}}", "t:2: this tag does not end"},
        {"{{}}", "t:1: this tag has no name"},
        {"{{# }}", "t:1: this tag has no name"},
        {"{{a b}}", "t:1: this tag's name holds white space"},
        {"{{a..b}}", "t:1: a dot of this tag's name has nothing beside it"},
        {"{{.a}}", "t:1: a dot"},
        {"{{a.}}", "t:1: a dot"},
        {"{{=x=}}", "t:1: delimiters are two words"},
        {"{{=a b c=}}", "t:1: delimiters are two words"},
        {"{{===}}", "t:1: "},
        {"{{=aaaaaaaaaaaaaaaa b=}}", "t:1: delimiters are two words"},
        {"{{! no end", "t:1: this tag does not end"},
        {"a\xff", "t: the template is no UTF-8 text"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct weir_mustache *template = NULL;
        struct weir_error err = {0};
        assert_int_equal(
            weir_mustache_compile("t", weir_bytes_str(cases[i].text), &template, &err), WEIR_E_INVALID);
        if (strncmp(err.text, cases[i].wanted, strlen(cases[i].wanted)) != 0)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
}

static void nesting_of_sections_is_bounded(void **state)
{
    (void)state;
    for (int depth = WEIR_MUSTACHE_DEPTH_MAX; depth <= WEIR_MUSTACHE_DEPTH_MAX + 1; depth++) {
        WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
        WEIR_CLEANUP(mustache) struct weir_mustache *template = NULL;
        for (int i = 0; i < depth; i++)
            weir_buffer_append_str(&text, "{{#a}}");
        for (int i = 0; i < depth; i++)
            weir_buffer_append_str(&text, "{{/a}}");
        int code = weir_mustache_compile("t", weir_buffer_bytes(&text), &template, NULL);
        assert_int_equal(code, depth <= WEIR_MUSTACHE_DEPTH_MAX ? 0 : WEIR_E_INVALID);
    }
}

static void a_long_template_is_refused(void **state)
{
    char *text = malloc(WEIR_MUSTACHE_TEXT_MAX + 1);
    struct weir_mustache *template = NULL;
    (void)state;
    memset(text, 'a', WEIR_MUSTACHE_TEXT_MAX + 1);
    assert_int_equal(
        weir_mustache_compile("t", weir_bytes(text, WEIR_MUSTACHE_TEXT_MAX + 1), &template, NULL),
        WEIR_E_TOO_LARGE);
    assert_int_equal(
        weir_mustache_compile("t", weir_bytes(text, WEIR_MUSTACHE_TEXT_MAX), &template, NULL), 0);
    weir_mustache_free(template);
    free(text);
}

static int render_within(const char *text, struct weir_bytes json, size_t most, struct weir_error *err)
{
    const struct weir_mustache_options options = {.html = true, .most = most};
    WEIR_CLEANUP(mustache) struct weir_mustache *template = compile(text);
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    return weir_mustache_render(template, &json, 1, &options, &out, err);
}

static void output_is_bounded(void **state)
{
    struct weir_error err = {0};
    (void)state;
    assert_int_equal(render_within("{{#a}}xx{{/a}}", weir_bytes_str("{\"a\":[1,2]}"), 4, NULL), 0);
    assert_int_equal(
        render_within("{{#a}}xx{{/a}}", weir_bytes_str("{\"a\":[1,2,3]}"), 4, &err), WEIR_E_TOO_LARGE);
    assert_string_equal(err.text, "t: the bytes of output are more than 4");
    assert_int_equal(render_within("{{a}}", weir_bytes_str("{\"a\":\"<<<\"}"), 4, NULL), WEIR_E_TOO_LARGE);
}

/* Ten sections in each other over ten elements would be rendered ten thousand million times. */
static void steps_are_bounded(void **state)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    (void)state;
    for (int i = 0; i < 10; i++)
        weir_buffer_append_str(&text, "{{#a}}");
    for (int i = 0; i < 10; i++)
        weir_buffer_append_str(&text, "{{/a}}");
    assert_int_equal(render_within(text.data, weir_bytes_str("{\"a\":[1,2,3,4,5,6,7,8,9,0]}"), 100, NULL),
        WEIR_E_TOO_LARGE);
}

static const struct weir_mustache *find_itself(void *context, const char *partial)
{
    (void)partial;
    return context;
}

static void partials_in_each_other_are_bounded(void **state)
{
    WEIR_CLEANUP(mustache) struct weir_mustache *template = compile("a{{>p}}");
    const struct weir_mustache_options options = {.most = 10000, .find = find_itself, .context = template};
    const struct weir_bytes context = weir_bytes_str("{}");
    WEIR_CLEANUP(buffer) struct weir_buffer out = {0};
    struct weir_error err = {0};
    (void)state;
    assert_int_equal(weir_mustache_render(template, &context, 1, &options, &out, &err), WEIR_E_TOO_LARGE);
    assert_non_null(strstr(err.text, "partials within each other"));
}

static void tells_its_partials(void **state)
{
    WEIR_CLEANUP(mustache) struct weir_mustache *template = compile("{{>a}}\n{{x}}\n {{> b.c }}");
    size_t line = 0;
    (void)state;
    assert_string_equal(weir_mustache_partial(template, 0, &line), "a");
    assert_int_equal(line, 1);
    assert_string_equal(weir_mustache_partial(template, 1, &line), "b.c");
    assert_int_equal(line, 3);
    assert_null(weir_mustache_partial(template, 2, &line));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(numbers_stay_as_they_came),
    cmocka_unit_test(shows_json_of_what_is_no_text),
    cmocka_unit_test(takes_null_for_nothing),
    cmocka_unit_test(iterates_what_is_within),
    cmocka_unit_test(escapes_for_html_alone),
    cmocka_unit_test(values_are_no_templates),
    cmocka_unit_test(finds_names_in_the_last_context_first),
    cmocka_unit_test(refuses_with_the_line),
    cmocka_unit_test(nesting_of_sections_is_bounded),
    cmocka_unit_test(a_long_template_is_refused),
    cmocka_unit_test(output_is_bounded),
    cmocka_unit_test(steps_are_bounded),
    cmocka_unit_test(partials_in_each_other_are_bounded),
    cmocka_unit_test(tells_its_partials),
};

WEIR_TEST_MAIN(tests)
