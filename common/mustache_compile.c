#include "common/mustache_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELIMITER_BYTES = 16 };

struct compiler {
    struct weir_mustache *template;
    const char *at, *end;
    const char *counted; /* up to here lines are counted */
    size_t line;
    char open[DELIMITER_BYTES], close[DELIMITER_BYTES];
    size_t sections[WEIR_MUSTACHE_DEPTH_MAX]; /* those that are open: indexes of their tokens */
    size_t depth;
    struct weir_error *err;
};

/* A tag as it stands in the source. */
struct tag {
    char sigil; /* one of #^/>!=&{, 0 for a plain variable */
    const char *begin, *end;
    struct weir_bytes content; /* trimmed */
};

static const char white[] = " \t\r\n";

static int refuse(const struct compiler *compiler, const char *why)
{
    return weir_error_set(
        compiler->err, WEIR_E_INVALID, "%s:%zu: %s", compiler->template->name, compiler->line, why);
}

static int refuse_memory(const struct compiler *compiler)
{
    return weir_error_set(compiler->err, WEIR_E_INTERNAL, "out of memory");
}

static void count_lines(struct compiler *compiler, const char *until)
{
    for (; compiler->counted < until; compiler->counted++)
        compiler->line += *compiler->counted == '\n';
}

static struct weir_mustache_token *add_token(struct compiler *compiler, enum weir_mustache_kind kind)
{
    struct weir_mustache *template = compiler->template;

    if (template->count == template->capacity) {
        size_t capacity = 2 * template->capacity + 16;
        struct weir_mustache_token *tokens = reallocarray(template->tokens, capacity, sizeof(*tokens));
        if (tokens == NULL)
            return NULL;
        template->tokens = tokens;
        template->capacity = capacity;
    }
    struct weir_mustache_token *token = &template->tokens[template->count++];
    *token = (struct weir_mustache_token){.kind = kind, .line = compiler->line};
    return token;
}

static int add_text(struct compiler *compiler, const char *from, const char *to)
{
    if (from == to)
        return 0;
    struct weir_mustache_token *token = add_token(compiler, WEIR_MUSTACHE_TEXT);
    if (token == NULL)
        return refuse_memory(compiler);
    token->text = weir_bytes(from, (size_t)(to - from));
    return 0;
}

static struct weir_bytes trim(const char *from, const char *to)
{
    while (from < to && strchr(white, *from) != NULL)
        from++;
    while (to > from && strchr(white, to[-1]) != NULL)
        to--;
    return weir_bytes(from, (size_t)(to - from));
}

static const char *find(const char *from, const char *end, const char *what)
{
    return memmem(from, (size_t)(end - from), what, strlen(what));
}

/* What ends a tag of that kind: `=}}`, `}}}`, `}}`. */
static void write_ending(const struct compiler *compiler, char sigil, char out[static DELIMITER_BYTES + 1])
{
    const char *before = sigil == '=' ? "=" : sigil == '{' ? "}" : "";

    snprintf(out, DELIMITER_BYTES + 1, "%s%s", before, compiler->close);
}

static int read_tag(struct compiler *compiler, const char *begin, struct tag *tag)
{
    char ending[DELIMITER_BYTES + 1];
    const char *at = begin + strlen(compiler->open);

    while (at < compiler->end && strchr(white, *at) != NULL)
        at++;
    *tag = (struct tag){.begin = begin};
    if (at < compiler->end && *at != '\0' && strchr("#^/>!=&{", *at) != NULL)
        tag->sigil = *at++;
    write_ending(compiler, tag->sigil, ending);
    const char *stop = find(at, compiler->end, ending);
    if (stop == NULL)
        return refuse(compiler, "this tag does not end");
    tag->end = stop + strlen(ending);
    tag->content = trim(at, stop);
    return 0;
}

/* The line of a tag that has it to itself is no part of the text (mustache(5), "standalone"). */
static bool stands_alone(
    const struct compiler *compiler, const struct tag *tag, const char **ret_line, const char **ret_behind)
{
    const char *line = tag->begin, *behind = tag->end;

    if (tag->sigil == '\0' || strchr("&{", tag->sigil) != NULL)
        return false;
    while (line > compiler->template->source && (line[-1] == ' ' || line[-1] == '\t'))
        line--;
    if (line > compiler->template->source && line[-1] != '\n')
        return false;
    while (behind < compiler->end && (*behind == ' ' || *behind == '\t'))
        behind++;
    if (compiler->end - behind >= 2 && behind[0] == '\r' && behind[1] == '\n')
        behind++;
    if (behind < compiler->end && *behind != '\n')
        return false;
    *ret_line = line;
    *ret_behind = behind < compiler->end ? behind + 1 : behind;
    return true;
}

static int check_name(const struct compiler *compiler, struct weir_bytes name)
{
    if (name.len == 0)
        return refuse(compiler, "this tag has no name");
    if (name.len > WEIR_MUSTACHE_NAME_MAX)
        return refuse(compiler, "this tag's name is longer than 255 bytes");
    for (size_t i = 0; i < name.len; i++)
        if (strchr(white, name.data[i]) != NULL)
            return refuse(compiler, "this tag's name holds white space");
    if (!weir_bytes_is(name, ".") && (name.data[0] == '.' || name.data[name.len - 1] == '.' ||
                                         memmem(name.data, name.len, "..", 2) != NULL))
        return refuse(compiler, "a dot of this tag's name has nothing beside it");
    return 0;
}

/* "a.b.c" becomes three strings. A partial's name stays one. */
static int set_name(struct compiler *compiler, struct weir_mustache_token *token, struct weir_bytes name)
{
    token->name = weir_bytes_dup(name);
    if (token->name == NULL)
        return refuse_memory(compiler);
    if (token->kind == WEIR_MUSTACHE_PARTIAL || weir_bytes_is(name, "."))
        return 0;
    token->parts = 1;
    for (size_t i = 0; i < name.len; i++) {
        if (token->name[i] != '.')
            continue;
        token->name[i] = '\0';
        token->parts++;
    }
    return 0;
}

static int add_named(struct compiler *compiler, enum weir_mustache_kind kind, struct weir_bytes name)
{
    int code = check_name(compiler, name);
    if (code < 0)
        return code;
    struct weir_mustache_token *token = add_token(compiler, kind);
    return token != NULL ? set_name(compiler, token, name) : refuse_memory(compiler);
}

static int add_value(struct compiler *compiler, const struct tag *tag)
{
    return add_named(
        compiler, tag->sigil == '\0' ? WEIR_MUSTACHE_VALUE : WEIR_MUSTACHE_RAW_VALUE, tag->content);
}

static int open_section(struct compiler *compiler, const struct tag *tag)
{
    if (compiler->depth == WEIR_MUSTACHE_DEPTH_MAX)
        return refuse(compiler, "this section is in more than 31 others");
    compiler->sections[compiler->depth++] = compiler->template->count;
    int code =
        add_named(compiler, tag->sigil == '#' ? WEIR_MUSTACHE_SECTION : WEIR_MUSTACHE_INVERTED, tag->content);
    if (code == 0)
        compiler->template->tokens[compiler->template->count - 1].text = tag->content;
    return code;
}

static int close_section(struct compiler *compiler, const struct tag *tag)
{
    if (compiler->depth == 0)
        return refuse(compiler, "this tag closes a section that is not open");
    struct weir_mustache_token *section =
        &compiler->template->tokens[compiler->sections[compiler->depth - 1]];
    if (!weir_bytes_equal(section->text, tag->content))
        return weir_error_set(compiler->err, WEIR_E_INVALID,
            "%s:%zu: this tag does not close the section of line %zu, which is open",
            compiler->template->name, compiler->line, section->line);
    compiler->depth--;
    section->end = compiler->template->count;
    return 0;
}

static int add_partial(struct compiler *compiler, const struct tag *tag)
{
    return add_named(compiler, WEIR_MUSTACHE_PARTIAL, tag->content);
}

static int skip_comment(struct compiler *compiler, const struct tag *tag)
{
    (void)compiler, (void)tag;
    return 0;
}

static bool is_delimiter(struct weir_bytes text)
{
    return text.len > 0 && text.len < DELIMITER_BYTES - 1 && memchr(text.data, '=', text.len) == NULL;
}

static int set_delimiters(struct compiler *compiler, const struct tag *tag)
{
    const char *at = tag->content.data, *end = at + tag->content.len, *space = at;

    while (space < end && strchr(white, *space) == NULL)
        space++;
    struct weir_bytes open = weir_bytes(at, (size_t)(space - at)), close = trim(space, end);
    if (!is_delimiter(open) || !is_delimiter(close) || strcspn(close.data, white) < close.len)
        return refuse(compiler, "delimiters are two words of 1 to 14 bytes without =");
    memcpy(compiler->open, open.data, open.len);
    compiler->open[open.len] = '\0';
    memcpy(compiler->close, close.data, close.len);
    compiler->close[close.len] = '\0';
    return 0;
}

static const struct {
    char sigil;
    int (*compile)(struct compiler *compiler, const struct tag *tag);
} sigils[] = {
    {'\0', add_value},
    {'&', add_value},
    {'{', add_value},
    {'#', open_section},
    {'^', open_section},
    {'/', close_section},
    {'>', add_partial},
    {'!', skip_comment},
    {'=', set_delimiters},
};

static int compile_tag(struct compiler *compiler, const struct tag *tag)
{
    size_t i = 0;

    while (sigils[i].sigil != tag->sigil)
        i++;
    return sigils[i].compile(compiler, tag);
}

/* The text before the next tag, and the tag. */
static int compile_next(struct compiler *compiler)
{
    const char *begin = find(compiler->at, compiler->end, compiler->open);
    struct tag tag;

    if (begin == NULL) {
        int code = add_text(compiler, compiler->at, compiler->end);
        compiler->at = compiler->end;
        return code;
    }
    count_lines(compiler, begin);
    int code = read_tag(compiler, begin, &tag);
    if (code < 0)
        return code;
    const char *text_end = begin, *behind = tag.end;
    bool alone = stands_alone(compiler, &tag, &text_end, &behind);
    code = add_text(compiler, compiler->at, text_end);
    if (code == 0)
        code = compile_tag(compiler, &tag);
    if (code == 0 && alone && tag.sigil == '>')
        compiler->template->tokens[compiler->template->count - 1].text =
            weir_bytes(text_end, (size_t)(begin - text_end));
    compiler->at = behind;
    return code;
}

static int compile_all(struct compiler *compiler)
{
    int code = 0;

    while (code == 0 && compiler->at < compiler->end)
        code = compile_next(compiler);
    if (code < 0 || compiler->depth == 0)
        return code;
    compiler->line = compiler->template->tokens[compiler->sections[compiler->depth - 1]].line;
    return refuse(compiler, "the section that begins here is never closed");
}

int weir_mustache_compile(
    const char *name, struct weir_bytes text, struct weir_mustache **ret_template, struct weir_error *err)
{
    WEIR_CLEANUP(mustache) struct weir_mustache *template = calloc(1, sizeof(*template));

    if (text.len > WEIR_MUSTACHE_TEXT_MAX)
        return weir_error_set(err, WEIR_E_TOO_LARGE, "%s: the template has %zu bytes, more than %d", name,
            text.len, WEIR_MUSTACHE_TEXT_MAX);
    if (!weir_utf8_valid(text) || memchr(text.data, '\0', text.len) != NULL)
        return weir_error_set(err, WEIR_E_INVALID, "%s: the template is no UTF-8 text", name);
    if (template == NULL || (template->name = strdup(name)) == NULL ||
        (template->source = weir_bytes_dup(text)) == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    struct compiler compiler = {.template = template,
        .at = template->source,
        .end = template->source + text.len,
        .counted = template->source,
        .line = 1,
        .open = "{{",
        .close = "}}",
        .err = err};
    int code = compile_all(&compiler);
    if (code == 0)
        *ret_template = weir_steal(template);
    return code;
}

void weir_mustache_free(struct weir_mustache *template)
{
    if (template == NULL)
        return;
    for (size_t i = 0; i < template->count; i++)
        free(template->tokens[i].name);
    free(template->tokens);
    free(template->source);
    free(template->name);
    free(template);
}

const char *weir_mustache_partial(const struct weir_mustache *template, size_t i, size_t *ret_line)
{
    for (size_t at = 0; at < template->count; at++) {
        const struct weir_mustache_token *token = &template->tokens[at];
        if (token->kind != WEIR_MUSTACHE_PARTIAL || i-- > 0)
            continue;
        *ret_line = token->line;
        return token->name;
    }
    return NULL;
}
