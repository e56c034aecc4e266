/* Text inside HTML. */
#ifndef WEIR_NOTIFIER_HTML_H
#define WEIR_NOTIFIER_HTML_H

#include "common/bytes.h"

/* Appends text with & < > " ' as character references, so that it stays text between tags and in quoted
 * attributes. */
void weir_html_append(struct weir_buffer *out, struct weir_bytes text);

#endif
