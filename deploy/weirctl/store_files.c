#include "common/clock.h"
#include "deploy/weirctl/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP_BYTES = 8 << 20 };

struct copying {
    struct store *store;
    const char *from, *to, *like;
    struct store_copy *copy;
    int64_t bytes; /* of all files */
};

static int fail(struct weir_error *err, const char *doing, const char *path)
{
    return weir_error_set(err, errno == ENOENT ? WEIR_E_NOT_FOUND : WEIR_E_DISK, "can't %s %s: %s", doing,
        path, strerror(errno));
}

static int join(char out[static PATH_MAX], const char *folder, const char *name, struct weir_error *err)
{
    int len = snprintf(out, PATH_MAX, "%s/%s", folder, name);
    return len > 0 && len < PATH_MAX ? 0
                                     : weir_error_set(err, WEIR_E_USAGE, "the path %s/… is too long", folder);
}

/* Table files never change, and a copy keeps the time of its original: the same name, size and time are the
 * same file. */
static bool is_same(const char *path, const struct stat *wanted)
{
    struct stat found;
    size_t len = strlen(path);

    return len > 4 && strcmp(path + len - 4, ".sst") == 0 && stat(path, &found) == 0 &&
           found.st_size == wanted->st_size && found.st_mtim.tv_sec == wanted->st_mtim.tv_sec &&
           found.st_mtim.tv_nsec == wanted->st_mtim.tv_nsec;
}

static int copy_bytes(
    struct copying *copying, int from, int to, int64_t bytes, const char *path, struct weir_error *err)
{
    for (int64_t done = 0; done < bytes;) {
        ssize_t step = sendfile(to, from, NULL, STEP_BYTES);
        if (step <= 0)
            return fail(err, "copy", path);
        done += step;
        copying->copy->copied_bytes += step;
        progress_count(&copying->store->progress, (copying->copy->bytes + done) >> 20, copying->bytes >> 20,
            "MiB", "copying");
    }
    return 0;
}

static int copy_opened(
    struct copying *copying, int from, const struct stat *original, const char *path, struct weir_error *err)
{
    const struct timespec times[2] = {original->st_mtim, original->st_mtim};
    int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (to < 0)
        return fail(err, "make", path);
    int code = copy_bytes(copying, from, to, original->st_size, path, err);
    if (code == 0 && (futimens(to, times) < 0 || fsync(to) < 0))
        code = fail(err, "write", path);
    if (close(to) < 0 && code == 0)
        code = fail(err, "write", path);
    return code;
}

static int copy_file(struct copying *copying, const char *name, struct weir_error *err)
{
    char from[PATH_MAX], to[PATH_MAX], like[PATH_MAX] = "";
    struct stat original;

    int code = join(from, copying->from, name, err);
    if (code == 0)
        code = join(to, copying->to, name, err);
    if (code == 0 && copying->like != NULL)
        code = join(like, copying->like, name, err);
    if (code < 0)
        return code;
    int opened = open(from, O_RDONLY | O_CLOEXEC);
    if (opened < 0 || fstat(opened, &original) < 0)
        code = fail(err, "read", from);
    else if (like[0] == '\0' || !is_same(like, &original) || link(like, to) < 0)
        code = copy_opened(copying, opened, &original, to, err);
    if (opened >= 0)
        close(opened);
    if (code == 0) {
        copying->copy->files++;
        copying->copy->bytes += original.st_size;
    }
    return code;
}

static int sync_folder(const char *path, struct weir_error *err)
{
    int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = opened < 0 || fsync(opened) < 0 ? fail(err, "write", path) : 0;

    if (opened >= 0)
        close(opened);
    return code;
}

static bool is_file(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
           strcmp(entry->d_name, "LOCK") != 0;
}

static int64_t count_bytes(DIR *folder)
{
    struct stat found;
    int64_t bytes = 0;

    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (is_file(entry) && fstatat(dirfd(folder), entry->d_name, &found, 0) == 0)
            bytes += found.st_size;
    rewinddir(folder);
    return bytes;
}

int store_files_copy(struct store *store, const char *from, const char *to, const char *like,
    struct store_copy *ret_copy, struct weir_error *err)
{
    struct copying copying = {store, from, to, like, ret_copy, 0};
    int code = 0;

    *ret_copy = (struct store_copy){0};
    if (mkdir(to, 0700) < 0)
        return fail(err, "make", to);
    DIR *folder = opendir(from);
    if (folder == NULL)
        return fail(err, "read", from);
    copying.bytes = count_bytes(folder);
    for (struct dirent *entry; code == 0 && (entry = readdir(folder)) != NULL;)
        if (is_file(entry))
            code = copy_file(&copying, entry->d_name, err);
    closedir(folder);
    return code < 0 ? code : sync_folder(to, err);
}

int store_files_remove(const char *path, struct weir_error *err)
{
    char file[PATH_MAX];
    int code = 0;
    DIR *folder = opendir(path);

    if (folder == NULL)
        return errno == ENOENT ? 0 : fail(err, "read", path);
    for (struct dirent *entry; code == 0 && (entry = readdir(folder)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        code = join(file, path, entry->d_name, err);
        if (code == 0 && unlink(file) < 0)
            code = fail(err, "remove", file);
    }
    closedir(folder);
    return code == 0 && rmdir(path) < 0 ? fail(err, "remove", path) : code;
}

static int is_backup(const struct dirent *entry)
{
    static const char digits[] = "0123456789";
    const char *name = entry->d_name;
    return strspn(name, digits) == 8 && name[8] == 'T' && strspn(name + 9, digits) == 6 &&
           strcmp(name + 15, "Z") == 0;
}

int store_files_list(const char *path, struct weir_buffer *ret_names, struct weir_error *err)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_backup, alphasort);

    if (count < 0)
        return errno == ENOENT ? 0 : fail(err, "read", path);
    for (int i = 0; i < count; i++) {
        weir_buffer_append(ret_names, entries[i]->d_name, strlen(entries[i]->d_name) + 1);
        free(entries[i]);
    }
    free(entries);
    return count;
}

int store_find_backup(const char *path, char out[static PATH_MAX], struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer names = {0};
    const char *name;

    int count = store_files_list(path, &names, err);
    if (count < 0)
        return count;
    name = names.data;
    for (int i = 1; i < count; i++)
        name += strlen(name) + 1;
    int len = snprintf(out, PATH_MAX, count > 0 ? "%s/%s" : "%s", path, name);
    return len > 0 && len < PATH_MAX ? 0 : weir_error_set(err, WEIR_E_USAGE, "--from: the path is too long");
}
