/* The configuration as another program reads it: the same file, with the variables and credentials of its
 * unit (deploy/systemd), or a file of its own. */
#include "common/cleanup.h"
#include "common/file.h"
#include "deploy/weirctl/doctor.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VARIABLES_MAX = 256, NAME_BYTES = 300, FILE_BYTES_MAX = 256 * 1024 };

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

struct variables {
    char *names[VARIABLES_MAX], *before[VARIABLES_MAX];
    size_t count;
};

/* value: NULL unsets it. false: there is no room for one more. */
static bool set_variable(struct variables *variables, const char *name, const char *value)
{
    if (variables->count == VARIABLES_MAX)
        return false;
    const char *before = getenv(name);
    variables->names[variables->count] = strdup(name);
    if (variables->names[variables->count] == NULL)
        return false;
    variables->before[variables->count++] = before != NULL ? strdup(before) : NULL;
    return (value != NULL ? setenv(name, value, 1) : unsetenv(name)) == 0;
}

/* Those of weirctl itself are no unit's. */
static void hide_own(struct variables *variables)
{
    char name[NAME_BYTES];

    for (size_t i = 0; environ[i] != NULL;) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(environ[i], "="), environ[i]);
        if (strncmp(name, "WEIR_", 5) != 0 || !set_variable(variables, name, NULL))
            i++;
    }
}

static void restore(struct variables *variables)
{
    while (variables->count > 0) {
        char *name = variables->names[--variables->count], *before = variables->before[variables->count];
        if (before != NULL)
            setenv(name, before, 1);
        else
            unsetenv(name);
        free(name);
        free(before);
    }
}

/* As systemd reads an EnvironmentFile: NAME=value, the value may stand in quotes. */
static bool take_line(struct variables *variables, char *line)
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
    return set_variable(variables, line, value);
}

/* false: there is no such file, it may not be read, or holds nothing for us. */
static bool take_environment(struct doctor *doctor, const char *program, struct variables *variables)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    char unit[300], path[PATH_MAX];

    unit_name(program, '-', unit, sizeof(unit));
    snprintf(path, sizeof(path), "%s/%s", doctor->flags->environment, unit);
    if (weir_file_read(path, FILE_BYTES_MAX, &text, NULL, NULL) < 0)
        return false;
    char *rest = text.data, *line;
    bool taken = false;
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL)
        taken |= take_line(variables, line);
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
static size_t link_credentials(struct doctor *doctor, const char *program, const char *folder)
{
    const char *from = doctor->flags->credentials;
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

static int load(struct doctor *doctor, const char *file, doctor_view *view,
    struct doctor_principal *principal, struct weir_error *err)
{
    const char *path = file != NULL ? file : doctor->ctl->arguments->config_path;

    int code = weir_deployment_load(path, &principal->deployment, err);
    if (code < 0 || view == NULL)
        return code;
    const struct weir_service *service = weir_deployment_service(principal->deployment, principal->program);
    if (service == NULL && strcmp(principal->program, "gateway") != 0)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: there is no [service %s]", path, principal->program);
    return view(doctor, principal->deployment, service, err);
}

static int load_as_unit(struct doctor *doctor, doctor_view *view, struct doctor_principal *principal,
    bool *ret_own, struct weir_error *err)
{
    struct variables variables = {.count = 0};
    char folder[] = "/tmp/weirctl.XXXXXX";

    if (mkdtemp(folder) == NULL)
        return weir_error_set(err, WEIR_E_DISK, "no folder in /tmp: %s", strerror(errno));
    size_t credentials = link_credentials(doctor, principal->program, folder);
    hide_own(&variables);
    *ret_own = take_environment(doctor, principal->program, &variables) || credentials > 0;
    if (!*ret_own)
        restore(&variables); /* no unit of this machine: its variables may be ours, as in a container */
    if (credentials > 0 || getenv("CREDENTIALS_DIRECTORY") == NULL)
        set_variable(&variables, "CREDENTIALS_DIRECTORY", folder);
    int code = load(doctor, NULL, view, principal, err);
    restore(&variables);
    remove_folder(folder);
    return code;
}

/* The FILE of --principal NAME=FILE. */
static const char *own_file(const struct doctor *doctor, const char *program)
{
    size_t len = strlen(program);

    for (char **given = doctor->flags->principals; given != NULL && *given != NULL; given++)
        if (strncmp(*given, program, len) == 0 && (*given)[len] == '=')
            return *given + len + 1;
    return NULL;
}

static int load_as(struct doctor *doctor, const char *program, doctor_view *view,
    struct doctor_principal *ret_principal, bool *ret_own, struct weir_error *err)
{
    const char *file = own_file(doctor, program);

    *ret_principal = (struct doctor_principal){.program = program};
    *ret_own = true;
    if (file != NULL || strcmp(program, "weirctl") == 0)
        return load(doctor, file, view, ret_principal, err);
    return load_as_unit(doctor, view, ret_principal, ret_own, err);
}

int doctor_principal_load(struct doctor *doctor, const char *program, struct doctor_principal *ret_principal,
    bool *ret_own, struct weir_error *err)
{
    return load_as(doctor, program, NULL, ret_principal, ret_own, err);
}

void doctor_view_as(struct doctor *doctor, const char *program, const char *area, doctor_view *view)
{
    struct doctor_principal principal;
    struct weir_error why;
    bool own = false;

    if (load_as(doctor, program, view, &principal, &own, &why) < 0)
        doctor_find(doctor, area, own ? DOCTOR_ILL : DOCTOR_NOTE,
            "run weirctl doctor on its machine as root, or name its configuration: --principal NAME=FILE",
            "%s's configuration can't be read here: %s", program, why.text);
    weir_deployment_free(principal.deployment);
}
