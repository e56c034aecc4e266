/* A last line on stderr when a plugin crashes while it is opened: its file and the signal. The process then
 * ends by that signal, as it would have. */
#ifndef WEIR_RUNTIME_CRASH_LINE_H
#define WEIR_RUNTIME_CRASH_LINE_H

/* From now on until disarm; `what` is what the line begins with. Not thread-safe. */
void weir_crash_line_arm(const char *what);
void weir_crash_line_disarm(void);

#endif
