/* `pattern` by PCRE2: bounded steps, so that no text can make a bad pattern cost more than its own length. */
#include "common/schema_compile.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <pthread.h>
#include <stdlib.h>

enum {
    STEPS_AT_LEAST = 5000,
    STEPS_A_BYTE = 100,
    HEAP_KIB_MAX = 16 * 1024, /* of one match that remembers many places to go back to */
};

struct weir_schema_pattern {
    struct weir_schema_pattern *next;
    pcre2_code *code;
    const char *text;
};

/* ---- PCRE2's memory of a thread ---- */

struct scratch {
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t scratch_key;
static bool has_key;

static void scratch_free(void *pointer)
{
    struct scratch *scratch = pointer;
    if (scratch == NULL)
        return;
    pcre2_match_data_free(scratch->data);
    pcre2_match_context_free(scratch->limits);
    free(scratch);
}

static void make_key(void)
{
    has_key = pthread_key_create(&scratch_key, scratch_free) == 0;
}

static struct scratch *scratch_new(void)
{
    struct scratch *scratch = calloc(1, sizeof(*scratch));
    if (scratch == NULL)
        return NULL;
    scratch->data = pcre2_match_data_create(1, NULL);
    scratch->limits = pcre2_match_context_create(NULL);
    if (scratch->data == NULL || scratch->limits == NULL || pthread_setspecific(scratch_key, scratch) != 0) {
        scratch_free(scratch);
        return NULL;
    }
    pcre2_set_heap_limit(scratch->limits, HEAP_KIB_MAX);
    return scratch;
}

static struct scratch *scratch_of_thread(void)
{
    pthread_once(&once, make_key);
    struct scratch *scratch = has_key ? pthread_getspecific(scratch_key) : NULL;
    return scratch != NULL || !has_key ? scratch : scratch_new();
}

/* ---- matching ---- */

static uint32_t steps_for(size_t len)
{
    return len < (UINT32_MAX - STEPS_AT_LEAST) / STEPS_A_BYTE ? STEPS_AT_LEAST + STEPS_A_BYTE * (uint32_t)len
                                                              : UINT32_MAX;
}

/* Machine code has a small stack; what is beyond it gets memory that is given back at once. */
static int interpret(
    const struct weir_schema_pattern *pattern, struct weir_bytes text, pcre2_match_context *limits)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int found = data == NULL ? PCRE2_ERROR_NOMEMORY
                             : pcre2_match(pattern->code, (PCRE2_SPTR)text.data, text.len, 0,
                                   PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, limits);
    pcre2_match_data_free(data);
    return found;
}

enum weir_schema_match weir_schema_pattern_match(
    const struct weir_schema_pattern *pattern, struct weir_bytes text)
{
    struct scratch *scratch = scratch_of_thread();
    if (scratch == NULL)
        return WEIR_MATCH_LIMIT;
    pcre2_set_match_limit(scratch->limits, steps_for(text.len));
    int found = pcre2_match(pattern->code, (PCRE2_SPTR)text.data, text.len, 0, PCRE2_NO_UTF_CHECK,
        scratch->data, scratch->limits);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT)
        found = interpret(pattern, text, scratch->limits);
    if (found >= 0)
        return WEIR_MATCH_YES;
    return found == PCRE2_ERROR_NOMATCH ? WEIR_MATCH_NO : WEIR_MATCH_LIMIT;
}

const char *weir_schema_pattern_text(const struct weir_schema_pattern *pattern)
{
    return pattern->text;
}

/* ---- compiling ---- */

/* As ECMA-262 reads it: \uXXXX, $ only at the very end, [] matches nothing. No \C, which could end within a
 * character. */
static pcre2_code *compile(const char *text, size_t len, int *ret_number, size_t *ret_at)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context == NULL) {
        *ret_number = PCRE2_ERROR_NOMEMORY;
        return NULL;
    }
    pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, len,
        PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALT_BSUX | PCRE2_ALLOW_EMPTY_CLASS |
            PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C,
        ret_number, ret_at, context);
    pcre2_compile_context_free(context);
    return code;
}

int weir_schema_compile_pattern(struct weir_schema_compiler *compiler, const char *text, size_t len,
    const struct weir_schema_place *place, const struct weir_schema_pattern **ret_pattern)
{
    struct weir_schema_pattern *pattern = weir_schema_alloc(compiler->schema, sizeof(*pattern));
    PCRE2_UCHAR reason[128];
    int number;
    size_t at = 0;

    if (pattern == NULL)
        return weir_schema_no_memory(compiler);
    pattern->code = compile(text, len, &number, &at);
    if (pattern->code == NULL) {
        pcre2_get_error_message(number, reason, sizeof(reason));
        return weir_schema_refuse(compiler, place, "is no regular expression, at character %zu of %s: %s", at,
            text, (const char *)reason);
    }
    /* Where machine code may not be made (systemd's MemoryDenyWriteExecute), PCRE2 interprets. */
    (void)pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);
    pattern->text = text;
    pattern->next = compiler->schema->patterns;
    compiler->schema->patterns = pattern;
    *ret_pattern = pattern;
    return 0;
}

void weir_schema_patterns_free(struct weir_schema_pattern *patterns)
{
    for (; patterns != NULL; patterns = patterns->next)
        pcre2_code_free(patterns->code);
}
