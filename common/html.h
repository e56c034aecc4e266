/* Text inside HTML. */
#ifndef WEIR_COMMON_HTML_H
#define WEIR_COMMON_HTML_H

#include "common/bytes.h"

/* Appends text with & < > " ' as character references, so that it stays text between tags and in quoted
 * attributes. Threads: any. */
void weir_html_append(struct weir_buffer *out, struct weir_bytes text);

#endif
