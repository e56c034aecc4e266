#include "common/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Everybody may write beside it, so a name that is there already is used only if it is our own folder. */
static bool make_own(const char *path)
{
    struct stat entry;

    if (mkdir(path, 0700) == 0)
        return true;
    return lstat(path, &entry) == 0 && S_ISDIR(entry.st_mode) && entry.st_uid == geteuid() &&
           (entry.st_mode & 022) == 0;
}

int weir_scratch_folder_make(char out[static PATH_MAX], struct weir_error *err)
{
    static const char *const parents[] = {"/dev/shm", "/tmp"};
    const char *runtime = getenv("RUNTIME_DIRECTORY");

    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < PATH_MAX && strchr(runtime, ':') == NULL) {
        memcpy(out, runtime, strlen(runtime) + 1);
        return 0;
    }
    for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
        snprintf(out, PATH_MAX, "%s/weir-%u", parents[i], (unsigned)geteuid());
        if (make_own(out))
            return 0;
    }
    return weir_error_set(err, WEIR_E_DISK, "no folder of our own can be made in /dev/shm or /tmp");
}

int weir_folder_make(const char *path, struct weir_error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);

    if (len == 0 || len >= sizeof(part))
        return weir_error_set(
            err, WEIR_E_CONFIG, "a folder of %zu bytes: 1 to %zu are possible", len, sizeof(part) - 1);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return weir_error_set(err, errno == ENOSPC ? WEIR_E_DISK : WEIR_E_CONFIG,
                "can't make folder %s: %s", part, strerror(errno));
        part[i] = path[i];
    }
    return 0;
}
