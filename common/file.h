/* Small files whole: configuration, secrets. Threads: any. */
#ifndef WEIR_COMMON_FILE_H
#define WEIR_COMMON_FILE_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends the regular file (or pipe) `path` to out. `limit_bytes`: more is refused. `ret_private` (may be NULL): whether
 * neither group nor others may read or write it. Errors: WEIR_E_NOT_FOUND, WEIR_E_CONFIG (cannot be read, a folder),
 * WEIR_E_TOO_LARGE; the text names the path. */
int weir_file_read(const char *path, size_t limit_bytes, struct weir_buffer *out, bool *ret_private,
    struct weir_error *err);

/* The value that a file holds: at most 64 KiB, without the line end that closes it. NUL is refused. The caller frees
 * *ret_value. Errors as above. */
int weir_file_read_value(const char *path, char **ret_value, struct weir_error *err);

/* Puts `content` in the place of the file `path` at once: whoever reads it finds the old content or the new one, also after
 * a crash. Mode and owner stay those of the file, a link to it stays a link; a new file gets mode 0640 and its folder's
 * group. WEIR_E_CONFIG: it can't be written, WEIR_E_DISK: the disk is full. */
int weir_file_replace(const char *path, struct weir_bytes content, struct weir_error *err);

#endif
