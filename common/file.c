#include "common/file.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
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
