#include "common/config.h"

#include "common/bytes.h"
#include "common/config_file.h"
#include "common/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int new_config(
    const char *name, bool is_private, struct weir_config **ret_config, struct weir_error *err)
{
    struct weir_config *config = calloc(1, sizeof(*config));

    if (config != NULL) {
        config->name = strdup(name);
        config->is_private = is_private;
        config->variables = calloc(1, sizeof(*config->variables));
    }
    if (config == NULL || config->name == NULL || config->variables == NULL) {
        weir_config_free(config);
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    }
    *ret_config = config;
    return 0;
}

static int parse(const char *name, struct weir_bytes text, bool is_private, struct weir_config **ret_config,
    struct weir_error *err)
{
    WEIR_CLEANUP(config) struct weir_config *config = NULL;

    int code = new_config(name, is_private, &config, err);
    if (code == 0)
        code = weir_config_read(config, text, err);
    if (code == 0)
        *ret_config = weir_steal(config);
    return code;
}

int weir_config_load(const char *path, struct weir_config **ret_config, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    bool is_private = false;

    int code = weir_file_read(path, WEIR_CONFIG_FILE_BYTES, &text, &is_private, err);
    if (code == WEIR_E_TOO_LARGE)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: the file has more than 1 MiB", path);
    return code < 0 ? code : parse(path, weir_buffer_bytes(&text), is_private, ret_config, err);
}

int weir_config_parse(
    const char *name, const char *text, size_t len, struct weir_config **ret_config, struct weir_error *err)
{
    return parse(name, weir_bytes(text, len), true, ret_config, err);
}

void weir_config_free(struct weir_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->section_count; i++)
        free(config->sections[i].name);
    for (size_t i = 0; i < config->entry_count; i++) {
        free(config->entries[i].section);
        free(config->entries[i].key);
        free(config->entries[i].value);
    }
    free(config->sections);
    free(config->entries);
    weir_config_variables_free(config->variables);
    free(config->name);
    free(config);
}

bool weir_config_has(const struct weir_config *config, const char *section)
{
    for (size_t i = 0; i < config->section_count; i++)
        if (strcmp(config->sections[i].name, section) == 0)
            return true;
    return false;
}

const char *weir_config_named(const struct weir_config *config, const char *kind, size_t i)
{
    size_t len = strlen(kind);

    for (size_t s = 0; s < config->section_count; s++) {
        const char *name = config->sections[s].name;
        if (strncmp(name, kind, len) == 0 && name[len] == ' ' && i-- == 0)
            return name + len + 1;
    }
    return NULL;
}

static int find_line(const struct weir_config *config, const char *section, const char *key)
{
    for (size_t i = 0; key != NULL && i < config->entry_count; i++)
        if (strcmp(config->entries[i].section, section) == 0 && strcmp(config->entries[i].key, key) == 0)
            return config->entries[i].line;
    for (size_t i = 0; i < config->section_count; i++)
        if (strcmp(config->sections[i].name, section) == 0)
            return config->sections[i].line;
    return 0;
}

/* The variable that overrides the key, into out. */
static bool find_variable(const char *section, const char *key, char *out, size_t size)
{
    WEIR_CLEANUP(free) char *name = key != NULL ? weir_config_variable_name(section, key) : NULL;

    if (name == NULL)
        return false;
    snprintf(out, size, "%s", name);
    if (getenv(out) != NULL)
        return true;
    snprintf(out, size, "%s_FILE", name);
    return getenv(out) != NULL;
}

const char *weir_config_where(const struct weir_config *config, const char *section, const char *key)
{
    enum { PLACES = 4, PLACE_BYTES = 1024 };
    static _Thread_local char places[PLACES][PLACE_BYTES]; /* so that one message may name several */
    static _Thread_local unsigned turn;
    char *place = places[turn++ % PLACES];

    if (find_variable(section, key, place, PLACE_BYTES))
        return place;
    int line = find_line(config, section, key);
    if (line > 0)
        snprintf(place, PLACE_BYTES, "%s:%d", config->name, line);
    else
        snprintf(place, PLACE_BYTES, "%s", config->name);
    return place;
}

/* One call of weir_config_bind. */
struct binding {
    const struct weir_config *config;
    const char *section;
    const char *prefix; /* "" for none */
    const struct weir_option_table *table;
    weir_config_rest_fn *rest;
    void *context;
    void *settings;
    bool *given; /* for each row: the file or the environment had it */
    struct weir_error *err;
};

static int refuse_unknown(const struct binding *binding, const char *key)
{
    const char *name = key + strlen(binding->prefix);
    const char *nearest = weir_option_nearest(binding->table, name);

    if (nearest == NULL)
        return weir_error_set(binding->err, WEIR_E_CONFIG, "%s: unknown key \"%s\" in [%s]",
            weir_config_where(binding->config, binding->section, key), key, binding->section);
    return weir_error_set(binding->err, WEIR_E_CONFIG,
        "%s: unknown key \"%s\" in [%s], did you mean \"%s%s\"?",
        weir_config_where(binding->config, binding->section, key), key, binding->section, binding->prefix,
        nearest);
}

static int bind_rest(const struct binding *binding, const struct weir_config_entry *entry)
{
    if (binding->rest == NULL)
        return refuse_unknown(binding, entry->key);
    int code =
        binding->rest(binding->context, entry->key + strlen(binding->prefix), entry->value, binding->err);
    if (code > 0)
        return refuse_unknown(binding, entry->key);
    if (code == 0)
        return 0;
    weir_error_prefix(binding->err, "%s:%d", binding->config->name, entry->line);
    return code;
}

static int check_secret(
    const struct binding *binding, const struct weir_option *row, const struct weir_config_entry *entry)
{
    if (row->type != WEIR_OPTION_SECRET || binding->config->is_private ||
        !weir_option_secret_is_literal(entry->value))
        return 0;
    return weir_error_set(binding->err, WEIR_E_CONFIG,
        "%s:%d: %s = ***: a secret in a file that others may read; chmod 0600 the file, or write @file:PATH "
        "or "
        "@credential:NAME",
        binding->config->name, entry->line, entry->key);
}

/* A secret of the environment takes the place of a file that need not be there. */
static bool is_secret_of_environment(
    const struct binding *binding, const struct weir_option *row, const struct weir_config_entry *entry)
{
    char name[4 * WEIR_CONFIG_NAME_BYTES];
    return row->type == WEIR_OPTION_SECRET && find_variable(binding->section, entry->key, name, sizeof(name));
}

static int bind_entry(const struct binding *binding, const struct weir_config_entry *entry)
{
    const struct weir_option *row = weir_option_find(binding->table, entry->key + strlen(binding->prefix));

    if (row == NULL)
        return bind_rest(binding, entry);
    binding->given[row - binding->table->rows] = true;
    int code = check_secret(binding, row, entry);
    if (code < 0 || is_secret_of_environment(binding, row, entry))
        return code;
    code = weir_option_set(row, binding->settings, entry->value, binding->err);
    if (code < 0)
        weir_error_prefix(binding->err, "%s:%d", binding->config->name, entry->line);
    return code;
}

static int bind_file(const struct binding *binding)
{
    size_t prefix = strlen(binding->prefix);
    int code = 0;

    for (size_t i = 0; i < binding->config->entry_count && code == 0; i++) {
        const struct weir_config_entry *entry = &binding->config->entries[i];
        if (strcmp(entry->section, binding->section) == 0 &&
            strncmp(entry->key, binding->prefix, prefix) == 0)
            code = bind_entry(binding, entry);
    }
    return code;
}

static int bind_variable(const struct binding *binding, const struct weir_option *row)
{
    WEIR_CLEANUP(free) char *value = NULL;
    WEIR_CLEANUP(free) char *name = NULL;
    char key[2 * WEIR_CONFIG_NAME_BYTES];

    snprintf(key, sizeof(key), "%s%s", binding->prefix, row->key);
    int code = weir_config_variable_claim(binding->config, binding->section, key, binding->err);
    if (code == 0)
        code = weir_config_variable_read(binding->section, key, &value, &name, binding->err);
    if (code < 0 || value == NULL)
        return code;
    binding->given[row - binding->table->rows] = true;
    code = weir_option_set(row, binding->settings, value, binding->err);
    if (code < 0)
        weir_error_prefix(binding->err, "%s", name);
    return code;
}

static int bind_environment(const struct binding *binding)
{
    int code = 0;

    for (size_t i = 0; i < binding->table->count && code == 0; i++)
        code = bind_variable(binding, &binding->table->rows[i]);
    return code;
}

static int check_required(const struct binding *binding)
{
    for (size_t i = 0; i < binding->table->count; i++) {
        const struct weir_option *row = &binding->table->rows[i];
        if (!row->required || binding->given[i])
            continue;
        return weir_error_set(binding->err, WEIR_E_CONFIG, "%s: [%s] %s%s is missing: %s",
            weir_config_where(binding->config, binding->section, NULL), binding->section, binding->prefix,
            row->key, row->help != NULL ? row->help : "it has no default");
    }
    return 0;
}

int weir_config_bind(const struct weir_config *config, const char *section, const char *prefix,
    const struct weir_option_table *table, weir_config_rest_fn *rest, void *context, void *settings,
    struct weir_error *err)
{
    WEIR_CLEANUP(free) bool *given = calloc(table->count + 1, sizeof(*given));
    const struct binding binding = {.config = config,
        .section = section,
        .prefix = prefix != NULL ? prefix : "",
        .table = table,
        .rest = rest,
        .context = context,
        .settings = settings,
        .given = given,
        .err = err};

    if (given == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    int code = weir_option_defaults(table, settings, err);
    if (code == 0)
        code = bind_file(&binding);
    if (code == 0)
        code = bind_environment(&binding);
    if (code == 0)
        code = check_required(&binding);
    return code;
}

/* Whether the section is of this kind: "gateway" is exact, "service *" wants a name behind the word. */
static bool is_of_kind(const char *section, const char *kind)
{
    size_t len = strcspn(kind, " ");

    if (strncmp(section, kind, len) != 0)
        return false;
    return kind[len] == '\0' ? section[len] == '\0' : section[len] == ' ';
}

static int refuse_section(const struct weir_config *config, const struct weir_config_section *section,
    const char *const *kinds, struct weir_error *err)
{
    enum { KINDS_MAX = 32 };
    struct weir_option rows[KINDS_MAX] = {0};
    struct weir_option_table table = {.rows = rows};

    for (; kinds[table.count] != NULL && table.count < KINDS_MAX; table.count++)
        rows[table.count].key = kinds[table.count];
    const char *nearest = weir_option_nearest(&table, section->name);
    if (nearest == NULL)
        return weir_error_set(
            err, WEIR_E_CONFIG, "%s:%d: unknown section [%s]", config->name, section->line, section->name);
    size_t len = strcspn(nearest, " ");
    return weir_error_set(err, WEIR_E_CONFIG, "%s:%d: unknown section [%s], did you mean [%.*s%s]?",
        config->name, section->line, section->name, (int)len, nearest, nearest[len] == ' ' ? " NAME" : "");
}

int weir_config_check_sections(
    const struct weir_config *config, const char *const *kinds, struct weir_error *err)
{
    for (size_t i = 0; i < config->section_count; i++) {
        bool known = false;
        for (size_t k = 0; kinds[k] != NULL && !known; k++)
            known = is_of_kind(config->sections[i].name, kinds[k]);
        if (!known)
            return refuse_section(config, &config->sections[i], kinds, err);
    }
    return 0;
}
