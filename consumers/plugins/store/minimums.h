/* The minimums that a collection's JSON Schema declares for members of its documents: `minimum` and
 * `exclusiveMinimum` below `properties`, however deep. Those behind `$ref`, `allOf` and the like are not
 * looked for: a document that breaks them is a dead letter and not rejected. Pure. */
#ifndef WEIR_STORE_MINIMUMS_H
#define WEIR_STORE_MINIMUMS_H

#include "common/error.h"
#include "consumers/plugins/store/adjust.h"

struct weir_minimums {
    struct weir_minimum *list;
    size_t count;
};

/* schema: JSON text that common/json accepts. WEIR_E_INTERNAL: memory is out; what was found is to be freed
 * all the same. */
int weir_minimums_read(struct weir_bytes schema, struct weir_minimums *ret_minimums);
void weir_minimums_done(struct weir_minimums *minimums);

#endif
