#include "common/option.h"

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/option_text.h"

#include <stdlib.h>
#include <string.h>

/* Where a parsed value goes: text that the member owns, a list, a number or a truth. */
static void *member(const struct weir_option *row, void *settings)
{
    return (char *)settings + row->offset;
}

static int refuse_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

static bool is_bounded(const struct weir_option *row)
{
    return row->min != 0 || row->max != 0;
}

static bool is_within(const struct weir_option *row, int64_t value)
{
    return !is_bounded(row) || (value >= row->min && value <= row->max);
}

static int refuse_range(
    const struct weir_option *row, const char *text, const char *what, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer range = {0};

    weir_option_text_range(row, &range);
    return weir_option_text_refuse(row, text, err, "%s%s", what, weir_buffer_bytes(&range).data);
}

static void free_list(char **list)
{
    for (char **entry = list; entry != NULL && *entry != NULL; entry++)
        free(*entry);
    free(list);
}

WEIR_CLEANUP_DEFINE(list, char **, free_list)

static int set_text(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    char **place = member(row, settings);

    char *copy = strdup(text);
    if (copy == NULL)
        return refuse_memory(err);
    free(*place);
    *place = copy;
    return 0;
}

static int check_plain(const struct weir_option *row, const char *text, struct weir_error *err)
{
    if (!weir_utf8_valid(weir_bytes_str(text)))
        return weir_option_text_refuse(row, text, err, "is not UTF-8");
    if (weir_option_text_has_control(text))
        return weir_option_text_refuse(row, text, err, "holds a control character");
    if (!is_within(row, (int64_t)strlen(text)))
        return refuse_range(row, text, "has to be of ", err);
    return 0;
}

static int set_string(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    int code = check_plain(row, text, err);
    return code < 0 ? code : set_text(row, settings, text, err);
}

static int set_bool(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        {"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}};
    bool *place = member(row, settings);

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, text) == 0) {
            *place = words[i].value;
            return 0;
        }
    }
    return weir_option_text_refuse(row, text, err, "allowed are true, false, yes, no, on, off");
}

static int set_measure(
    const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    int64_t value, *place = member(row, settings);

    switch (weir_option_text_measure(row->type, text, &value)) {
    case WEIR_MEASURE_OK:
        break;
    case WEIR_MEASURE_NO_NUMBER:
        return weir_option_text_refuse(row, text, err, "%s", weir_option_text_hint(row->type));
    case WEIR_MEASURE_OVERFLOW:
        return refuse_range(row, text, "is out of range; allowed is ", err);
    }
    if (!is_within(row, value))
        return refuse_range(row, text, "allowed is ", err);
    *place = value;
    return 0;
}

static int set_choice(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    int64_t index = 0, *place = member(row, settings);
    size_t len = strlen(text);

    for (const char *word = row->choices; word != NULL; index++) {
        size_t span = strcspn(word, "|");
        if (span == len && len > 0 && memcmp(word, text, len) == 0) {
            *place = index;
            return 0;
        }
        word = word[span] == '|' ? word + span + 1 : NULL;
    }
    return weir_option_text_refuse(row, text, err, "allowed are %s", row->choices);
}

static int set_address(
    const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    if (!weir_option_text_is_address(text))
        return weir_option_text_refuse(row, text, err, "expected host:port, [v6]:port or unix:/path");
    return set_string(row, settings, text, err);
}

static int set_url(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    if (!weir_option_text_is_url(text))
        return weir_option_text_refuse(
            row, text, err, "expected http://host:port/path or https://…, without user, query or fragment");
    return set_string(row, settings, text, err);
}

static int set_path(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    enum { PATH_BYTES = 4095 };

    if (text[0] == '\0' || strlen(text) > PATH_BYTES)
        return weir_option_text_refuse(row, text, err, "a path has 1 to %d bytes", PATH_BYTES);
    return set_string(row, settings, text, err);
}

/* Cuts the next entry off *rest, trimmed. */
static struct weir_bytes next_entry(const char **rest)
{
    const char *begin = *rest + strspn(*rest, " \t");
    const char *end = begin + strcspn(begin, ",");

    *rest = *end == ',' ? end + 1 : NULL;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return weir_bytes(begin, (size_t)(end - begin));
}

static size_t count_entries(const char *text)
{
    size_t count = 1;

    for (; *text != '\0'; text++)
        count += *text == ',';
    return count;
}

static int set_list(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    size_t count = count_entries(text), used = 0;
    WEIR_CLEANUP(list) char **list = calloc(count + 1, sizeof(*list));
    char ***place = member(row, settings);

    if (list == NULL)
        return refuse_memory(err);
    if (!weir_utf8_valid(weir_bytes_str(text)))
        return weir_option_text_refuse(row, text, err, "is not UTF-8");
    for (const char *rest = text; rest != NULL; used++) {
        struct weir_bytes entry = next_entry(&rest);
        if (entry.len == 0)
            return weir_option_text_refuse(
                row, text, err, "has an empty entry; entries stand between commas");
        list[used] = weir_bytes_dup(entry);
        if (list[used] == NULL)
            return refuse_memory(err);
        if (weir_option_text_has_control(list[used]))
            return weir_option_text_refuse(row, text, err, "holds a control character");
    }
    if (!is_within(row, (int64_t)count))
        return refuse_range(row, text, "has to be of ", err);
    free_list(*place);
    *place = weir_steal(list);
    return 0;
}

static int set_secret(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *value = NULL;

    int code = weir_option_secret(row->key, text, &value, err);
    return code < 0 ? code : set_string(row, settings, value, err);
}

/* How a type is read and what its member owns. */
static const struct type {
    int (*set)(const struct weir_option *row, void *settings, const char *text, struct weir_error *err);
    bool owns_text, owns_list;
} types[] = {
    [WEIR_OPTION_STRING] = {set_string, .owns_text = true},
    [WEIR_OPTION_BOOL] = {set_bool},
    [WEIR_OPTION_INTEGER] = {set_measure},
    [WEIR_OPTION_DURATION] = {set_measure},
    [WEIR_OPTION_SIZE] = {set_measure},
    [WEIR_OPTION_CHOICE] = {set_choice},
    [WEIR_OPTION_ADDRESS] = {set_address, .owns_text = true},
    [WEIR_OPTION_URL] = {set_url, .owns_text = true},
    [WEIR_OPTION_PATH] = {set_path, .owns_text = true},
    [WEIR_OPTION_LIST] = {set_list, .owns_list = true},
    [WEIR_OPTION_SECRET] = {set_secret, .owns_text = true},
};

static bool is_sound(const struct weir_option *row)
{
    return row->key != NULL && (size_t)row->type < sizeof(types) / sizeof(types[0]) &&
           (row->type != WEIR_OPTION_CHOICE || row->choices != NULL);
}

int weir_option_set(const struct weir_option *row, void *settings, const char *text, struct weir_error *err)
{
    if (!is_sound(row))
        return weir_error_set(err, WEIR_E_INTERNAL, "option %s: its table row is broken",
            row->key != NULL ? row->key : "(no key)");
    return types[row->type].set(row, settings, text, err);
}

int weir_option_defaults(const struct weir_option_table *table, void *settings, struct weir_error *err)
{
    weir_option_free(table, settings);
    for (size_t i = 0; i < table->count; i++) {
        const struct weir_option *row = &table->rows[i];
        if (row->fallback == NULL)
            continue;
        int code = weir_option_set(row, settings, row->fallback, err);
        if (code < 0) {
            weir_error_prefix(err, "fallback");
            return WEIR_E_CONFIG;
        }
    }
    return 0;
}

const struct weir_option *weir_option_find(const struct weir_option_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].key, key) == 0)
            return &table->rows[i];
    return NULL;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same_list(char *const *a, char *const *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    while (*a != NULL && *b != NULL && strcmp(*a, *b) == 0)
        a++, b++;
    return *a == *b;
}

static bool is_same(const struct weir_option *row, const void *before, const void *after)
{
    const void *a = (const char *)before + row->offset, *b = (const char *)after + row->offset;
    if (types[row->type].owns_text)
        return is_same_text(*(char *const *)a, *(char *const *)b);
    if (types[row->type].owns_list)
        return is_same_list(*(char **const *)a, *(char **const *)b);
    return row->type == WEIR_OPTION_BOOL ? *(const bool *)a == *(const bool *)b
                                         : *(const int64_t *)a == *(const int64_t *)b;
}

const char *weir_option_changed(
    const struct weir_option_table *table, const void *before, const void *after, bool fixed)
{
    for (size_t i = 0; i < table->count; i++)
        if (!(fixed && table->rows[i].reload) && !is_same(&table->rows[i], before, after))
            return table->rows[i].key;
    return NULL;
}

void weir_option_free(const struct weir_option_table *table, void *settings)
{
    for (size_t i = 0; settings != NULL && i < table->count; i++) {
        const struct weir_option *row = &table->rows[i];
        if (!is_sound(row))
            continue;
        if (types[row->type].owns_text) {
            free(*(char **)member(row, settings));
            *(char **)member(row, settings) = NULL;
        } else if (types[row->type].owns_list) {
            free_list(*(char ***)member(row, settings));
            *(char ***)member(row, settings) = NULL;
        }
    }
}
