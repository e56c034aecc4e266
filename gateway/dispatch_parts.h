/* What the files of gateway/dispatch share. */
#ifndef WEIR_GATEWAY_DISPATCH_PARTS_H
#define WEIR_GATEWAY_DISPATCH_PARTS_H

#include "gateway/request.h"

#include <jansson.h>

/* An operation on its way. */
struct weir_dispatch {
    struct weir_request *request; /* its collection is the table's */
    const char *name;             /* of the operation */
    json_t *payload;              /* an object; borrowed */
    struct weir_bytes text;       /* of the payload */
};

/* Refuses the payload, 400, at a member of its member `holder` (NULL: of itself); `member` NULL: at the
 * holder.
 */
enum weir_step weir_dispatch_refuse(const struct weir_dispatch *dispatch, const char *holder,
    const char *member, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Appends the merge patch (RFC 7396) that an update's payload asks for: by UpdateExpression (SET and REMOVE
 * of attributes, with ExpressionAttributeNames and …Values) or by AttributeUpdates. Attributes that a merge
 * can't set are refused. WEIR_STEP_SUSPENDED: goes on. */
enum weir_step weir_dispatch_write_patch(const struct weir_dispatch *dispatch, struct weir_buffer *out);

/* Reads the item of request->key; one that is missing is no problem. */
enum weir_step weir_dispatch_read(const struct weir_dispatch *dispatch);
/* Reads a page of the table in the order of its keys: Limit, ExclusiveStartKey. */
enum weir_step weir_dispatch_list(const struct weir_dispatch *dispatch);

/* Takes request->key out of the payload's member `holder`, an object that holds it and, if it `is_key`,
 * nothing else. WEIR_STEP_SUSPENDED: goes on. */
enum weir_step weir_dispatch_take_key(const struct weir_dispatch *dispatch, const char *holder, bool is_key);

/* Appends `"ResponseMetadata":{…}}`, the end of each answer. */
void weir_dispatch_write_end(const struct weir_request *request, struct weir_buffer *out);

#endif
