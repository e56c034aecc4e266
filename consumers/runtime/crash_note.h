/* What this instance is executing, in a file that outlives it: a record whose execution ends the process (a
 * crash, a kill, a handler that hangs) is found again at the next start and counted. Only the third time is
 * it a dead letter (`crashed`), so that an operator's kill costs nothing. Each instance has a note of its
 * own, one page, mapped; two stores a record. A power cut may leave an old note behind, which then counts one
 * execution too many, never too few of another record.
 * Not thread-safe: it belongs to the thread of control. */
#ifndef WEIR_RUNTIME_CRASH_NOTE_H
#define WEIR_RUNTIME_CRASH_NOTE_H

#include "common/cleanup.h"
#include "common/error.h"

#include <weir/plugin.h>

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_CRASHES_MAX = 3 };

struct weir_crash_note;

/* Makes folder/id.note when it is not there, the last part of folder too, reads what the last process left
 * and counts it. 0; WEIR_E_DISK when the folder can't be written, WEIR_E_BUSY when a live process holds the
 * note: then there is none, and the calls below take NULL. The caller closes it. */
int weir_crash_note_open(
    const char *folder, const char *id, struct weir_crash_note **ret_note, struct weir_error *err);
void weir_crash_note_close(struct weir_crash_note *note);
WEIR_CLEANUP_DEFINE(crash_note, struct weir_crash_note *, weir_crash_note_close)

/* The plugin got the record; `pending` records in all, this one included, have no verdict yet. */
void weir_crash_note_executing(
    struct weir_crash_note *note, const struct weir_record *record, uint32_t pending);
/* The plugin returned: a process that ends now did not end by a record. */
void weir_crash_note_idle(struct weir_crash_note *note);

/* How often in a row the record ended the process: it becomes a dead letter at WEIR_CRASHES_MAX. */
uint32_t weir_crash_note_count(const struct weir_crash_note *note, const struct weir_record *record);
/* The record is finished and committed: it is forgotten. */
void weir_crash_note_forget(struct weir_crash_note *note, const struct weir_record *record);

/* How many records were without a verdict when the last process ended: more than one hide which of them it
 * was, and have to be handed out one at a time. 0: none. */
uint32_t weir_crash_note_suspects(const struct weir_crash_note *note);

#endif
