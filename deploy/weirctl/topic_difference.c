#include "deploy/weirctl/topic_difference.h"

struct writer {
    bool json;
    struct weir_buffer *out;
    size_t count;
};

int topic_states_read(struct weirctl *ctl, struct weir_topic_states *states, struct weir_error *err)
{
    int code = weir_topic_states_read_partitions(ctl->kafka, weirctl_left_ms(ctl), states, err);
    if (code == 0 && !ctl->deployment->kafka.dev)
        code = weir_topic_states_read_settings(ctl->kafka, weirctl_left_ms(ctl), states, err);
    return code;
}

static void write_json(const struct weir_topic_difference *difference, struct weir_buffer *out)
{
    const struct {
        const char *opening, *text;
    } members[] = {{"{\"topic\":", difference->topic}, {",\"setting\":", difference->setting},
        {",\"has\":", difference->has}, {",\"wants\":", difference->wants}, {",\"fix\":", difference->fix}};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        weir_buffer_append_str(out, members[i].opening);
        weir_buffer_append_json_string(out, weir_bytes_str(members[i].text));
    }
    weir_buffer_append_str(out, "}");
}

static void write_difference(void *context, const struct weir_topic_difference *difference)
{
    struct writer *writer = context;

    if (writer->count++ > 0 && writer->json)
        weir_buffer_append_str(writer->out, ",");
    if (writer->json)
        write_json(difference, writer->out);
    else
        weir_buffer_printf(writer->out, "%s: %s is %s, should be %s; %s\n", difference->topic,
            difference->setting, difference->has, difference->wants, difference->fix);
}

size_t topic_differences_write(
    const struct weirctl *ctl, const struct weir_topic_states *states, struct weir_buffer *out)
{
    struct writer writer = {.json = ctl->arguments->json, .out = out};

    weir_topic_differences_each(ctl->deployment, states, write_difference, &writer);
    return writer.count;
}
