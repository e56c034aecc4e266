#include "deploy/weirctl/who.h"

#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

enum { HOST_BYTES = 256 };

void who_write(char out[static WHO_BYTES])
{
    char host[HOST_BYTES] = "";
    const struct passwd *user = getpwuid(getuid());

    gethostname(host, sizeof(host) - 1);
    if (user != NULL)
        snprintf(out, WHO_BYTES, "%.200s@%s", user->pw_name, host);
    else
        snprintf(out, WHO_BYTES, "%u@%s", (unsigned)getuid(), host);
    for (char *at = out; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            *at = '_';
}
