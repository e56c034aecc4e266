#include "consumers/runtime/loader.h"

#include "common/bytes.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool try_folder(
    const char *folder, size_t len, const char *name, char path[static PATH_MAX], struct weir_buffer *tried)
{
    int n = snprintf(path, PATH_MAX, "%.*s/%s.so", (int)len, folder, name);
    if (len == 0 || n < 0 || n >= PATH_MAX)
        return false;
    if (access(path, R_OK) == 0)
        return true;
    weir_buffer_printf(tried, "%s%s", tried->len > 0 ? ", " : "", path);
    return false;
}

static bool try_list(
    const char *folders, const char *name, char path[static PATH_MAX], struct weir_buffer *tried)
{
    while (folders != NULL && *folders != '\0') {
        size_t len = strcspn(folders, ":");
        if (try_folder(folders, len, name, path, tried))
            return true;
        folders += len + (folders[len] == ':');
    }
    return false;
}

/* The build tree keeps bin/ and plugins/ side by side; an installed one may have been moved as a whole. */
static bool try_beside(const char *name, char path[static PATH_MAX], struct weir_buffer *tried)
{
    static const char *const folders[] = {"../plugins", WEIR_PLUGIN_FOLDER_FROM_BIN};
    char program[PATH_MAX], folder[PATH_MAX + 128];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        int n = snprintf(folder, sizeof(folder), "%s/%s", program, folders[i]);
        if (try_folder(folder, (size_t)n, name, path, tried))
            return true;
    }
    return false;
}

static int find_file(const char *file, char path[static PATH_MAX], struct weir_error *err)
{
    if (strlen(file) >= PATH_MAX)
        return weir_error_set(err, WEIR_E_CONFIG, "plugin: the path is too long");
    memcpy(path, file, strlen(file) + 1);
    if (access(path, R_OK) == 0)
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG, "plugin %s: %s", file, strerror(errno));
}

int weir_plugin_find(const char *name, char path[static PATH_MAX], struct weir_error *err)
{
    if (strchr(name, '/') != NULL)
        return find_file(name, path, err);
    WEIR_CLEANUP(buffer) struct weir_buffer tried = {0};
    if (try_list(getenv("WEIR_PLUGIN_PATH"), name, path, &tried) || try_beside(name, path, &tried) ||
        try_list(WEIR_PLUGIN_FOLDER, name, path, &tried))
        return 0;
    return weir_error_set(err, WEIR_E_CONFIG, "plugin %s is missing: looked for %s", name,
        tried.data != NULL ? tried.data : "nothing");
}

/* Every plugin has at least what it can't do without. */
static int check_struct(const struct weir_plugin *plugin, const char *path, struct weir_error *err)
{
    if (plugin->abi != WEIR_PLUGIN_ABI)
        return weir_error_set(err, WEIR_E_CONFIG, "plugin %s: built for ABI %u, this host has %u", path,
            plugin->abi, (unsigned)WEIR_PLUGIN_ABI);
    if (plugin->struct_size < offsetof(struct weir_plugin, check) || plugin->struct_size > 64 * 1024)
        return weir_error_set(err, WEIR_E_CONFIG,
            "plugin %s: struct_size %u can't be right: at least %zu, here %zu", path, plugin->struct_size,
            offsetof(struct weir_plugin, check), sizeof(*plugin));
    return 0;
}

static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return name != NULL && name[0] != '\0' && strlen(name) <= 60 && name[strspn(name, allowed)] == '\0';
}

static bool any_reloads(const struct weir_plugin *plugin)
{
    for (size_t i = 0; plugin->options != NULL && i < plugin->option_count; i++)
        if (plugin->options[i].reload)
            return true;
    return false;
}

static int check_members(const struct weir_plugin *plugin, const char *path, struct weir_error *err)
{
    const struct {
        bool missing;
        const char *member;
    } members[] = {
        {!is_name(plugin->name), "a name of 1 to 60 letters a-z, digits and -"},
        {plugin->open == NULL, "open"},
        {plugin->handle == NULL, "handle"},
        {plugin->close == NULL, "close"},
        {plugin->option_count > 0 && plugin->options == NULL, "options"},
        {plugin->table_count > 0 && (plugin->tables == NULL || plugin->table_apply == NULL), "table_apply"},
        {any_reloads(plugin) && plugin->reload == NULL, "reload, which its options need"},
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        if (members[i].missing)
            return weir_error_set(
                err, WEIR_E_CONFIG, "plugin %s: its struct weir_plugin lacks %s", path, members[i].member);
    return 0;
}

static int check_table(const struct weir_plugin *plugin, size_t i, bool several, const char **ret_why)
{
    const struct weir_table *table = &plugin->tables[i];
    *ret_why = NULL;
    if (table->topic == NULL || table->topic[0] == '\0')
        *ret_why = "has no topic";
    else if (table->mode > WEIR_TABLE_STANDBY)
        *ret_why = "has a mode that this host does not know";
    else if (table->mode != WEIR_TABLE_ALL && several && strstr(table->topic, "{source}") == NULL)
        *ret_why = "belongs to no source topic, but the service has several";
    for (size_t before = 0; before < i && *ret_why == NULL; before++)
        if (strcmp(plugin->tables[before].topic, table->topic) == 0)
            *ret_why = "is there twice";
    return *ret_why == NULL ? 0 : WEIR_E_CONFIG;
}

static int check_tables(const struct weir_plugin *plugin, const struct weir_service *service,
    const char *path, struct weir_error *err)
{
    const char *why;
    bool several = service->source_topics[0] != NULL && service->source_topics[1] != NULL;
    for (size_t i = 0; i < plugin->table_count; i++)
        if (check_table(plugin, i, several, &why) < 0)
            return weir_error_set(err, WEIR_E_CONFIG, "plugin %s: table %zu (%s) %s", path, i,
                plugin->tables[i].topic != NULL ? plugin->tables[i].topic : "", why);
    return 0;
}

static int open_file(struct weir_plugin_loaded *loaded, struct weir_error *err)
{
    void *handle = dlopen(loaded->path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "plugin %s: %s", loaded->path, dlerror());
    const struct weir_plugin *plugin = dlsym(handle, "weir_plugin");
    if (plugin == NULL)
        return weir_error_set(
            err, WEIR_E_CONFIG, "plugin %s: it exports no symbol weir_plugin", loaded->path);
    int rc = check_struct(plugin, loaded->path, err);
    if (rc < 0)
        return rc;
    memcpy(&loaded->plugin, plugin,
        plugin->struct_size < sizeof(*plugin) ? plugin->struct_size : sizeof(*plugin));
    return check_members(&loaded->plugin, loaded->path, err);
}

int weir_plugin_bind(const struct weir_plugin_loaded *loaded, const struct weir_deployment *deployment,
    const struct weir_service *service, void **ret_settings, struct weir_error *err)
{
    char section[128];
    void *settings = calloc(1, loaded->plugin.settings_size + 1);
    if (settings == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    snprintf(section, sizeof(section), "service %s", service->name);
    int rc = weir_config_bind(
        deployment->config, section, loaded->prefix, &loaded->table, NULL, NULL, settings, err);
    if (rc < 0)
        weir_plugin_settings_free(loaded, settings);
    else
        *ret_settings = settings;
    return rc;
}

void weir_plugin_settings_free(const struct weir_plugin_loaded *loaded, void *settings)
{
    weir_option_free(&loaded->table, settings);
    free(settings);
}

static int bind_settings(struct weir_plugin_loaded *loaded, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_error *err)
{
    const struct weir_plugin *plugin = &loaded->plugin;
    snprintf(loaded->prefix, sizeof(loaded->prefix), "%s.", plugin->name);
    loaded->table = (struct weir_option_table){.section = "service *",
        .rows = plugin->options,
        .count = plugin->option_count,
        .settings_size = plugin->settings_size};
    return weir_plugin_bind(loaded, deployment, service, &loaded->settings, err);
}

static const struct weir_option *find_option(const struct weir_plugin *plugin, const char *key)
{
    for (size_t i = 0; i < plugin->option_count; i++)
        if (strcmp(plugin->options[i].key, key) == 0 && plugin->options[i].type == WEIR_OPTION_BOOL)
            return &plugin->options[i];
    return NULL;
}

static int choose_mode(
    const struct weir_plugin_loaded *loaded, struct weir_table *table, struct weir_error *err)
{
    if (table->mode != WEIR_TABLE_STANDBY || table->if_option == NULL)
        return 0;
    const struct weir_option *option = find_option(&loaded->plugin, table->if_option);
    if (option == NULL)
        return weir_error_set(err, WEIR_E_CONFIG,
            "plugin %s: table %s depends on %s, which is none of its switches", loaded->path, table->topic,
            table->if_option);
    if (!*(const bool *)((const char *)loaded->settings + option->offset))
        table->mode = WEIR_TABLE_OWNED;
    return 0;
}

static int choose_modes(struct weir_plugin_loaded *loaded, struct weir_error *err)
{
    size_t count = loaded->plugin.table_count;
    if (count == 0)
        return 0;
    loaded->tables = calloc(count, sizeof(*loaded->tables));
    if (loaded->tables == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    memcpy(loaded->tables, loaded->plugin.tables, count * sizeof(*loaded->tables));
    loaded->plugin.tables = loaded->tables;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = choose_mode(loaded, &loaded->tables[i], err);
    return rc;
}

int weir_plugin_load(const struct weir_deployment *deployment, const struct weir_service *service,
    struct weir_plugin_loaded **ret_loaded, struct weir_error *err)
{
    WEIR_CLEANUP(plugin_loaded) struct weir_plugin_loaded *loaded = calloc(1, sizeof(*loaded));
    if (loaded == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    int rc = weir_plugin_find(service->plugin, loaded->path, err);
    if (rc == 0)
        rc = open_file(loaded, err);
    if (rc == 0)
        rc = check_tables(&loaded->plugin, service, loaded->path, err);
    if (rc == 0)
        rc = bind_settings(loaded, deployment, service, err);
    if (rc == 0)
        rc = choose_modes(loaded, err);
    if (rc < 0)
        return rc;
    *ret_loaded = weir_steal(loaded);
    return 0;
}

void weir_plugin_unload(struct weir_plugin_loaded *loaded)
{
    weir_plugin_settings_free(loaded, loaded->settings);
    free(loaded->tables);
    free(loaded);
}

/* A plugin's error begins with the key it is about; the file and line of that key, or of the section, go
 * before it. */
static void add_place(
    const struct weir_deployment *deployment, const struct weir_service *service, struct weir_error *err)
{
    char section[128], key[128];

    snprintf(section, sizeof(section), "service %s", service->name);
    snprintf(key, sizeof(key), "%.*s", (int)strcspn(err->text, ": ="), err->text);
    const char *where = weir_config_where(deployment->config, section, key);
    if (where != NULL)
        weir_error_prefix(err, "%s", where);
}

static int load_and_check(
    const struct weir_deployment *deployment, const struct weir_service *service, struct weir_error *err)
{
    WEIR_CLEANUP(plugin_loaded) struct weir_plugin_loaded *loaded = NULL;
    int rc = weir_plugin_load(deployment, service, &loaded, err);
    if (rc < 0 || loaded->plugin.check == NULL)
        return rc;
    rc = loaded->plugin.check(loaded->settings, deployment, service->name, err);
    if (rc < 0 && err->code != 0)
        add_place(deployment, service, err);
    return rc;
}

static void try_and_tell(const struct weir_deployment *deployment, const struct weir_service *service, int fd)
{
    struct weir_error err = {0};
    int rc = load_and_check(deployment, service, &err);
    if (rc < 0 && err.code == 0)
        weir_error_set(&err, rc, "plugin %s refuses its settings", service->plugin);
    if (rc < 0 && write(fd, &err, sizeof(err)) != (ssize_t)sizeof(err))
        _exit(EXIT_FAILURE);
    _exit(EXIT_SUCCESS);
}

static int tell_crash(const struct weir_service *service, int status, struct weir_error *err)
{
    char path[PATH_MAX];
    if (weir_plugin_find(service->plugin, path, err) < 0)
        return err->code;
    if (WIFSIGNALED(status))
        return weir_error_set(err, WEIR_E_CONFIG, "plugin %s crashed while it was loaded and checked: %s",
            path, strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != EXIT_SUCCESS)
        return weir_error_set(err, WEIR_E_CONFIG,
            "plugin %s ended the process while it was loaded and checked, status %d", path,
            WEXITSTATUS(status));
    return 0;
}

int weir_plugin_try(
    const struct weir_deployment *deployment, const struct weir_service *service, struct weir_error *err)
{
    int ends[2];
    struct weir_error told;
    if (pipe(ends) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0)
        try_and_tell(deployment, service, ends[1]);
    close(ends[1]);
    ssize_t n = child > 0 ? read(ends[0], &told, sizeof(told)) : 0;
    close(ends[0]);
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "fork: %s", strerror(errno));
    if (n == (ssize_t)sizeof(told))
        return weir_error_set(err, told.code, "%s", told.text);
    return tell_crash(service, status, err);
}
