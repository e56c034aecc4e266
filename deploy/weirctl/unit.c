#include "deploy/weirctl/unit.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_BYTES = 300, FILE_BYTES_MAX = 256 * 1024 };

/* "weir-gateway", "weir-consumer-store": the file of variables; with a dot for the last hyphen the beginning
 * of its credentials' names. */
static void unit_name(const char *program, char separator, char *out, size_t size)
{
    if (strcmp(program, "gateway") == 0)
        snprintf(out, size, "weir-gateway");
    else
        snprintf(out, size, "weir-consumer%c%s", separator, program);
}

/* ---- variables, set for as long as the configuration is read */

/* value: NULL unsets it. false: there is no room for one more. */
static bool set_variable(struct unit *unit, const char *name, const char *value)
{
    if (unit->count == UNIT_VARIABLES_MAX)
        return false;
    const char *before = getenv(name);
    unit->names[unit->count] = strdup(name);
    if (unit->names[unit->count] == NULL)
        return false;
    unit->before[unit->count++] = before != NULL ? strdup(before) : NULL;
    return (value != NULL ? setenv(name, value, 1) : unsetenv(name)) == 0;
}

/* Those of weirctl itself are no unit's. */
static void hide_own(struct unit *unit)
{
    char name[NAME_BYTES];

    for (size_t i = 0; environ[i] != NULL;) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(environ[i], "="), environ[i]);
        if (strncmp(name, "WEIR_", 5) != 0 || !set_variable(unit, name, NULL))
            i++;
    }
}

static void restore(struct unit *unit)
{
    while (unit->count > 0) {
        char *name = unit->names[--unit->count], *before = unit->before[unit->count];
        if (before != NULL)
            setenv(name, before, 1);
        else
            unsetenv(name);
        free(name);
        free(before);
    }
}

/* As systemd reads an EnvironmentFile: NAME=value, the value may stand in quotes. */
static bool take_line(struct unit *unit, char *line)
{
    line += strspn(line, " \t");
    char *equals = strchr(line, '=');
    if (equals == NULL || strncmp(line, "WEIR_", 5) != 0)
        return false;
    *equals = '\0';
    char *value = equals + 1;
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == '\r' || value[len - 1] == ' '))
        value[--len] = '\0';
    if (len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0]) {
        value[len - 1] = '\0';
        value++;
    }
    return set_variable(unit, line, value);
}

/* false: there is no such file, it may not be read, or holds nothing for us. */
static bool take_environment(struct unit *unit, const char *from, const char *program)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    char name[NAME_BYTES], path[PATH_MAX];

    unit_name(program, '-', name, sizeof(name));
    snprintf(path, sizeof(path), "%s/%s", from, name);
    if (weir_file_read(path, FILE_BYTES_MAX, &text, NULL, NULL) < 0)
        return false;
    char *rest = text.data, *line;
    bool taken = false;
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL)
        taken |= take_line(unit, line);
    return taken;
}

/* ---- credentials, under the names that the unit gives them */

/* The name within the unit, NULL: it is of another one. */
static const char *credential_name(const char *file, const char *unit)
{
    static const char shared[] = "weir.";
    size_t len = strlen(unit);

    if (strncmp(file, shared, sizeof(shared) - 1) == 0)
        return file + sizeof(shared) - 1;
    return strncmp(file, unit, len) == 0 && file[len] == '.' ? file + len + 1 : NULL;
}

/* Answers how many of its own there are. */
static size_t link_credentials(const char *from, const char *program, const char *folder)
{
    char unit[300], path[PATH_MAX], target[PATH_MAX];
    size_t own = 0;
    DIR *open = opendir(from);

    unit_name(program, '.', unit, sizeof(unit));
    for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;) {
        const char *name = credential_name(entry->d_name, unit);
        if (name == NULL || name[0] == '\0')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        snprintf(target, sizeof(target), "%s/%s", from, entry->d_name);
        if (symlink(target, path) == 0)
            own += strncmp(entry->d_name, unit, strlen(unit)) == 0;
    }
    if (open != NULL)
        closedir(open);
    return own;
}

static void remove_folder(const char *folder)
{
    char path[PATH_MAX];
    DIR *open = opendir(folder);

    for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;) {
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (open != NULL)
        closedir(open);
    rmdir(folder);
}

int unit_enter(const char *environment, const char *credentials, const char *program, struct unit *ret_unit,
    struct weir_error *err)
{
    struct unit *unit = ret_unit;

    *unit = (struct unit){.folder = "/tmp/weirctl.XXXXXX"};
    if (mkdtemp(unit->folder) == NULL)
        return weir_error_set(err, WEIR_E_DISK, "no folder in /tmp: %s", strerror(errno));
    size_t own = link_credentials(credentials, program, unit->folder);
    hide_own(unit);
    unit->own = take_environment(unit, environment, program) || own > 0;
    if (!unit->own)
        restore(unit); /* no unit of this machine: its variables may be ours, as in a container */
    if (own > 0 || getenv("CREDENTIALS_DIRECTORY") == NULL)
        set_variable(unit, "CREDENTIALS_DIRECTORY", unit->folder);
    return 0;
}

void unit_leave(struct unit *unit)
{
    restore(unit);
    remove_folder(unit->folder);
}
