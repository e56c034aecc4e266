#include "deploy/weirctl/topic_difference.h"

#include <stdio.h>

enum { EXIT_DIFFERENT = 1 };

static int print(const struct weirctl *ctl, const struct weir_topic_states *states, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer lines = {0};
    size_t count = topic_differences_write(ctl, states, &lines);

    if (lines.failed)
        return weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    if (ctl->arguments->json)
        printf("{\"ok\":%s,\"differences\":[%.*s]}\n", count == 0 ? "true" : "false", (int)lines.len,
            lines.len > 0 ? lines.data : "");
    else if (count > 0)
        fwrite(lines.data, 1, lines.len, stdout);
    else
        printf("%zu topics are as they should be%s\n", states->count,
            ctl->deployment->kafka.dev ? " (the dev broker has no settings to check)" : "");
    return count == 0 ? 0 : EXIT_DIFFERENT;
}

int topics_check_run(struct weirctl *ctl, struct weir_error *err)
{
    WEIR_CLEANUP(topic_states) struct weir_topic_states states = {0};

    int code = weir_topic_states_plan(ctl->deployment, NULL, NULL, &states, err);
    if (code == 0)
        code = weirctl_connect(ctl, err);
    if (code == 0)
        code = topic_states_read(ctl, &states, err);
    return code < 0 ? code : print(ctl, &states, err);
}
