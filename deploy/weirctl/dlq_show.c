#include "deploy/weirctl/dlq.h"
#include "deploy/weirctl/text.h"

#include <stdio.h>

struct show {
    bool json, found;
    struct weir_buffer out;
};

static void write_text(struct weir_buffer *out, const struct weir_letter *letter, bool redriven)
{
    char position[WEIR_POSITION_BYTES];

    weir_position_write(letter->topic, letter->partition, letter->offset, position);
    weir_buffer_printf(out, "letter %s\nstate %s\nkey ", position, redriven ? "redriven" : "open");
    text_append_safe(out, letter->key.data != NULL ? letter->key : weir_bytes_str("none"), false);
    weir_buffer_append_str(out, "\n");
    for (size_t i = 0; i < letter->header_count; i++) {
        weir_buffer_append_str(out, "header ");
        text_append_safe(out, weir_bytes_str(letter->headers[i].name), false);
        weir_buffer_append_str(out, ": ");
        text_append_safe(out, letter->headers[i].value, false);
        weir_buffer_append_str(out, "\n");
    }
    weir_buffer_append_str(out, "\n");
    text_append_safe(out, letter->value.data != NULL ? letter->value : weir_bytes_str("no body"), true);
    weir_buffer_append_str(out, "\n");
}

static void write_json(struct weir_buffer *out, const struct weir_letter *letter, bool redriven)
{
    weir_letter_write_whole(letter, redriven, out);
    weir_buffer_append_str(out, "\n");
}

static int take(void *context, const struct weir_letter *letter, bool redriven, struct weir_error *err)
{
    struct show *show = context;

    (void)err;
    show->found = true;
    (show->json ? write_json : write_text)(&show->out, letter, redriven);
    return 1;
}

static int find(struct dlq *dlq, const char *operand, struct show *show, struct weir_error *err)
{
    WEIR_CLEANUP(redriven) struct weir_redriven redriven = {0};
    struct weir_letters_range range;
    struct weir_letters_query query = {.filter = WEIR_LETTER_ANY, .ranges = &range, .range_count = 1};

    int code = dlq_letter(dlq, operand, &query.topic, &range, err);
    if (code == 0)
        code = dlq_redriven(dlq, query.topic, &redriven, err);
    if (code == 0)
        code = weir_letters_each(dlq->scan, &query, &redriven, take, show, err);
    if (code == 0 && !show->found)
        return weir_error_set(err, WEIR_E_INVALID, "%s: no letter stands there", operand);
    return code == 0 && show->out.failed ? weir_error_set(err, WEIR_E_INTERNAL, "out of memory") : code;
}

int dlq_show_run(struct weirctl *ctl, struct weir_error *err)
{
    struct dlq dlq;
    struct show show = {.json = ctl->arguments->json};

    if (ctl->arguments->operand_count != 1)
        return weir_error_set(err, WEIR_E_USAGE, "dlq show takes one letter, as dlq list prints it");
    int code = dlq_open(ctl, &dlq, err);
    if (code == 0)
        code = find(&dlq, ctl->arguments->operands[0], &show, err);
    progress_end(&dlq.progress);
    if (code == 0 && show.json)
        text_print_json(weir_buffer_bytes(&show.out), stdout);
    else if (code == 0)
        fwrite(show.out.data, 1, show.out.len, stdout);
    weir_buffer_done(&show.out);
    dlq_close(&dlq);
    return code;
}
