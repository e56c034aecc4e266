/* What people say of dead letters, as rows of an option table: weirctl's flags (--newer-than) and the gateway's
 * parameters (newer_than) are these. `before` goes before each name, `between` between its words; `type` is the
 * struct of the table, `member` the settings in it.
 *
 *     static const struct weir_option rows[] = {WEIR_LETTER_ROWS("--", "-", struct flags, letters)};
 */
#ifndef WEIR_COMMON_DEAD_LETTER_SETTINGS_H
#define WEIR_COMMON_DEAD_LETTER_SETTINGS_H

#include "common/dead_letter.h"

#include <weir/option.h>

/* Which letters are meant; NULL, 0 and false: it does not matter. */
struct weir_letter_settings {
    char *collection, *disposition, *error_type, *key, *source, *reason;
    int64_t newer_ms, older_ms;
    bool open;
};

/* clang-format off */
#define WEIR_LETTER_ROWS(before, between, type_, member) \
    {.key = before "collection", .type = WEIR_OPTION_STRING, .offset = offsetof(type_, member.collection), \
        .help = "NAME: only those of its topics of this collection"}, \
    {.key = before "disposition", .type = WEIR_OPTION_STRING, .offset = offsetof(type_, member.disposition), \
        .help = "WORD: only these: invalid, max-attempts, expired, too-large, wrong-partition, crashed"}, \
    {.key = before "error" between "type", .type = WEIR_OPTION_STRING, .offset = offsetof(type_, member.error_type), \
        .help = "WORD: only these, e.g. json, schema, smtp-550"}, \
    {.key = before "key", .type = WEIR_OPTION_STRING, .offset = offsetof(type_, member.key), \
        .help = "TEXT: only letters of this key"}, \
    {.key = before "source", .type = WEIR_OPTION_STRING, .offset = offsetof(type_, member.source), \
        .help = "TOPIC[/PARTITION[/FROM[-TO]]]: only letters of records that came from there"}, \
    {.key = before "reason", .type = WEIR_OPTION_STRING, .offset = offsetof(type_, member.reason), \
        .help = "TEXT: only letters whose reason holds it"}, \
    {.key = before "newer" between "than", .type = WEIR_OPTION_DURATION, .offset = offsetof(type_, member.newer_ms), \
        .help = "TIME: only letters written within it, e.g. 2h"}, \
    {.key = before "older" between "than", .type = WEIR_OPTION_DURATION, .offset = offsetof(type_, member.older_ms), \
        .help = "TIME: only letters written before it"}, \
    {.key = before "open", .type = WEIR_OPTION_BOOL, .offset = offsetof(type_, member.open), \
        .help = "only letters that were not redriven"}

/* How they go back. unless_changed: enum weir_redrive_unless_changed of common/kafka_redrive.h. */
struct weir_redrive_settings {
    int64_t rate, redrives_max, unless_changed;
    bool dry_run;
};

#define WEIR_REDRIVE_ROWS(before, between, type_, member) \
    {.key = before "rate", .type = WEIR_OPTION_INTEGER, .offset = offsetof(type_, member.rate), \
        .fallback = "100", .min = 1, .max = 1000000, .help = "NUMBER: no more letters a second"}, \
    {.key = before "redrives", .type = WEIR_OPTION_INTEGER, .offset = offsetof(type_, member.redrives_max), \
        .fallback = "3", .min = 1, .max = 1000, \
        .help = "NUMBER: leave letters that were redriven so often and failed each time"}, \
    {.key = before "if" between "unchanged", .type = WEIR_OPTION_CHOICE, .offset = offsetof(type_, member.unless_changed), \
        .fallback = "overwrites", .choices = "overwrites|all|none", \
        .help = "WHICH: leave replaces and merges whose document a later command changed; all letters, none"}, \
    {.key = before "dry" between "run", .type = WEIR_OPTION_BOOL, .offset = offsetof(type_, member.dry_run), \
        .help = "only say what would be done"}
/* clang-format on */

/* The filter that settings say at now_ms (wall clock), but for collection and open, which are the caller's to
 * heed. Texts are borrowed, `topic` keeps a part of one. WEIR_E_INVALID: `source` is not written as it has to
 * be, see weir_letter_filter_source. */
int weir_letter_filter_make(const struct weir_letter_settings *settings, int64_t now_ms,
    char topic[static WEIR_TOPIC_NAME_BYTES], struct weir_letter_filter *ret_filter);

#endif
