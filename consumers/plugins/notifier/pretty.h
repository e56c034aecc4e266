/* JSON laid out for people, from its own text: strings and numbers stay byte for byte as they came (19.99
 * stays 19.99), only the white space between them is new. */
#ifndef WEIR_NOTIFIER_PRETTY_H
#define WEIR_NOTIFIER_PRETTY_H

#include "common/bytes.h"

/* Appends json, text that weir_json_parse accepted, with one member a line and two spaces a level; ends
 * without a line end. Stops after the first line that goes beyond `most` bytes; false then. Threads: any. */
bool weir_pretty_append(struct weir_buffer *out, struct weir_bytes json, size_t most);

#endif
