/* The mails in a journey: what the notifier is asked for, and what of its answer is told. */
#ifndef WEIR_GATEWAY_JOURNEY_MAILS_H
#define WEIR_GATEWAY_JOURNEY_MAILS_H

#include "common/bytes.h"

#include <jansson.h>
#include <stdbool.h>

/* Appends the ids of those requests that made a change, as a value of a query with a space between two.
 * Answers how many there are. */
size_t weir_journey_write_changes(const json_t *journey, struct weir_buffer *out);

/* Gives each of these requests its `mails`, of the notifier's answer; hides: whose key may not know the
 * addresses. False when the answer is none, or memory is out. */
bool weir_journey_add_mails(json_t *journey, struct weir_bytes answer, bool hides);

#endif
