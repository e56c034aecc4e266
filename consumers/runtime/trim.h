/* Memory that a burst leaves behind: a backlog or a restore takes tens of MiB for a moment, and the allocator
 * would keep them, in pieces, for ever. */
#ifndef WEIR_RUNTIME_TRIM_H
#define WEIR_RUNTIME_TRIM_H

/* Gives free memory back to the system when the process has grown since that was last done. To be called
 * now and then; looks once in ten seconds. A few ms when there is something to give. Threads: the loop. */
void weir_trim(void);

#endif
