/* A record written by hand, for --try: a JSON file
 *
 *     {"topic": "orders", "partition": 0, "offset": 7, "key": "o-1", "value": {"orderID": "o-1",
 * "total": 19.99}, "headers": {"ce_id": "r-1"}, "executions": 0}
 *
 * Only `value` has to be there: text stands for itself, any other JSON for its own text byte for byte, null
 * for a tombstone. `topic` is one of the service's (its first), with or without the prefix; `partition` by
 * default that of the key. */
#ifndef WEIR_RUNTIME_SAMPLE_H
#define WEIR_RUNTIME_SAMPLE_H

#include "common/cleanup.h"
#include "common/deployment.h"
#include "consumers/runtime/arena.h"

#include <weir/plugin.h>

enum { WEIR_SAMPLE_BYTES_MAX = 16 * 1024 * 1024 };

struct weir_sample {
    struct weir_record record; /* its bytes lie in arena and text */
    struct weir_arena arena;
    struct weir_buffer text;
};

/* Reads the file. Errors name the file and the place in it: WEIR_E_INVALID, _TOO_LARGE, _NOT_FOUND, _CONFIG.
 * To be released with done also after an error. */
int weir_sample_read(const char *path, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_sample *ret_sample, struct weir_error *err);
void weir_sample_done(struct weir_sample *sample);

#endif
