/* What was wrong with a command, in the words of RFC 9457: the members `detail` and `errors` that its outcome
 * carries on the topic, in the store and over HTTP.
 *
 *     "detail":"the document breaks its schema at 1 place","errors":[{"pointer":"/total","detail":"…"}]
 *
 * It is text without braces, at most WEIR_PROBLEM_BYTES; errors beyond are left out. Pure. Threads: any.
 */
#ifndef WEIR_STORE_PROBLEM_H
#define WEIR_STORE_PROBLEM_H

#include "common/bytes.h"
#include "common/error.h"
#include "common/schema.h"

enum { WEIR_PROBLEM_BYTES = 4096 };

/* Each replaces the content of out; out->failed tells of no memory. */

/* Of a sentence that may name its place as common/json does: `… (pointer "/total"): …`. */
void weir_problem_write(const char *text, struct weir_buffer *out);
void weir_problem_write_violations(const struct weir_schema_violations *violations, struct weir_buffer *out);

/* Takes the members over from an outcome record's value, text that common/json accepts; empty when there are
 * none. */
void weir_problem_read(struct weir_bytes outcome, struct weir_buffer *out);

#endif
