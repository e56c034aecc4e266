/* One document the whole way through a deployment and back: whether what was installed works. */
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "deploy/weirctl/http_client.h"
#include "deploy/weirctl/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { BODY_BYTES_MAX = 1 << 20, KEY_BYTES = 32, ASK_AGAIN_MS = 200, EXIT_FAILED = 1 };

#define WAIT "10"

struct smoke_flags {
    struct http_flags http; /* first: HTTP_FLAG_ROWS */
    char *body;
    bool mailed;
};

static const struct weir_option rows[] = {
    HTTP_FLAG_ROWS,
    {.key = "--body",
        .type = WEIR_OPTION_PATH,
        .offset = offsetof(struct smoke_flags, body),
        .help = "FILE: the document, to which a key of its own is given; by default it has nothing else"},
    {.key = "--mailed",
        .type = WEIR_OPTION_BOOL,
        .offset = offsetof(struct smoke_flags, mailed),
        .fallback = "off",
        .help = "also wait, up to --timeout, until the notifier's mails about it are sent"},
};

static const char *const verbs[] = {"smoke", "smoke", "smoke", "smoke", "smoke", "smoke", "smoke"};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == sizeof(verbs) / sizeof(verbs[0]), "a row has its verbs");

const struct flag_table smoke_flags = {
    rows, verbs, sizeof(rows) / sizeof(rows[0]), sizeof(struct smoke_flags)};

struct smoking {
    struct http_client client;
    const struct smoke_flags *flags;
    const struct weir_collection *collection;
    char key[KEY_BYTES];
    struct weir_buffer document, path; /* path: /v1/COLLECTION/KEY */
    struct http_answer answer;         /* to the last request */
    struct weir_buffer why;            /* what is wrong, when a step has failed */
    bool written;                      /* there may be something to take back */
};

/* What a step answers when its sentence in smoking->why tells what is wrong; anything negative is an error.
 */
enum { DONE, FAILED };

static char wait_until_done[] = "Prefer: wait=" WAIT, do_not_wait[] = "Prefer: respond-async";

static int command(
    struct smoking *smoking, struct http_request request, char *preference, struct weir_error *err)
{
    request.headers = (char *[]){preference, NULL};
    return http_client_call(&smoking->client, &request, &smoking->answer, err);
}

static int erase(struct smoking *smoking, char *preference, struct weir_error *err)
{
    const struct http_request request = {.method = "DELETE", .path = smoking->path.data};
    return command(smoking, request, preference, err);
}

/* Leaves the answer in smoking->answer when it is 200. */
static int get(struct smoking *smoking, const char *path, struct weir_error *err)
{
    const struct http_request request = {.method = "GET", .path = path};
    int code = http_client_call(&smoking->client, &request, &smoking->answer, err);
    if (code < 0 || smoking->answer.status == 200)
        return code;
    http_answer_tell(&smoking->answer, &smoking->why);
    return FAILED;
}

/* 202: it is accepted, and no more than that is known. */
static int judge_command(struct smoking *smoking, const char *what)
{
    WEIR_CLEANUP(buffer) struct weir_buffer position = {0};
    if (smoking->answer.status / 100 == 2 && smoking->answer.status != 202)
        return DONE;
    if (smoking->answer.status != 202) {
        http_answer_tell(&smoking->answer, &smoking->why);
        return FAILED;
    }
    http_answer_header(&smoking->answer, "Weir-Position", &position);
    weir_buffer_printf(&smoking->why, "it was accepted as ");
    text_append_safe(&smoking->why, weir_buffer_bytes(&position), false);
    weir_buffer_printf(&smoking->why, ", but not %s within " WAIT " s: does the service %s run?", what,
        smoking->collection->store_service != NULL ? smoking->collection->store_service : "store");
    return FAILED;
}

static int store(struct smoking *smoking, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer path = {0};
    weir_buffer_printf(&path, "/v1/%s", smoking->collection->name);
    const struct http_request request = {.method = "POST",
        .path = path.data,
        .body = weir_buffer_bytes(&smoking->document),
        .content_type = "application/json"};
    int code = command(smoking, request, wait_until_done, err);
    if (code < 0)
        return code;
    smoking->written = smoking->answer.status / 100 == 2;
    return judge_command(smoking, "stored");
}

static int read_back(struct smoking *smoking, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *written = NULL, *found = NULL;
    int code = get(smoking, smoking->path.data, err);
    if (code != DONE)
        return code;
    if (weir_json_parse_object(weir_buffer_bytes(&smoking->document), &written, NULL) == 0 &&
        weir_json_parse_object(weir_buffer_bytes(&smoking->answer.body), &found, NULL) == 0 &&
        json_equal(written, found))
        return DONE;
    weir_buffer_append_str(&smoking->why, "what is read is not what was written");
    return FAILED;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* Of all mails of the one request: whether each was sent; nothing is known yet of others than these. */
static int judge_mails(struct smoking *smoking, const json_t *mails, bool *ret_all)
{
    const json_t *mail;
    size_t index;

    *ret_all = json_array_size(mails) > 0;
    json_array_foreach(mails, index, mail)
    {
        *ret_all &= strcmp(text_of(mail, "status"), "sent") == 0;
        if (strcmp(text_of(mail, "status"), "failed") != 0)
            continue;
        weir_buffer_append_str(&smoking->why, "the mail to ");
        text_append_safe(&smoking->why, weir_bytes_str(text_of(mail, "recipient")), false);
        weir_buffer_append_str(&smoking->why, " was refused: ");
        text_append_safe(&smoking->why, weir_bytes_str(text_of(mail, "reply")), false);
        return FAILED;
    }
    return DONE;
}

static int look_at_mails(struct smoking *smoking, const char *path, bool *ret_all, struct weir_error *err)
{
    WEIR_CLEANUP(json) json_t *journey = NULL;
    *ret_all = false;
    int code = get(smoking, path, err);
    if (code != DONE)
        return code;
    if (weir_json_parse_object(weir_buffer_bytes(&smoking->answer.body), &journey, err) < 0)
        return WEIR_E_UNAVAILABLE;
    const json_t *request = json_array_get(json_object_get(journey, "requests"), 0);
    return judge_mails(smoking, json_object_get(request, "mails"), ret_all);
}

static int await_mails(struct smoking *smoking, struct weir_error *err)
{
    static const struct timespec pause = {.tv_nsec = ASK_AGAIN_MS * 1000000L};
    int64_t timeout_ms = smoking->client.ctl->arguments->timeout_ms;
    int64_t until_ms = weir_clock_ms() + timeout_ms;
    WEIR_CLEANUP(buffer) struct weir_buffer path = {0};
    bool all = false;
    int code;

    weir_buffer_printf(&path, "%s:journey", smoking->path.data);
    while ((code = look_at_mails(smoking, path.data, &all, err)) == DONE && !all) {
        if (weir_clock_ms() >= until_ms) {
            weir_buffer_printf(&smoking->why,
                "no mail about it was sent within %" PRId64
                " s: does a notifier run, does it reach its server, should it mail this document?",
                timeout_ms / 1000);
            return FAILED;
        }
        nanosleep(&pause, NULL);
    }
    return code;
}

static int take_back(struct smoking *smoking, struct weir_error *err)
{
    int code = erase(smoking, wait_until_done, err);
    if (code < 0)
        return code;
    smoking->written = false;
    return judge_command(smoking, "deleted");
}

static const struct step {
    const char *name;
    int (*run)(struct smoking *smoking, struct weir_error *err);
    bool of_mails;
} steps[] = {{"stored", store, false}, {"read", read_back, false}, {"mailed", await_mails, true},
    {"deleted", take_back, false}};

/* One line of JSON for a program, whatever became of the step; for a person what is wrong goes to stderr. */
static void tell(const struct smoking *smoking, const char *step, int64_t took_us, bool done)
{
    WEIR_CLEANUP(buffer) struct weir_buffer line = {0};
    const char *collection = smoking->collection->name;
    if (smoking->client.ctl->arguments->json) {
        weir_buffer_printf(&line, "{\"step\":\"%s\",\"key\":\"%s/%s\",\"ok\":%s,\"ms\":%.1f,\"why\":", step,
            collection, smoking->key, done ? "true" : "false", (double)took_us / 1000);
        weir_buffer_append_json_string(&line, weir_buffer_bytes(&smoking->why));
        weir_buffer_append_str(&line, "}");
        puts(line.data != NULL ? line.data : "");
    } else if (done)
        printf("%-8s %s/%s  %.1f ms\n", step, collection, smoking->key, (double)took_us / 1000);
    fflush(stdout);
    if (!done)
        fprintf(stderr, "weirctl: %s/%s was not %s: %s\n", collection, smoking->key, step,
            smoking->why.data != NULL ? smoking->why.data : "");
}

static int take(struct smoking *smoking, const struct step *step, struct weir_error *err)
{
    int64_t began_us = weir_clock_us();
    int code = step->run(smoking, err);
    if (code < 0)
        weir_buffer_append_str(&smoking->why, err->text);
    tell(smoking, step->name, weir_clock_us() - began_us, code == DONE);
    return code;
}

/* The first thing that goes wrong ends it; the document is taken away all the same. */
static int follow(struct smoking *smoking, struct weir_error *err)
{
    struct weir_error late;
    int code = DONE;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && code == DONE; i++)
        if (!steps[i].of_mails || smoking->flags->mailed)
            code = take(smoking, &steps[i], err);
    if (smoking->written)
        (void)erase(smoking, do_not_wait, &late);
    return code == DONE ? 0 : EXIT_FAILED;
}

static int read_document(struct smoking *smoking, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    char pointer[80], value[KEY_BYTES + 2];
    int code = 0;

    if (smoking->flags->body != NULL)
        code = weir_file_read(smoking->flags->body, BODY_BYTES_MAX, &text, NULL, err);
    else
        weir_buffer_append_str(&text, "{}");
    if (code < 0)
        return code == WEIR_E_NOT_FOUND ? WEIR_E_USAGE : code;
    snprintf(pointer, sizeof(pointer), "/%s", smoking->collection->key_field);
    snprintf(value, sizeof(value), "\"%s\"", smoking->key);
    return weir_json_set(weir_buffer_bytes(&text), pointer, weir_bytes_str(value), &smoking->document, err);
}

static int find_collection(struct smoking *smoking, const struct weirctl *ctl, struct weir_error *err)
{
    WEIR_CLEANUP(buffer) struct weir_buffer names = {0};
    const struct weir_deployment *deployment = ctl->deployment;

    if (ctl->arguments->operand_count != 1)
        return weir_error_set(err, WEIR_E_USAGE, "say which collection: weirctl smoke COLLECTION");
    smoking->collection = weir_deployment_collection(deployment, ctl->arguments->operands[0]);
    if (smoking->collection != NULL)
        return 0;
    for (size_t i = 0; i < deployment->collection_count; i++)
        weir_buffer_printf(&names, "%s%s", i > 0 ? ", " : "", deployment->collections[i].name);
    return weir_error_set(err, WEIR_E_USAGE, "there is no [collection %s]; there are: %s",
        ctl->arguments->operands[0], names.data != NULL ? names.data : "none");
}

static int prepare(struct smoking *smoking, const struct weirctl *ctl, struct weir_error *err)
{
    uint64_t number;

    int code = find_collection(smoking, ctl, err);
    if (code < 0)
        return code;
    if (getentropy(&number, sizeof(number)) != 0)
        return weir_error_set(err, WEIR_E_INTERNAL, "the kernel gives no random bytes");
    snprintf(smoking->key, sizeof(smoking->key), "smoke-%016" PRIx64, number);
    weir_buffer_printf(&smoking->path, "/v1/%s/%s", smoking->collection->name, smoking->key);
    return read_document(smoking, err);
}

int smoke_run(struct weirctl *ctl, struct weir_error *err)
{
    struct smoking smoking = {.flags = ctl->arguments->settings};

    int code = http_client_open(ctl, &smoking.flags->http, &smoking.client, err);
    if (code == 0)
        code = prepare(&smoking, ctl, err);
    if (code == 0)
        code = follow(&smoking, err);
    http_answer_done(&smoking.answer);
    weir_buffer_done(&smoking.document);
    weir_buffer_done(&smoking.path);
    weir_buffer_done(&smoking.why);
    http_client_close(&smoking.client);
    return code;
}
