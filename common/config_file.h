/* The text side of a configuration: what the strict reader found, line by line. For common/config*.c only. */
#ifndef WEIR_COMMON_CONFIG_FILE_H
#define WEIR_COMMON_CONFIG_FILE_H

#include "common/bytes.h"
#include "common/config.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { WEIR_CONFIG_NAME_BYTES = 128, WEIR_CONFIG_VALUE_BYTES = 4096, WEIR_CONFIG_FILE_BYTES = 1 << 20 };

struct weir_config_section {
    char *name;
    int line;
};

struct weir_config_entry {
    char *section, *key, *value;
    int line;
};

/* An environment variable and the key it stands for. */
struct weir_config_variable {
    char *name, *section, *key;
};

struct weir_config_variables {
    struct weir_config_variable *items;
    size_t count;
};

struct weir_config {
    char *name;        /* of the file */
    bool is_private;   /* nobody but the owner reads it: it may hold secrets */
    struct weir_config_section *sections;
    size_t section_count;
    struct weir_config_entry *entries;
    size_t entry_count;
    struct weir_config_variables *variables; /* all that were bound so far */
};

/* Fills sections and entries from text. Errors say name:line. */
int weir_config_read(struct weir_config *config, struct weir_bytes text, struct weir_error *err);

/* The variable of section and key: WEIR_GATEWAY_LISTEN. NULL when memory is out; the caller frees it. */
char *weir_config_variable_name(const char *section, const char *key);

/* Notes that section and key are read from their variable (and from the same with _FILE). WEIR_E_CONFIG when another
 * key's variable has that name. */
int weir_config_variable_claim(
    const struct weir_config *config, const char *section, const char *key, struct weir_error *err);

/* The environment's value for section and key: *ret_value is the caller's, NULL when there is none; *ret_name says where
 * it came from and is the caller's too. */
int weir_config_variable_read(
    const char *section, const char *key, char **ret_value, char **ret_name, struct weir_error *err);

void weir_config_variables_free(struct weir_config_variables *variables);

#endif
