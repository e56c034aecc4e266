/* GET of a collection: the documents of all partitions, each asked of the store that owns it, merged in the
 * order of their keys or of an indexed member. An answer is complete or 503. */
#ifndef WEIR_GATEWAY_LIST_H
#define WEIR_GATEWAY_LIST_H

#include "common/bytes.h"
#include "gateway/route.h"

struct weir_list;
struct weir_list_query;

/* What stands around the documents of an answer. */
struct weir_list_form {
    const char *begin; /* up to the first document */
    /* Appends what is behind the last one. `last` is its place in hexadecimal; data NULL: there is no further
     * page. */
    void (*end)(struct weir_request *request, long count, struct weir_bytes last, struct weir_buffer *out);
};

enum weir_step weir_list_run(struct weir_request *request);
/* The same for a query that is there already; takes what it holds. The collection has a store. */
enum weir_step weir_list_begin(
    struct weir_request *request, struct weir_list_query *query, const struct weir_list_form *form);

/* The value of the Link header, data NULL when there is no further page. Good as long as the list. */
struct weir_bytes weir_list_link(const struct weir_list *list);
/* Accepts NULL. */
void weir_list_free(struct weir_list *list);

#endif
