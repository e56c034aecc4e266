#include "common/html.h"
#include "common/json.h"
#include "common/json_span.h"
#include "common/mustache_parts.h"

#include <stdlib.h>

/* A JSON value in which names are looked for; the one around it next. */
struct frame {
    struct weir_bytes value;
    const struct frame *around;
};

struct indentation {
    struct weir_bytes text;
    const struct indentation *around;
};

struct renderer {
    const struct weir_mustache_options *options;
    const char *name; /* of the outermost template, for errors */
    struct weir_buffer *out;
    size_t begin; /* of the output within out */
    const struct indentation *indentation;
    bool at_line_start;
    size_t depth, steps;
    struct weir_error *err;
};

static int refuse(const struct renderer *renderer, const char *what, size_t most)
{
    return weir_error_set(
        renderer->err, WEIR_E_TOO_LARGE, "%s: %s more than %zu", renderer->name, what, most);
}

static int count_steps(struct renderer *renderer, size_t searched_bytes)
{
    renderer->steps += 1 + searched_bytes / 64;
    if (renderer->steps <= WEIR_MUSTACHE_STEPS_MAX)
        return 0;
    return refuse(renderer, "the steps of rendering are", WEIR_MUSTACHE_STEPS_MAX);
}

static int check_output(const struct renderer *renderer)
{
    if (renderer->out->failed)
        return weir_error_set(renderer->err, WEIR_E_INTERNAL, "out of memory");
    if (renderer->out->len - renderer->begin <= renderer->options->most)
        return 0;
    return refuse(renderer, "the bytes of output are", renderer->options->most);
}

/* Outermost first. */
static void indent(struct weir_buffer *out, const struct indentation *indentation)
{
    if (indentation == NULL)
        return;
    indent(out, indentation->around);
    weir_buffer_append_bytes(out, indentation->text);
}

static void begin_output(struct renderer *renderer)
{
    if (renderer->at_line_start)
        indent(renderer->out, renderer->indentation);
    renderer->at_line_start = false;
}

/* Of the template's own lines each is indented, not those of a value. */
static int render_text(struct renderer *renderer, struct weir_bytes text)
{
    const char *at = text.data, *end = at + text.len;

    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        const char *behind = feed != NULL ? feed + 1 : end;
        begin_output(renderer);
        weir_buffer_append(renderer->out, at, (size_t)(behind - at));
        renderer->at_line_start = feed != NULL;
        at = behind;
    }
    return check_output(renderer);
}

/* The value of the name, data NULL if there is none: its first part from the nearest frame that has it, the
 * others from there. */
static int look_up(struct renderer *renderer, const struct frame *frame,
    const struct weir_mustache_token *token, struct weir_bytes *ret_value)
{
    const char *part = token->name;

    *ret_value = token->parts == 0 ? frame->value : WEIR_BYTES_NULL;
    for (; frame != NULL && ret_value->data == NULL; frame = frame->around) {
        *ret_value = weir_json_member(frame->value, part);
        int code = count_steps(renderer, frame->value.len);
        if (code < 0)
            return code;
    }
    for (size_t i = 1; i < token->parts && ret_value->data != NULL; i++) {
        part += strlen(part) + 1;
        size_t len = ret_value->len;
        *ret_value = weir_json_member(*ret_value, part);
        int code = count_steps(renderer, len);
        if (code < 0)
            return code;
    }
    return 0;
}

static void append_value(struct renderer *renderer, struct weir_bytes value, bool escaped)
{
    if (value.len == 0)
        return;
    begin_output(renderer);
    if (escaped)
        weir_html_append(renderer->out, value);
    else
        weir_buffer_append_bytes(renderer->out, value);
}

static int render_value(
    struct renderer *renderer, const struct frame *frame, const struct weir_mustache_token *token)
{
    struct weir_bytes value;
    WEIR_CLEANUP(free) char *owned = NULL;

    int code = look_up(renderer, frame, token, &value);
    if (code < 0 || value.data == NULL || weir_bytes_is(value, "null"))
        return code;
    if (value.data[0] == '"' && !weir_json_decode_string(value, &value, &owned))
        return weir_error_set(renderer->err, WEIR_E_INTERNAL, "out of memory");
    append_value(renderer, value, renderer->options->html && token->kind == WEIR_MUSTACHE_VALUE);
    return check_output(renderer);
}

static int render_range(struct renderer *renderer, const struct weir_mustache *template,
    const struct frame *frame, size_t from, size_t to);

static struct weir_bytes skip_separator(struct weir_bytes rest)
{
    const char *end = rest.data + rest.len;
    const char *at = weir_json_skip_space(rest.data, end);

    if (at < end && (*at == '[' || *at == ','))
        at = weir_json_skip_space(at + 1, end);
    return weir_json_span(at, end);
}

/* The next element of what is left of an array; false at its end. */
static bool next_element(struct weir_bytes *rest, struct weir_bytes *ret_element)
{
    const char *end = rest->data + rest->len;

    *rest = skip_separator(*rest);
    if (rest->len == 0 || rest->data[0] == ']')
        return false;
    const char *behind = weir_json_skip_value(rest->data, end);
    *ret_element = weir_json_span(rest->data, behind);
    *rest = weir_json_span(behind, end);
    return ret_element->len > 0;
}

static bool is_false(struct weir_bytes value)
{
    struct weir_bytes element;

    if (value.data == NULL || weir_bytes_is(value, "null") || weir_bytes_is(value, "false"))
        return true;
    return value.data[0] == '[' && !next_element(&value, &element);
}

static int render_section(
    struct renderer *renderer, const struct weir_mustache *template, const struct frame *frame, size_t index)
{
    const struct weir_mustache_token *token = &template->tokens[index];
    struct weir_bytes value;
    struct frame inner = {.around = frame};

    int code = look_up(renderer, frame, token, &value);
    if (code < 0 || is_false(value))
        return code;
    if (value.data[0] != '[') {
        inner.value = value;
        return render_range(renderer, template, &inner, index + 1, token->end);
    }
    while (code == 0 && next_element(&value, &inner.value)) {
        code = count_steps(renderer, inner.value.len);
        if (code == 0)
            code = render_range(renderer, template, &inner, index + 1, token->end);
    }
    return code;
}

static int render_inverted(
    struct renderer *renderer, const struct weir_mustache *template, const struct frame *frame, size_t index)
{
    const struct weir_mustache_token *token = &template->tokens[index];
    struct weir_bytes value;

    int code = look_up(renderer, frame, token, &value);
    if (code < 0 || !is_false(value))
        return code;
    return render_range(renderer, template, frame, index + 1, token->end);
}

static int render_partial(
    struct renderer *renderer, const struct frame *frame, const struct weir_mustache_token *token)
{
    const struct weir_mustache_options *options = renderer->options;
    const struct weir_mustache *partial =
        options->find != NULL ? options->find(options->context, token->name) : NULL;
    const struct indentation inner = {.text = token->text, .around = renderer->indentation};

    if (partial == NULL)
        return 0;
    if (++renderer->depth > WEIR_MUSTACHE_DEPTH_MAX)
        return refuse(renderer, "the partials within each other are", WEIR_MUSTACHE_DEPTH_MAX);
    if (token->text.len > 0)
        renderer->indentation = &inner;
    int code = render_range(renderer, partial, frame, 0, partial->count);
    renderer->indentation = inner.around;
    renderer->depth--;
    return code;
}

/* One token; *index goes to the one behind it. */
static int render_token(
    struct renderer *renderer, const struct weir_mustache *template, const struct frame *frame, size_t *index)
{
    size_t at = *index;
    const struct weir_mustache_token *token = &template->tokens[at];

    *index = at + 1;
    switch (token->kind) {
    case WEIR_MUSTACHE_TEXT:
        return render_text(renderer, token->text);
    case WEIR_MUSTACHE_VALUE:
    case WEIR_MUSTACHE_RAW_VALUE:
        return render_value(renderer, frame, token);
    case WEIR_MUSTACHE_SECTION:
        *index = token->end;
        return render_section(renderer, template, frame, at);
    case WEIR_MUSTACHE_INVERTED:
        *index = token->end;
        return render_inverted(renderer, template, frame, at);
    case WEIR_MUSTACHE_PARTIAL:
        return render_partial(renderer, frame, token);
    }
    return 0;
}

static int render_range(struct renderer *renderer, const struct weir_mustache *template,
    const struct frame *frame, size_t from, size_t to)
{
    int code = 0;

    while (code == 0 && from < to) {
        code = count_steps(renderer, 0);
        if (code == 0)
            code = render_token(renderer, template, frame, &from);
    }
    return code;
}

/* A frame for each context, then the template. */
static int render_in(struct renderer *renderer, const struct weir_mustache *template,
    const struct frame *around, const struct weir_bytes *contexts, size_t count)
{
    static const struct frame nothing = {.value = {"null", 4}};

    if (count == 0)
        return render_range(renderer, template, around != NULL ? around : &nothing, 0, template->count);
    const char *end = contexts[0].data + contexts[0].len;
    const struct frame frame = {
        .value = weir_json_span(weir_json_skip_space(contexts[0].data, end), end), .around = around};
    return render_in(renderer, template, &frame, contexts + 1, count - 1);
}

int weir_mustache_render(const struct weir_mustache *template, const struct weir_bytes *contexts,
    size_t context_count, const struct weir_mustache_options *options, struct weir_buffer *out,
    struct weir_error *err)
{
    struct renderer renderer = {.options = options,
        .name = template->name,
        .out = out,
        .begin = out->len,
        .at_line_start = true,
        .err = err};

    return render_in(&renderer, template, NULL, contexts, context_count);
}
