#include "consumers/plugins/notifier/templates.h"

#include "consumers/plugins/notifier/templates_builtin.h"

#include "common/file.h"
#include "common/mustache.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 63 };

static const char *const endings[WEIR_TEMPLATE_PARTS] = {
    [WEIR_TEMPLATE_SUBJECT] = ".subject.mustache",
    [WEIR_TEMPLATE_TEXT] = ".txt.mustache",
    [WEIR_TEMPLATE_HTML] = ".html.mustache",
};

struct entry {
    char name[NAME_BYTES + 1];
    enum weir_template_part part;
    struct weir_mustache *compiled;
};

struct weir_templates {
    char *folder; /* NULL: there is none */
    struct entry *entries;
    size_t count, capacity;
};

static struct entry *find(
    const struct weir_templates *templates, const char *name, enum weir_template_part part)
{
    for (size_t i = 0; i < templates->count; i++)
        if (templates->entries[i].part == part && strcmp(templates->entries[i].name, name) == 0)
            return &templates->entries[i];
    return NULL;
}

static bool ends_with(const char *text, const char *ending)
{
    size_t len = strlen(text), ending_len = strlen(ending);
    return len >= ending_len && strcmp(text + len - ending_len, ending) == 0;
}

/* The name and part of a file; false when it can be none. */
static bool read_file_name(const char *file, struct entry *entry)
{
    for (size_t i = 0; i < WEIR_TEMPLATE_PARTS; i++) {
        size_t len = strspn(file, "abcdefghijklmnopqrstuvwxyz0123456789-");
        if (len == 0 || len > NAME_BYTES || strcmp(file + len, endings[i]) != 0)
            continue;
        snprintf(entry->name, sizeof(entry->name), "%.*s", (int)len, file);
        entry->part = (enum weir_template_part)i;
        return true;
    }
    return false;
}

static int add(struct weir_templates *templates, const struct entry *entry, struct weir_error *err)
{
    struct entry *place = find(templates, entry->name, entry->part);

    if (place == NULL) {
        if (templates->count == templates->capacity) {
            size_t capacity = 2 * templates->capacity + 16;
            struct entry *entries = reallocarray(templates->entries, capacity, sizeof(*entries));
            if (entries == NULL)
                return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
            templates->entries = entries;
            templates->capacity = capacity;
        }
        place = &templates->entries[templates->count++];
        place->compiled = NULL;
    }
    weir_mustache_free(place->compiled);
    *place = *entry;
    return 0;
}

static int add_text(struct weir_templates *templates, const char *shown, const char *file,
    struct weir_bytes text, struct weir_error *err)
{
    struct entry entry = {0};

    if (!read_file_name(file, &entry))
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: templates are named NAME.subject.mustache, NAME.txt.mustache or NAME.html.mustache, NAME of "
            "a-z "
            "0-9 -",
            shown);
    int code = weir_mustache_compile(shown, text, &entry.compiled, err);
    if (code < 0)
        return weir_error_set(err, WEIR_E_CONFIG, "%s", err != NULL ? err->text : "");
    code = add(templates, &entry, err);
    if (code < 0)
        weir_mustache_free(entry.compiled);
    return code;
}

static int add_file(struct weir_templates *templates, const char *file, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *path = NULL;
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};

    if (templates->count >= WEIR_TEMPLATE_FILES_MAX)
        return weir_error_set(
            err, WEIR_E_CONFIG, "%s: more than %d templates", templates->folder, WEIR_TEMPLATE_FILES_MAX);
    if (asprintf(&path, "%s/%s", templates->folder, file) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    weir_buffer_append_str(&text, "");
    if (weir_file_read(path, WEIR_MUSTACHE_TEXT_MAX, &text, NULL, err) < 0)
        return weir_error_set(err, WEIR_E_CONFIG, "%s", err != NULL ? err->text : "");
    return add_text(templates, path, file, weir_buffer_bytes(&text), err);
}

static int add_folder(struct weir_templates *templates, struct weir_error *err)
{
    DIR *folder = opendir(templates->folder);
    int code = 0;

    if (folder == NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: %s", templates->folder, strerror(errno));
    for (const struct dirent *file; code == 0 && (file = readdir(folder)) != NULL;)
        if (file->d_name[0] != '.' && ends_with(file->d_name, ".mustache"))
            code = add_file(templates, file->d_name, err);
    closedir(folder);
    return code;
}

static int check_partials(
    const struct weir_templates *templates, const struct entry *entry, struct weir_error *err)
{
    size_t line = 0;

    for (size_t i = 0;; i++) {
        const char *partial = weir_mustache_partial(entry->compiled, i, &line);
        if (partial == NULL)
            return 0;
        if (find(templates, partial, entry->part) == NULL)
            return weir_error_set(err, WEIR_E_CONFIG, "%s%s%s%s:%zu: there is no partial %.63s%s",
                templates->folder != NULL ? templates->folder : "", templates->folder != NULL ? "/" : "",
                entry->name, endings[entry->part], line, partial, endings[entry->part]);
    }
}

static int load(struct weir_templates *templates, struct weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < WEIR_TEMPLATES_BUILTIN_COUNT && code == 0; i++) {
        const struct weir_template_builtin *file = &weir_templates_builtin[i];
        code = add_text(templates, file->name, file->name, weir_bytes_str(file->text), err);
    }
    if (code == 0 && templates->folder != NULL)
        code = add_folder(templates, err);
    for (size_t i = 0; i < templates->count && code == 0; i++)
        code = check_partials(templates, &templates->entries[i], err);
    return code;
}

int weir_templates_load(const char *folder, struct weir_templates **ret_templates, struct weir_error *err)
{
    WEIR_CLEANUP(templates) struct weir_templates *templates = calloc(1, sizeof(*templates));

    if (templates == NULL || (folder != NULL && (templates->folder = strdup(folder)) == NULL))
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = load(templates, err);
    if (code == 0)
        *ret_templates = weir_steal(templates);
    return code;
}

void weir_templates_free(struct weir_templates *templates)
{
    if (templates == NULL)
        return;
    for (size_t i = 0; i < templates->count; i++)
        weir_mustache_free(templates->entries[i].compiled);
    free(templates->entries);
    free(templates->folder);
    free(templates);
}

int weir_templates_check(const struct weir_templates *templates, const char *name, struct weir_error *err)
{
    for (size_t part = WEIR_TEMPLATE_SUBJECT; part <= WEIR_TEMPLATE_TEXT; part++)
        if (find(templates, name, (enum weir_template_part)part) == NULL)
            return weir_error_set(err, WEIR_E_CONFIG, "there is no %.80s%s in %s", name, endings[part],
                templates->folder != NULL ? templates->folder : "the built-in templates");
    return 0;
}

bool weir_templates_have(
    const struct weir_templates *templates, const char *name, enum weir_template_part part)
{
    return find(templates, name, part) != NULL;
}

struct place {
    const struct weir_templates *templates;
    enum weir_template_part part;
};

static const struct weir_mustache *find_partial(void *context, const char *partial)
{
    const struct place *place = context;
    const struct entry *entry = find(place->templates, partial, place->part);
    return entry != NULL ? entry->compiled : NULL;
}

int weir_templates_render(const struct weir_templates *templates, const char *name,
    enum weir_template_part part, const struct weir_bytes *contexts, size_t context_count,
    struct weir_buffer *out, struct weir_error *err)
{
    struct place place = {templates, part};
    const struct entry *entry = find(templates, name, part);
    const struct weir_mustache_options options = {.html = part == WEIR_TEMPLATE_HTML,
        .most = WEIR_TEMPLATE_OUTPUT_MAX,
        .find = find_partial,
        .context = &place};

    if (entry == NULL)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "there is no template %.80s%s", name, endings[part]);
    return weir_mustache_render(entry->compiled, contexts, context_count, &options, out, err);
}
