/* weirctl new plugin NAME: a copy of the installed template, in which every "template", in names of files and
 * in what they hold, is NAME. */
#include "deploy/weirctl/weirctl.h"

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names of users end at 31 characters, and the unit's is weir-NAME. */
enum { NAME_MAX_BYTES = 26, FILE_MAX_BYTES = 256 * 1024 };

static const char placeholder[] = "template";

WEIR_CLEANUP_DEFINE(dir, DIR *, closedir)

static int check_name(const char *name, struct weir_error *err)
{
    static const char *const own[] = {"store", "notifier", "inventory", "gateway", "weirctl"};

    if (!weir_deployment_is_name(name))
        return weir_error_set(err, WEIR_E_USAGE, "%.80s: a plugin is named by a-z, then a-z 0-9 -", name);
    if (strlen(name) > NAME_MAX_BYTES)
        return weir_error_set(err, WEIR_E_USAGE,
            "%s: at most %d characters, for the user weir-NAME that the service runs as", name,
            NAME_MAX_BYTES);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(own[i], name) == 0)
            return weir_error_set(err, WEIR_E_USAGE, "%s is a name of Weir's own: take another", name);
    return 0;
}

static DIR *open_beside_program(char path[static PATH_MAX])
{
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

    program[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return NULL;
    *slash = '\0';
    int n = snprintf(path, PATH_MAX, "%s/%s", program, WEIR_TEMPLATE_FROM_BIN);
    return n < PATH_MAX ? opendir(path) : NULL;
}

/* Where it was installed; beside the program, in case all of that was moved. */
static int open_template(DIR **ret_dir, char path[static PATH_MAX], struct weir_error *err)
{
    *ret_dir = open_beside_program(path);
    if (*ret_dir != NULL)
        return 0;
    snprintf(path, PATH_MAX, "%s", WEIR_TEMPLATE);
    *ret_dir = opendir(path);
    if (*ret_dir != NULL)
        return 0;
    return weir_error_set(
        err, WEIR_E_CONFIG, "%s: %s: the package weir-dev brings the template", path, strerror(errno));
}

static void rename_all(struct weir_buffer *out, const char *text, const char *name)
{
    for (const char *at; (at = strstr(text, placeholder)) != NULL; text = at + strlen(placeholder)) {
        weir_buffer_append(out, text, (size_t)(at - text));
        weir_buffer_append_str(out, name);
    }
    weir_buffer_append_str(out, text);
}

static int write_file(int folder, const char *file, const struct weir_buffer *text, struct weir_error *err)
{
    int fd = openat(folder, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool written = fd >= 0 && write(fd, text->data, text->len) == (ssize_t)text->len;

    if (fd >= 0 && close(fd) < 0)
        written = false;
    return written ? 0 : weir_error_set(err, WEIR_E_DISK, "%s: %s", file, strerror(errno));
}

static int copy_file(const char *from, const char *file, int folder, const char *name, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer path = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer own_file = {0};
    WEIR_CLEANUP(buffer) struct weir_buffer own_text = {0};

    weir_buffer_printf(&path, "%s/%s", from, file);
    if (path.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    int code = weir_file_read(path.data, FILE_MAX_BYTES, &text, NULL, err);
    if (code < 0)
        return code;
    rename_all(&own_file, file, name);
    rename_all(&own_text, text.len > 0 ? text.data : "", name);
    if (own_file.failed || own_text.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    return write_file(folder, own_file.data, &own_text, err);
}

static int copy_files(DIR *dir, const char *from, int folder, const char *name, struct weir_error *err)
{
    int code = 0;

    for (const struct dirent *entry; code == 0 && (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            code = copy_file(from, entry->d_name, folder, name, err);
    return code;
}

/* What was there before is never touched. */
static int make_folder(const char *name, int *ret_folder, struct weir_error *err)
{
    if (mkdir(name, 0777) < 0)
        return weir_error_set(err, errno == EEXIST ? WEIR_E_EXISTS : WEIR_E_DISK, "%s: %s%s", name,
            strerror(errno), errno == EEXIST ? ": nothing was written" : "");
    *ret_folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_folder >= 0 ? 0 : weir_error_set(err, WEIR_E_DISK, "%s: %s", name, strerror(errno));
}

int new_plugin_run(struct weirctl *ctl, struct weir_error *err)
{
    const struct arguments *arguments = ctl->arguments;
    const char *name = arguments->operand_count == 1 ? arguments->operands[0] : NULL;
    char from[PATH_MAX];
    WEIR_CLEANUP(dir) DIR *dir = NULL;
    WEIR_CLEANUP(fd) int folder = -1;

    if (name == NULL)
        return weir_error_set(err, WEIR_E_USAGE, "new plugin takes one NAME");
    int code = check_name(name, err);
    if (code == 0)
        code = open_template(&dir, from, err);
    if (code == 0)
        code = make_folder(name, &folder, err);
    if (code == 0 && (code = copy_files(dir, from, folder, name, err)) < 0)
        return weir_error_prefix(err, "%s is not whole, remove it", name);
    if (code == 0)
        printf("%s/ is a plugin that builds, with its test: %s/README.md says how\n", name, name);
    return code;
}
