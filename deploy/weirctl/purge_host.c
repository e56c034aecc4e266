/* What a deployment has on this machine: units of its programs, and the folders of its services. */
#include "common/clock.h"
#include "deploy/weirctl/program.h"
#include "deploy/weirctl/purge.h"
#include "deploy/weirctl/unit.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE "/var/lib/weir" /* the units' StateDirectory=, with a folder for each of them */

static int no_memory(struct weir_error *err)
{
    return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
}

/* ---- units */

static bool is_booted(void)
{
    struct stat found;
    return lstat("/run/systemd/system", &found) == 0 && S_ISDIR(found.st_mode); /* sd_booted(3) */
}

static int ask_systemctl(struct purge *purge, const char *verb, const char *flag, const char *unit,
    int *ret_status, struct weir_buffer *told, struct weir_error *err)
{
    const char *const words[] = {"systemctl", verb, flag, unit, NULL};

    return program_run((char *const *)(uintptr_t)words, purge->ctl->deadline_ms, told, told, ret_status, err);
}

static int find_unit(struct purge *purge, const char *unit, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer told = {0};
    int active = 0, enabled = 0;

    int code = ask_systemctl(purge, "is-active", "--quiet", unit, &active, &told, err);
    if (code == 0)
        code = ask_systemctl(purge, "is-enabled", "--quiet", unit, &enabled, &told, err);
    if (code == 0 && (active == 0 || enabled == 0) && purge_add(purge, PURGE_UNIT, unit) == NULL)
        code = no_memory(err);
    return code;
}

/* Further processes of a service on this machine: weir-consumer@NAME_2.service. */
static int find_more_units(struct purge *purge, const char *service, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer listed = {0}, told = {0};
    char pattern[300];
    int status = 0;

    snprintf(pattern, sizeof(pattern), "weir-consumer@%s_*.service", service);
    const char *const words[] = {"systemctl", "list-units", "--all", "--plain", "--no-legend", pattern, NULL};
    int code =
        program_run((char *const *)(uintptr_t)words, purge->ctl->deadline_ms, &listed, &told, &status, err);
    char *rest = listed.data, *line;
    while (code == 0 && rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        line[strcspn(line, " ")] = '\0';
        if (line[0] != '\0')
            code = find_unit(purge, line, err);
    }
    return code;
}

static int find_units(struct purge *purge, struct weir_error *err)
{
    const struct weir_deployment *deployment = purge->ctl->deployment;
    char unit[300];

    if (!is_booted())
        return 0;
    int code = find_unit(purge, "weir-gateway.service", err);
    for (size_t i = 0; i < deployment->service_count && code == 0; i++) {
        snprintf(unit, sizeof(unit), "weir-consumer@%s.service", deployment->services[i].name);
        code = find_unit(purge, unit, err);
        if (code == 0)
            code = find_more_units(purge, deployment->services[i].name, err);
    }
    return code == 0 && purge->count > 0 ? find_unit(purge, "weir.target", err) : code;
}

int purge_stop_units(struct purge *purge, struct weir_error *err)
{
    int code = 0;

    for (size_t i = 0; i < purge->count && code == 0; i++) {
        WEIR_CLEANUP(buffer) struct weir_buffer told = {0};
        struct purge_thing *thing = &purge->things[i];
        int status = 0;
        if (thing->kind != PURGE_UNIT)
            continue;
        progress_show(&purge->progress, "stopping %s", thing->name);
        code = ask_systemctl(purge, "disable", "--now", thing->name, &status, &told, err);
        if (code == 0 && status != 0)
            return weir_error_set(err, WEIR_E_BUSY, "nothing was removed: %s can't be stopped: %.200s",
                thing->name, told.data != NULL ? told.data : "");
    }
    return code;
}

/* ---- folders: only what a service keeps there, and then the folder if it is empty */

static bool has_file(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat found;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &found) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), tail = strlen(end);
    return len >= tail && strcmp(text + len - tail, end) == 0;
}

/* RocksDB's, or notes of the host: "store.vm-1.note". */
static bool is_ours(const char *folder)
{
    bool note = false;
    DIR *open = has_file(folder, "CURRENT") ? NULL : opendir(folder);

    if (open == NULL)
        return has_file(folder, "CURRENT");
    for (struct dirent *entry; (entry = readdir(open)) != NULL;)
        note |= ends_with(entry->d_name, ".note");
    closedir(open);
    return note;
}

static int find_folder(struct purge *purge, const char *path, struct weir_error *err)
{
    for (size_t i = 0; i < purge->count; i++)
        if (purge->things[i].kind == PURGE_FOLDER && strcmp(purge->things[i].name, path) == 0)
            return 0;
    if (path[0] == '\0' || !is_ours(path))
        return 0;
    return purge_add(purge, PURGE_FOLDER, path) != NULL ? 0 : no_memory(err);
}

/* The folder within comes before the one that it is in. */
static int find_folders(struct purge *purge, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_error *err)
{
    char path[PATH_MAX];

    int code = store_path_of(deployment, service, path, sizeof(path), err);
    if (code == 0)
        code = find_folder(purge, path, err);
    if (code == 0)
        code = ledger_path_of(deployment, service, path, sizeof(path), err);
    if (code == 0)
        code = find_folder(purge, path, err);
    return code == 0 && service->state_dir != NULL ? find_folder(purge, service->state_dir, err) : code;
}

/* By the configuration as the unit weir-consumer@INSTANCE reads it, with its variables and its credentials.
 */
static int find_folders_of(
    struct purge *purge, const char *service, const char *instance, struct weir_error *err)
{
    struct weir_deployment *deployment = NULL;
    struct unit unit;
    char state[PATH_MAX];
    bool further = strcmp(service, instance) != 0;

    int code = unit_enter(UNIT_ENVIRONMENT, UNIT_CREDENTIALS, instance, &unit, err);
    if (code < 0)
        return code;
    snprintf(state, sizeof(state), STATE "/%s", instance);
    if (further)
        setenv("STATE_DIRECTORY", state, 1);
    code = weir_deployment_load(purge->ctl->arguments->config_path, &deployment, err);
    const struct weir_service *found = code == 0 ? weir_deployment_service(deployment, service) : NULL;
    if (found != NULL)
        code = find_folders(purge, deployment, found, err);
    weir_deployment_free(deployment);
    if (further)
        unsetenv("STATE_DIRECTORY");
    unit_leave(&unit);
    return code;
}

/* A service's own folders, and those of its further processes on this machine, whether these run or not. */
static int find_all_folders(struct purge *purge, const char *service, struct weir_error *err)
{
    char pattern[300];
    glob_t found = {0};
    int code = find_folders_of(purge, service, service, err);

    snprintf(pattern, sizeof(pattern), STATE "/%s_*", service);
    glob(pattern, GLOB_NOSORT, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc && code == 0; i++)
        code = find_folders_of(purge, service, strrchr(found.gl_pathv[i], '/') + 1, err);
    globfree(&found);
    return code;
}

int purge_find_host(struct purge *purge, struct weir_error *err)
{
    const struct weir_deployment *deployment = purge->ctl->deployment;
    int code = find_units(purge, err);

    for (size_t i = 0; i < deployment->service_count && code == 0; i++)
        code = find_all_folders(purge, deployment->services[i].name, err);
    return code;
}

/* A folder of RocksDB has none within. */
static void remove_folder(struct purge_thing *thing)
{
    bool database = has_file(thing->name, "CURRENT");
    DIR *open = opendir(thing->name);

    for (struct dirent *entry; open != NULL && (entry = readdir(open)) != NULL;)
        if (database ? entry->d_name[0] != '.' : ends_with(entry->d_name, ".note"))
            unlinkat(dirfd(open), entry->d_name, 0);
    if (open != NULL)
        closedir(open);
    /* What systemd made for the unit (StateDirectory) is a link, and belongs to the unit. */
    if (rmdir(thing->name) < 0 && errno != ENOTDIR)
        snprintf(thing->why, sizeof(thing->why), "%s", strerror(errno));
}

void purge_remove_folders(struct purge *purge)
{
    for (size_t i = 0; i < purge->count; i++)
        if (purge->things[i].kind == PURGE_FOLDER && purge->things[i].why[0] == '\0')
            remove_folder(&purge->things[i]);
}
