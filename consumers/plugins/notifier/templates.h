/* The templates of the mails: Mustache files of a folder over those that are built in.
 *
 * A template NAME is NAME.subject.mustache, NAME.txt.mustache and, if the mail shall have an HTML part,
 * NAME.html.mustache.
 * {{>footer}} in a text is footer.txt.mustache, in HTML footer.html.mustache. NAME is a-z 0-9 -, at most 63
 * characters.
 */
#ifndef WEIR_NOTIFIER_TEMPLATES_H
#define WEIR_NOTIFIER_TEMPLATES_H

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/error.h"

#include <stdbool.h>

enum weir_template_part {
    WEIR_TEMPLATE_SUBJECT,
    WEIR_TEMPLATE_TEXT,
    WEIR_TEMPLATE_HTML,
    WEIR_TEMPLATE_PARTS
};

/* What is built in: the mail about any change, and the one that asks whether a subscription is wanted. */
#define WEIR_TEMPLATE_CHANGE "change"
#define WEIR_TEMPLATE_CONFIRM "confirm"

enum { WEIR_TEMPLATE_FILES_MAX = 500, WEIR_TEMPLATE_OUTPUT_MAX = 512 * 1024 };

/* Immutable. */
struct weir_templates;

/* Compiles every *.mustache of the folder (NULL: only what is built in). The caller frees *ret_templates.
 * WEIR_E_CONFIG names file and line: a broken template, a partial that is not there, a file of another name.
 */
int weir_templates_load(const char *folder, struct weir_templates **ret_templates, struct weir_error *err);
void weir_templates_free(struct weir_templates *templates);
WEIR_CLEANUP_DEFINE(templates, struct weir_templates *, weir_templates_free)

/* 0 if there are a subject and a text of that name; WEIR_E_CONFIG naming the missing file. */
int weir_templates_check(const struct weir_templates *templates, const char *name, struct weir_error *err);

/* Whether the template has that part. */
bool weir_templates_have(
    const struct weir_templates *templates, const char *name, enum weir_template_part part);

/* Appends the part, at most WEIR_TEMPLATE_OUTPUT_MAX bytes, rendered from JSON texts (common/mustache.h).
 * WEIR_E_NOT_FOUND, WEIR_E_TOO_LARGE, WEIR_E_INTERNAL. Threads: any. */
int weir_templates_render(const struct weir_templates *templates, const char *name,
    enum weir_template_part part, const struct weir_bytes *contexts, size_t context_count,
    struct weir_buffer *out, struct weir_error *err);

#endif
