/* What `adjust` does: adds numbers to members of a document, exactly (decimal.h). Pure. Threads: any.
 *
 *     {"stock":-2,"price":{"net":0.01}}   over   {"stock":5,"price":{"net":19.99},"name":"x"}
 *     gives the merge patch {"stock":3,"price":{"net":20.00}}
 */
#ifndef WEIR_STORE_ADJUST_H
#define WEIR_STORE_ADJUST_H

#include "common/error.h"
#include "consumers/plugins/store/decimal.h"

#include <stddef.h>

/* A member of a document that may not fall below a number. */
struct weir_minimum {
    char *pointer; /* JSON Pointer (RFC 6901) of the member: "/price/net" */
    struct weir_decimal least;
    bool exclusive; /* it has to be above */
};

/* Appends the merge patch that makes the change. document and changes: objects that common/json accepts.
 * Returns 0. WEIR_E_INVALID: something is no number, or its sum is none that can be kept; err names the place
 * by a pointer. WEIR_E_INTERNAL: memory is out. WEIR_ADJUST_BELOW_MINIMUM: a sum would be below its minimum,
 * which err tells.
 */
enum { WEIR_ADJUST_BELOW_MINIMUM = 1 };
int weir_adjust_write(struct weir_bytes document, struct weir_bytes changes,
    const struct weir_minimum *minimums, size_t minimum_count, struct weir_buffer *out,
    struct weir_error *err);

#endif
