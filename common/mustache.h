/* Mustache templates (mustache(5), the core of specification 1.x: variables, sections, inverted sections,
 * comments, partials, set delimiters; no lambdas, no inheritance), rendered from JSON text. A template is the
 * operator's, the JSON anyone's: a value is never read as a template, and what rendering costs is bounded.
 *
 * A value is the JSON text itself: 19.90 stays 19.90; an object or array in the place of a text is its JSON.
 * False are null, false, an empty array and a name that is not there.
 *
 *     struct weir_mustache *greeting = NULL;
 *     weir_mustache_compile("greeting.txt", text, &greeting, &err);
 *     const struct weir_mustache_options options = {.html = true, .most = 65536};
 *     weir_mustache_render(greeting, &json, 1, &options, &out, &err);
 *     weir_mustache_free(greeting);
 */
#ifndef WEIR_COMMON_MUSTACHE_H
#define WEIR_COMMON_MUSTACHE_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    WEIR_MUSTACHE_TEXT_MAX = 256 * 1024, /* bytes of a template */
    WEIR_MUSTACHE_DEPTH_MAX = 32,        /* sections in sections, partials in partials */
    WEIR_MUSTACHE_NAME_MAX = 255,        /* bytes of a name */
    WEIR_MUSTACHE_STEPS_MAX = 4000000,   /* tags rendered and 64 bytes of JSON searched: about a second */
};

/* Compiled; immutable. */
struct weir_mustache;

/* Compiles text (copied). `name` stands for it in errors: `greeting.txt:12: …`. The caller frees
 * *ret_template. WEIR_E_INVALID, WEIR_E_TOO_LARGE. Threads: any. */
int weir_mustache_compile(
    const char *name, struct weir_bytes text, struct weir_mustache **ret_template, struct weir_error *err);
/* Accepts NULL. */
void weir_mustache_free(struct weir_mustache *template);
WEIR_CLEANUP_DEFINE(mustache, struct weir_mustache *, weir_mustache_free)

/* The i-th partial that the template names, and its line; NULL beyond the last. Borrowed. */
const char *weir_mustache_partial(const struct weir_mustache *template, size_t i, size_t *ret_line);

struct weir_mustache_options {
    bool html;   /* {{name}} escapes & < > " '; {{{name}}} and {{&name}} never do */
    size_t most; /* bytes of output */
    /* The template of a partial, borrowed; NULL: there is none, it is empty. May be NULL. */
    const struct weir_mustache *(*find)(void *context, const char *partial);
    void *context;
};

/* Appends the template's text. `contexts`: JSON texts that weir_json_parse accepted; a name is looked for in
 * the last one first. WEIR_E_TOO_LARGE: the output, the depth or the steps go beyond their bounds; what is in
 * `out` then is cut. WEIR_E_INTERNAL: memory. Threads: any, any number at once. */
int weir_mustache_render(const struct weir_mustache *template, const struct weir_bytes *contexts,
    size_t context_count, const struct weir_mustache_options *options, struct weir_buffer *out,
    struct weir_error *err);

#endif
