/* The templates that are there without a folder; a file of the same name replaces one. */
#ifndef WEIR_NOTIFIER_TEMPLATES_BUILTIN_H
#define WEIR_NOTIFIER_TEMPLATES_BUILTIN_H

struct weir_template_builtin {
    const char *name, *text;
};

enum { WEIR_TEMPLATES_BUILTIN_COUNT = 6 };
extern const struct weir_template_builtin weir_templates_builtin[WEIR_TEMPLATES_BUILTIN_COUNT];

#endif
