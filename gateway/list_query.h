/* What a list's query asks for, and how the stores are asked for it. Threads: any. */
#ifndef WEIR_GATEWAY_LIST_QUERY_H
#define WEIR_GATEWAY_LIST_QUERY_H

#include "common/bytes.h"
#include "common/deployment.h"
#include "common/error.h"

#include <stdbool.h>

enum { WEIR_LIST_LIMIT = 100, WEIR_LIST_LIMIT_MAX = 1000 };

struct weir_list_query {
    long limit;
    bool descending;
    struct weir_buffer store; /* the query of the stores' lists */
    struct weir_buffer link;  /* the path of further pages, up to the cursor */
};

/* target: checked (gateway/route). Parameters: limit, cursor, order=asc|desc, and of one indexed member
 * `member=value`, `member[prefix]=text` or `member[from]=value` (inclusive) and `member[below]=value`
 * (exclusive). A value is a number, true, false, a string in quotes, or else a string as it is.
 * WEIR_E_INVALID says which parameter is wrong. */
int weir_list_query_read(const char *base_path, const struct weir_collection *collection, const char *target,
    struct weir_list_query *ret_query, struct weir_error *err);
void weir_list_query_done(struct weir_list_query *query);

static inline void weir_cleanup_list_query(struct weir_list_query *query)
{
    weir_list_query_done(query);
}

#endif
