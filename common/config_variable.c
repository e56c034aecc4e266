/* Settings from the environment: which variable stands for which key, and that no two keys share one. */
#include "common/config_file.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char file_suffix[] = "_FILE";

static void append_upper(struct weir_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        char byte = *text;
        if (byte >= 'a' && byte <= 'z')
            byte = (char)(byte - 'a' + 'A');
        else if (!(byte >= 'A' && byte <= 'Z') && !(byte >= '0' && byte <= '9'))
            byte = '_';
        weir_buffer_append(out, &byte, 1);
    }
}

char *weir_config_variable_name(const char *section, const char *key)
{
    WEIR_CLEANUP(buffer) struct weir_buffer name = {0};

    weir_buffer_append_str(&name, "WEIR_");
    append_upper(&name, section);
    weir_buffer_append_str(&name, "_");
    append_upper(&name, key);
    return name.failed ? NULL : weir_steal(name.data);
}

static int refuse_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* a and b, or a with _FILE and b. */
static bool is_name_or_file(const char *a, const char *b)
{
    size_t len = strlen(a);
    return strncmp(a, b, len) == 0 && (b[len] == '\0' || strcmp(b + len, file_suffix) == 0);
}

static int check_claim(const struct weir_config *config, const char *name, const char *section,
    const char *key, struct weir_error *err)
{
    const struct weir_config_variables *variables = config->variables;

    for (size_t i = 0; i < variables->count; i++) {
        const struct weir_config_variable *other = &variables->items[i];
        if (!is_name_or_file(other->name, name) && !is_name_or_file(name, other->name))
            continue;
        if (strcmp(other->section, section) == 0 && strcmp(other->key, key) == 0)
            return 1;
        return weir_error_set(err, WEIR_E_CONFIG,
            "%s: [%s] %s and [%s] %s would both be read from the environment variable %s: rename one section",
            config->name, other->section, other->key, section, key, name);
    }
    return 0;
}

int weir_config_variable_claim(
    const struct weir_config *config, const char *section, const char *key, struct weir_error *err)
{
    struct weir_config_variables *variables = config->variables;
    WEIR_CLEANUP(free) char *name = weir_config_variable_name(section, key);

    if (name == NULL)
        return refuse_memory(err);
    int code = check_claim(config, name, section, key, err);
    if (code != 0)
        return code < 0 ? code : 0;
    struct weir_config_variable *grown =
        realloc(variables->items, (variables->count + 1) * sizeof(*variables->items));
    if (grown == NULL)
        return refuse_memory(err);
    variables->items = grown;
    struct weir_config_variable *item = &variables->items[variables->count++];
    *item = (struct weir_config_variable){weir_steal(name), strdup(section), strdup(key)};
    return item->section == NULL || item->key == NULL ? refuse_memory(err) : 0;
}

static int read_direct(const char *name, const char *text, char **ret_value, struct weir_error *err)
{
    if (strlen(text) > WEIR_CONFIG_VALUE_BYTES)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: has more than 4096 bytes", name);
    *ret_value = strdup(text);
    return *ret_value != NULL ? 0 : refuse_memory(err);
}

static int read_file(const char *name, const char *path, char **ret_value, struct weir_error *err)
{
    if (weir_file_read_value(path, ret_value, err) == 0)
        return 0;
    weir_error_prefix(err, "%s", name);
    if (err != NULL)
        err->code = WEIR_E_CONFIG;
    return WEIR_E_CONFIG;
}

int weir_config_variable_read(
    const char *section, const char *key, char **ret_value, char **ret_name, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *name = weir_config_variable_name(section, key);
    WEIR_CLEANUP(free) char *file_name = NULL;

    *ret_value = NULL;
    *ret_name = NULL;
    if (name == NULL || asprintf(&file_name, "%s%s", name, file_suffix) < 0)
        return refuse_memory(err);
    const char *text = getenv(name), *path = getenv(file_name);
    if (text == NULL && path == NULL)
        return 0;
    if (text != NULL && path != NULL)
        return weir_error_set(
            err, WEIR_E_CONFIG, "%s and %s are both set; one of them is wanted", name, file_name);
    int code =
        text != NULL ? read_direct(name, text, ret_value, err) : read_file(file_name, path, ret_value, err);
    if (code == 0)
        *ret_name = text != NULL ? weir_steal(name) : weir_steal(file_name);
    return code;
}

void weir_config_variables_free(struct weir_config_variables *variables)
{
    for (size_t i = 0; variables != NULL && i < variables->count; i++) {
        free(variables->items[i].name);
        free(variables->items[i].section);
        free(variables->items[i].key);
    }
    if (variables != NULL)
        free(variables->items);
    free(variables);
}
