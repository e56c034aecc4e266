#include "common/file.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VALUE_BYTES_MAX = 64 * 1024, CHUNK_BYTES = 4096 };

static int refuse(const char *path, int number, struct weir_error *err)
{
    int code = number == ENOENT || number == ENOTDIR ? WEIR_E_NOT_FOUND : WEIR_E_CONFIG;
    return weir_error_set(err, code, "%s: %s", path, strerrordesc_np(number));
}

static int read_all(
    int fd, const char *path, size_t limit_bytes, struct weir_buffer *out, struct weir_error *err)
{
    char chunk[CHUNK_BYTES];
    size_t total = 0;
    ssize_t got;

    while ((got = read(fd, chunk, sizeof(chunk))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse(path, errno, err);
        total += (size_t)got;
        if (total > limit_bytes)
            return weir_error_set(err, WEIR_E_TOO_LARGE, "%s: has more than %zu bytes", path, limit_bytes);
        weir_buffer_append(out, chunk, (size_t)got);
    }
    return out->failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : 0;
}

int weir_file_read(
    const char *path, size_t limit_bytes, struct weir_buffer *out, bool *ret_private, struct weir_error *err)
{
    WEIR_CLEANUP(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat found;

    if (fd < 0 || fstat(fd, &found) != 0)
        return refuse(path, errno, err);
    if (S_ISDIR(found.st_mode))
        return refuse(path, EISDIR, err);
    if (ret_private != NULL)
        *ret_private = (found.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    return read_all(fd, path, limit_bytes, out, err);
}

static size_t without_line_end(const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    return len;
}

int weir_file_read_value(const char *path, char **ret_value, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};

    int code = weir_file_read(path, VALUE_BYTES_MAX, &text, NULL, err);
    if (code < 0)
        return code;
    struct weir_bytes value = weir_buffer_bytes(&text);
    value.len = without_line_end(value.data, value.len);
    if (value.len > 0 && memchr(value.data, '\0', value.len) != NULL)
        return weir_error_set(err, WEIR_E_CONFIG, "%s: holds a NUL byte", path);
    char *copy = weir_bytes_dup(value);
    if (copy == NULL)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    *ret_value = copy;
    return 0;
}

/* ---- replacing ---- */

enum { NEW_FILE_MODE = 0640 };

static int refuse_write(const char *path, int number, struct weir_error *err)
{
    int code = number == ENOSPC || number == EDQUOT || number == EIO ? WEIR_E_DISK : WEIR_E_CONFIG;
    return weir_error_set(err, code, "%s can't be written: %s", path, strerrordesc_np(number));
}

/* The file that path leads to, which need not be there yet, and its folder. */
static int resolve(const char *path, char file[static PATH_MAX], char folder[static PATH_MAX])
{
    if (realpath(path, file) == NULL) {
        if (errno != ENOENT)
            return -1;
        int len = snprintf(file, PATH_MAX, "%s", path);
        if (len < 0 || len >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
    }
    const char *slash = strrchr(file, '/');
    size_t len = slash == NULL ? 0 : slash == file ? 1 : (size_t)(slash - file);
    memcpy(folder, len > 0 ? file : ".", len > 0 ? len : 1);
    folder[len > 0 ? len : 1] = '\0';
    return 0;
}

static int write_all(int fd, struct weir_bytes content)
{
    while (content.len > 0) {
        ssize_t put = write(fd, content.data, content.len);
        if (put < 0 && errno != EINTR)
            return -1;
        if (put > 0)
            content = weir_bytes(content.data + put, content.len - (size_t)put);
    }
    return fsync(fd);
}

/* Mode and owner of the file that is replaced, else those that suit its folder. Who may not give a file away
 * to its old owner must not replace it; a new file's group is only a wish. */
static int take_over_rights(int fd, const char *file, int folder)
{
    struct stat found;

    if (stat(file, &found) == 0)
        return fchown(fd, found.st_uid, found.st_gid) < 0 ? -1 : fchmod(fd, found.st_mode & 07777);
    if (fstat(folder, &found) < 0)
        return -1;
    if (fchown(fd, (uid_t)-1, found.st_gid) < 0 && errno != EPERM)
        return -1;
    return fchmod(fd, NEW_FILE_MODE);
}

static int replace(int folder, const char *file, const char *beside, struct weir_bytes content)
{
    WEIR_CLEANUP(fd) int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return -1;
    if (write_all(fd, content) == 0 && take_over_rights(fd, file, folder) == 0 && rename(beside, file) == 0)
        return fsync(folder);
    int number = errno;
    unlink(beside);
    errno = number;
    return -1;
}

int weir_file_replace(const char *path, struct weir_bytes content, struct weir_error *err)
{
    char file[PATH_MAX], folder_path[PATH_MAX], beside[PATH_MAX + 32];

    if (resolve(path, file, folder_path) < 0)
        return refuse_write(path, errno, err);
    WEIR_CLEANUP(fd) int folder = open(folder_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(beside, sizeof(beside), "%s.new-%ld", file, (long)getpid());
    if (folder < 0 || replace(folder, file, beside, content) < 0)
        return refuse_write(path, errno, err);
    return 0;
}
