/* The preconditions of a command, judged against the document as it is now (RFC 9110 §13.1). Pure. */
#ifndef WEIR_STORE_CONDITION_H
#define WEIR_STORE_CONDITION_H

#include "common/bytes.h"

#include <stdbool.h>

/* if_match, if_none_match: a list of entity tags or `*`; data NULL: no such condition. tag: the document's
 * entity tag without quotes; data NULL: there is no document. If-Match compares strongly, If-None-Match
 * weakly. A tag may come without its quotes, as people type it into kcat. Threads: any. */
bool weir_condition_holds(struct weir_bytes if_match, struct weir_bytes if_none_match, struct weir_bytes tag);

#endif
