/* Memory that a burst leaves behind: a backlog or a restore takes tens of MiB for a moment, and the allocator
 * would keep them, in pieces, for ever. */
#ifndef WEIR_RUNTIME_TRIM_H
#define WEIR_RUNTIME_TRIM_H

/* Gives free memory back to the system: once in ten seconds, and seldom enough to take no more than a
 * thousandth of the time where the allocator has much to look through. To be called now and then. A few ms
 * when there is something to give. Threads: the loop. */
void weir_trim(void);

#endif
