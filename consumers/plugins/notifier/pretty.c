#include "consumers/plugins/notifier/pretty.h"

struct printer {
    struct weir_buffer *out;
    size_t end; /* of the last whole line may not lie beyond */
    size_t depth;
    bool cut;
};

static void new_line(struct printer *printer)
{
    if (printer->out->len > printer->end) {
        printer->cut = true;
        return;
    }
    weir_buffer_append(printer->out, "\n", 1);
    for (size_t i = 0; i < printer->depth; i++)
        weir_buffer_append(printer->out, "  ", 2);
}

/* Index behind the string that begins at `at`. */
static size_t string_end(struct weir_bytes json, size_t at)
{
    for (at++; at < json.len && json.data[at] != '"'; at++)
        if (json.data[at] == '\\')
            at++;
    return at < json.len ? at + 1 : json.len;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(struct weir_bytes json, size_t at)
{
    while (at < json.len && is_space(json.data[at]))
        at++;
    return at;
}

/* Prints an opening bracket; an empty object or array stays on its line. Answers the index behind. */
static size_t open_level(struct printer *printer, struct weir_bytes json, size_t at)
{
    size_t next = skip_space(json, at + 1);
    weir_buffer_append(printer->out, json.data + at, 1);
    if (next < json.len && (json.data[next] == '}' || json.data[next] == ']')) {
        weir_buffer_append(printer->out, json.data + next, 1);
        return next + 1;
    }
    printer->depth++;
    new_line(printer);
    return next;
}

static size_t print_mark(struct printer *printer, struct weir_bytes json, size_t at)
{
    char mark = json.data[at];

    if (mark == '{' || mark == '[')
        return open_level(printer, json, at);
    if (mark == '}' || mark == ']') {
        printer->depth -= printer->depth > 0;
        new_line(printer);
    }
    if (!printer->cut)
        weir_buffer_append(printer->out, &mark, 1);
    if (mark == ',')
        new_line(printer);
    if (mark == ':')
        weir_buffer_append(printer->out, " ", 1);
    return at + 1;
}

static bool is_mark(char c)
{
    return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':';
}

/* A string, number or word, as it stands. */
static size_t print_scalar(struct printer *printer, struct weir_bytes json, size_t at)
{
    size_t end = at;

    if (json.data[at] == '"')
        end = string_end(json, at);
    else
        while (end < json.len && !is_mark(json.data[end]) && !is_space(json.data[end]))
            end++;
    weir_buffer_append(printer->out, json.data + at, end - at);
    return end;
}

bool weir_pretty_append(struct weir_buffer *out, struct weir_bytes json, size_t most)
{
    struct printer printer = {.out = out, .end = out->len + most};

    for (size_t at = skip_space(json, 0); at < json.len && !printer.cut; at = skip_space(json, at))
        at = is_mark(json.data[at]) ? print_mark(&printer, json, at) : print_scalar(&printer, json, at);
    return !printer.cut;
}
