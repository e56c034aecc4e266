/* GET of a collection: the documents of all partitions, each asked of the store that owns it, merged in the
 * order of their keys or of an indexed member. An answer is complete or 503. */
#ifndef WEIR_GATEWAY_LIST_H
#define WEIR_GATEWAY_LIST_H

#include "common/bytes.h"
#include "gateway/route.h"

struct weir_list;

enum weir_step weir_list_run(struct weir_request *request);

/* The value of the Link header, data NULL when there is no further page. Good as long as the list. */
struct weir_bytes weir_list_link(const struct weir_list *list);
/* Accepts NULL. */
void weir_list_free(struct weir_list *list);

#endif
