/* Other programs of Weir, asked what they say: each judges what it alone knows. */
#ifndef WEIR_DEPLOY_WEIRCTL_PROGRAM_H
#define WEIR_DEPLOY_WEIRCTL_PROGRAM_H

#include "common/bytes.h"
#include "common/error.h"

#include <stdint.h>

enum { PROGRAM_ABSENT = 127, PROGRAM_LATE = -1 };

/* Runs the program `arguments[0]`, from weirctl's own folder or else from $PATH, until it ends or deadline_ms
 * (weir_clock_ms()) comes, when it is ended. What it prints is appended to out, and to told what it says on
 * stderr; at most 1 MiB each. *ret_status: its exit status, PROGRAM_ABSENT when it is not installed here,
 * PROGRAM_LATE when it was ended. */
int program_run(char *const *arguments, int64_t deadline_ms, struct weir_buffer *out,
    struct weir_buffer *told, int *ret_status, struct weir_error *err);

#endif
