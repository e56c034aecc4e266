#include "consumers/plugins/store/problem.h"

#include "common/json.h"

#include <stdio.h>

enum { DETAIL_BYTES = 512 };

static void write_detail(const char *detail, struct weir_buffer *out)
{
    struct weir_bytes text = weir_bytes_str(detail);

    weir_buffer_clear(out);
    weir_buffer_append_str(out, "\"detail\":");
    weir_buffer_append_json_string(
        out, weir_bytes(text.data, text.len < DETAIL_BYTES ? text.len : DETAIL_BYTES));
}

/* Answers false, and leaves it out, when there is no room for it. */
static bool write_error(
    struct weir_bytes pointer, struct weir_bytes detail, bool first, struct weir_buffer *out)
{
    size_t before = out->len;

    weir_buffer_append_str(out, first ? ",\"errors\":[" : ",");
    weir_buffer_append_str(out, "{\"pointer\":");
    weir_buffer_append_json_string(out, pointer);
    weir_buffer_append_str(out, ",\"detail\":");
    weir_buffer_append_json_string(out, detail);
    weir_buffer_append_str(out, "}");
    bool fits = out->len < WEIR_PROBLEM_BYTES;
    if (!fits && !out->failed)
        out->data[out->len = before] = '\0';
    return fits;
}

void weir_problem_write(const char *text, struct weir_buffer *out)
{
    struct weir_bytes pointer, detail;

    write_detail(text, out);
    if (weir_json_error_place(text, &pointer, &detail) && write_error(pointer, detail, true, out))
        weir_buffer_append_str(out, "]");
}

void weir_problem_write_violations(const struct weir_schema_violations *violations, struct weir_buffer *out)
{
    char detail[96];
    size_t count = 0;

    snprintf(detail, sizeof(detail), "the document breaks its schema at %s%zu place%s",
        violations->more ? "more than " : "", violations->count, violations->count == 1 ? "" : "s");
    write_detail(detail, out);
    while (count < violations->count && write_error(weir_bytes_str(violations->list[count].pointer),
                                            weir_bytes_str(violations->list[count].detail), count == 0, out))
        count++;
    if (count > 0)
        weir_buffer_append_str(out, "]");
}

void weir_problem_read(struct weir_bytes outcome, struct weir_buffer *out)
{
    struct weir_bytes detail = weir_json_member(outcome, "detail"),
                      errors = weir_json_member(outcome, "errors");

    weir_buffer_clear(out);
    if (detail.data == NULL ||
        detail.len + errors.len + sizeof("\"detail\":,\"errors\":") > WEIR_PROBLEM_BYTES)
        return;
    weir_buffer_append_str(out, "\"detail\":");
    weir_buffer_append_bytes(out, detail);
    if (errors.data == NULL)
        return;
    weir_buffer_append_str(out, ",\"errors\":");
    weir_buffer_append_bytes(out, errors);
}
