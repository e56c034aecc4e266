/* What a client asks for: one table of options for the query of a GET and for the body of a redrive. */
#include "common/clock.h"
#include "common/json.h"
#include "common/json_span.h"
#include "common/option.h"
#include "gateway/dlq_parts.h"
#include "gateway/query.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES = 2100, SETS_MAX = 64 };

#define INTEGER_MOST 9007199254740992.0 /* beyond it a double does not tell integers apart */

static const struct weir_option filter_rows[] = {
    WEIR_LETTER_ROWS("", "_", struct weir_dlq_settings, letters)};

static const struct weir_option page_rows[] = {
    {.key = "limit",
        .type = WEIR_OPTION_INTEGER,
        .fallback = "100",
        .min = 1,
        .max = 1000,
        .offset = offsetof(struct weir_dlq_settings, limit)},
    {.key = "cursor", .type = WEIR_OPTION_STRING, .offset = offsetof(struct weir_dlq_settings, cursor)},
};

static const struct weir_option redrive_rows[] = {
    WEIR_REDRIVE_ROWS("", "_", struct weir_dlq_settings, redrive)};

#define TABLE(rows)                                                                                          \
    {                                                                                                        \
        NULL, rows, sizeof(rows) / sizeof((rows)[0]), sizeof(struct weir_dlq_settings)                       \
    }

static const struct weir_option_table filter_table = TABLE(filter_rows), page_table = TABLE(page_rows),
                                      redrive_table = TABLE(redrive_rows);

/* ---- places ---- */

int weir_dlq_place_read(const char *text, struct weir_dlq_place *ret_place, struct weir_error *err)
{
    char position[WEIR_POSITION_BYTES];
    snprintf(position, sizeof(position), "%s", text);
    for (char *at = position; (at = strpbrk(at, "~/")) != NULL; at++)
        *at = *at == '~' ? '/' : '~'; /* a slash is none of ours */
    if (strlen(text) < sizeof(position) &&
        weir_position_read(weir_bytes_str(position), ret_place->topic, sizeof(ret_place->topic),
            &ret_place->partition, &ret_place->offset, NULL) == 0)
        return 0;
    return weir_error_set(
        err, WEIR_E_INVALID, "a letter is named topic~partition~offset, as \"letter\" tells it with slashes");
}

/* ---- one option ---- */

static const struct weir_option *find(
    const struct weir_option_table *const tables[], const char *name, struct weir_error *err)
{
    for (; *tables != NULL; tables++) {
        const struct weir_option *row = weir_option_find(*tables, name);
        if (row != NULL)
            return row;
    }
    weir_error_set(err, WEIR_E_INVALID, "%.60s: there is no such thing to be said here", name);
    return NULL;
}

static int make_filter(struct weir_dlq_job *job, struct weir_error *err)
{
    if (weir_letter_filter_make(&job->settings.letters, weir_clock_wall_ms(), job->source, &job->filter) == 0)
        return 0;
    return weir_error_set(
        err, WEIR_E_INVALID, "source: it is written TOPIC, TOPIC/PARTITION or TOPIC/PARTITION/FROM-TO");
}

/* ---- the query ---- */

static int take_parameter(struct weir_dlq_job *job, const struct weir_option_table *const tables[],
    const struct weir_query_pair *pair, struct weir_error *err)
{
    char name[WEIR_DLQ_MEMBER_BYTES], value[VALUE_BYTES];

    if (weir_query_decode(pair->name, name, sizeof(name), NULL) < 0 ||
        weir_query_decode(pair->value, value, sizeof(value), NULL) < 0)
        return weir_error_set(err, WEIR_E_INVALID, "%.*s: is too long",
            pair->name.len < 60 ? (int)pair->name.len : 60, pair->name.data);
    const struct weir_option *row = find(tables, name, err);
    return row != NULL ? weir_option_set(row, &job->settings, value, err) : WEIR_E_INVALID;
}

int weir_dlq_query_read(struct weir_dlq_job *job, bool paged, struct weir_error *err)
{
    bool filters = !job->request->path.item;
    const struct weir_option_table *const tables[] = {
        filters ? &filter_table : NULL, paged ? &page_table : NULL, NULL};
    struct weir_bytes rest = weir_query_of(job->request->target);
    struct weir_query_pair pair;
    int code = weir_option_defaults(&page_table, &job->settings, err);

    while (code == 0 && weir_query_next(&rest, &pair))
        code = take_parameter(job, tables, &pair, err);
    if (code == 0 && job->settings.cursor != NULL &&
        weir_dlq_place_read(job->settings.cursor, &job->place, NULL) < 0)
        code = weir_error_set(err, WEIR_E_INVALID, "cursor: is none that was given");
    return code == 0 ? make_filter(job, err) : code;
}

/* ---- the body ---- */

/* JSON has types where a query has texts. */
static bool is_of_type(const struct weir_option *row, struct weir_bytes value)
{
    if (row->type == WEIR_OPTION_BOOL)
        return weir_bytes_is(value, "true") || weir_bytes_is(value, "false");
    return row->type == WEIR_OPTION_INTEGER ? strchr("-0123456789", value.data[0]) != NULL
                                            : value.data[0] == '"';
}

/* 5.0 and 50e-1 are integers, too (JSON Schema 2020-12, validation, 6.1.1). What is none stays as it is. */
static char *write_integer(struct weir_bytes number)
{
    char *text = weir_bytes_dup(number), *digits = NULL;
    double value = text != NULL ? strtod(text, NULL) : 0;
    if (text == NULL || strpbrk(text, ".eE") == NULL || value != floor(value) || fabs(value) > INTEGER_MOST)
        return text;
    free(text);
    return asprintf(&digits, "%.0f", value) >= 0 ? digits : NULL;
}

static int take_value(struct weir_dlq_job *job, const struct weir_option_table *const tables[],
    const char *name, struct weir_bytes value, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *text = NULL, *owned = NULL;
    const struct weir_option *row = find(tables, name, err);

    if (row == NULL)
        return WEIR_E_INVALID;
    if (!is_of_type(row, value))
        return weir_error_set(err, WEIR_E_INVALID, "%s: is %s", name,
            row->type == WEIR_OPTION_BOOL      ? "true or false"
            : row->type == WEIR_OPTION_INTEGER ? "a number"
                                               : "a string");
    if (value.data[0] == '"' && !weir_json_decode_string(value, &value, &owned))
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    text = row->type == WEIR_OPTION_INTEGER ? write_integer(value) : weir_bytes_dup(value);
    return text != NULL ? weir_option_set(row, &job->settings, text, err)
                        : weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* The member's name; "?" for one that is too long to be known. */
static int read_name(struct weir_bytes quoted, char out[static WEIR_DLQ_MEMBER_BYTES])
{
    WEIR_CLEANUP(free) char *owned = NULL;
    struct weir_bytes name;
    if (!weir_json_decode_string(quoted, &name, &owned))
        return WEIR_E_INTERNAL;
    if (name.len >= WEIR_DLQ_MEMBER_BYTES)
        name = weir_bytes_str("?");
    memcpy(out, name.data, name.len);
    out[name.len] = '\0';
    return 0;
}

static int read_filter(struct weir_dlq_job *job, struct weir_bytes object, struct weir_error *err)
{
    static const struct weir_option_table *const tables[] = {&filter_table, NULL};
    struct weir_json_cursor cursor = weir_json_cursor_begin(object);
    struct weir_json_member member;
    int code = 0;

    if (object.data[0] != '{' || job->request->path.item)
        return weir_error_set(err, WEIR_E_INVALID,
            job->request->path.item ? "filter: the path names the letter" : "filter: is an object");
    while (code == 0 && weir_json_cursor_next(&cursor, &member)) {
        char name[WEIR_DLQ_MEMBER_BYTES];
        code = read_name(member.name, name);
        code = code < 0 ? weir_error_set(err, code, "out of memory")
                        : take_value(job, tables, name, member.value, err);
    }
    if (code == 0 && job->settings.letters.open) /* what was redriven never goes back again */
        code = weir_error_set(err, WEIR_E_INVALID, "open: a redrive leaves what was redriven by itself");
    return code;
}

static bool is_pointer(const char *text)
{
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return false;
    return text[0] == '\0' || text[0] == '/';
}

static size_t count_members(struct weir_bytes object)
{
    struct weir_json_cursor cursor = weir_json_cursor_begin(object);
    struct weir_json_member member;
    size_t count = 0;

    while (weir_json_cursor_next(&cursor, &member))
        count++;
    return count;
}

/* What else an entry says would not be heeded. */
static int take_set(struct weir_dlq_job *job, struct weir_bytes entry, struct weir_error *err)
{
    struct weir_bytes value = weir_json_member(entry, "value");
    char *pointer = NULL;

    if (entry.data[0] != '{' || value.data == NULL || count_members(entry) != 2 ||
        weir_json_member_string(entry, "pointer", &pointer, NULL) < 0)
        return weir_error_set(err, WEIR_E_INVALID, "set: each entry is {\"pointer\": …, \"value\": …}");
    job->sets[job->set_count++] = (struct weir_redrive_set){pointer, value};
    return is_pointer(pointer)
               ? 0
               : weir_error_set(err, WEIR_E_INVALID,
                     "set: a pointer (RFC 6901) is \"\" or begins with /, and holds no control "
                     "characters");
}

static int read_sets(struct weir_dlq_job *job, struct weir_bytes array, struct weir_error *err)
{
    const char *at = array.data + 1, *end = array.data + array.len - 1;
    int code = 0;

    job->sets = calloc(SETS_MAX, sizeof(*job->sets));
    if (job->sets == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (array.data[0] != '[')
        return weir_error_set(err, WEIR_E_INVALID, "set: is an array");
    for (at = weir_json_skip_space(at, end); at < end && code == 0; at = weir_json_skip_space(at, end)) {
        const char *behind = weir_json_skip_value(at, end);
        if (job->set_count == SETS_MAX)
            return weir_error_set(err, WEIR_E_INVALID, "set: has at most %d entries", SETS_MAX);
        code = take_set(job, weir_json_span(at, behind), err);
        at = weir_json_skip_space(behind, end);
        at += at < end && *at == ',';
    }
    return code;
}

static int take_member(
    struct weir_dlq_job *job, const char *name, struct weir_bytes value, struct weir_error *err)
{
    static const struct weir_option_table *const tables[] = {&redrive_table, NULL};
    if (strcmp(name, "filter") == 0)
        return read_filter(job, value, err);
    if (strcmp(name, "set") == 0)
        return read_sets(job, value, err);
    return take_value(job, tables, name, value, err);
}

int weir_dlq_body_read(
    struct weir_dlq_job *job, char member[static WEIR_DLQ_MEMBER_BYTES], struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *parsed = NULL;
    struct weir_bytes body = weir_buffer_bytes(&job->request->body);
    struct weir_json_cursor cursor;
    struct weir_json_member at;
    int code = weir_option_defaults(&redrive_table, &job->settings, err);

    if (code == 0)
        code = weir_json_parse_object(body, &parsed, err);
    if (code < 0)
        return code;
    cursor = weir_json_cursor_begin(body);
    while (code == 0 && weir_json_cursor_next(&cursor, &at)) {
        code = read_name(at.name, member);
        code =
            code < 0 ? weir_error_set(err, code, "out of memory") : take_member(job, member, at.value, err);
    }
    if (code < 0)
        return code;
    snprintf(member, WEIR_DLQ_MEMBER_BYTES, "filter");
    return make_filter(job, err);
}

void weir_dlq_query_done(struct weir_dlq_job *job)
{
    for (size_t i = 0; i < job->set_count; i++)
        free((char *)(uintptr_t)job->sets[i].pointer);
    free(job->sets);
    weir_option_free(&filter_table, &job->settings);
    weir_option_free(&page_table, &job->settings);
}
