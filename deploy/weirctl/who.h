/* Who gives a command, for what is put on record: "root@host". */
#ifndef WEIR_DEPLOY_WEIRCTL_WHO_H
#define WEIR_DEPLOY_WEIRCTL_WHO_H

enum { WHO_BYTES = 512 };

/* One word of printable ASCII. */
void who_write(char out[static WHO_BYTES]);

#endif
