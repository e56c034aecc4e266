#include "consumers/plugins/store/command.h"

#include "common/json.h"
#include "common/json_plain.h"
#include "common/topic.h"
#include "consumers/plugins/store/condition.h"

#include <inttypes.h>

/* All that decides about one command. */
struct turn {
    const struct weir_rules *rules;
    const struct weir_command *command;
    struct weir_bytes key, body;
    const struct weir_document *current; /* NULL: none */
    struct weir_buffer *scratch;
    struct weir_effect *effect;
};

const char *weir_effect_name(enum weir_effect_kind kind)
{
    static const char *const names[WEIR_EFFECT_COUNT] = {
        [WEIR_EFFECT_CREATED] = "created",
        [WEIR_EFFECT_UPDATED] = "updated",
        [WEIR_EFFECT_DELETED] = "deleted",
        [WEIR_EFFECT_UNCHANGED] = "unchanged",
        [WEIR_EFFECT_REJECTED] = "rejected",
        [WEIR_EFFECT_REFUSED] = "refused",
    };
    return names[kind];
}

/* Marks the effect as a dead letter; the sentence is in effect->why already. */
static int refuse(struct weir_effect *effect, const char *disposition, const char *error_type)
{
    effect->kind = WEIR_EFFECT_REFUSED;
    effect->disposition = disposition;
    effect->error_type = error_type;
    effect->problem = WEIR_BYTES_NULL;
    return WEIR_E_INVALID;
}

int weir_command_check_key(
    const struct weir_rules *rules, struct weir_bytes key, int32_t partition, struct weir_effect *ret_effect)
{
    if (key.len > 0 && weir_topic_partition(key, rules->partitions) != partition) {
        weir_error_set(&ret_effect->why, WEIR_E_INVALID,
            "the key belongs to partition %" PRId32 " by murmur2, the record is on %" PRId32,
            weir_topic_partition(key, rules->partitions), partition);
        return refuse(ret_effect, "wrong-partition", "partition");
    }
    if (weir_key_check(key, &ret_effect->why) < 0)
        return refuse(ret_effect, "invalid", "key");
    return 0;
}

static bool is_tag_character(char byte)
{
    unsigned char c = (unsigned char)byte;
    return c == 0x21 || (c >= 0x23 && c <= 0x7E);
}

int weir_command_check_request(struct weir_bytes request, struct weir_effect *ret_effect)
{
    bool valid = request.len > 0 && request.len <= WEIR_REQUEST_BYTES;

    for (size_t i = 0; valid && i < request.len; i++)
        valid = is_tag_character(request.data[i]);
    if (valid)
        return 0;
    weir_error_set(&ret_effect->why, WEIR_E_INVALID,
        "header " WEIR_HEADER_ID
        ": a request id has 1 to %d visible ASCII characters without a quotation mark",
        WEIR_REQUEST_BYTES);
    return refuse(ret_effect, "invalid", "command");
}

static int change(struct turn *turn, struct weir_bytes document)
{
    turn->effect->kind = turn->current != NULL ? WEIR_EFFECT_UPDATED : WEIR_EFFECT_CREATED;
    turn->effect->version = turn->current != NULL ? turn->current->version + 1 : 1;
    turn->effect->document = document;
    return turn->scratch->failed ? WEIR_E_INTERNAL : 0;
}

static int refuse_key(struct turn *turn)
{
    weir_error_set(&turn->effect->why, WEIR_E_INVALID,
        "key (pointer \"/%s\"): the body's is not the record's", turn->rules->key_field);
    return refuse(turn->effect, "invalid", "key");
}

/* Whether a body that is no JSON object is a document all the same, of one text. */
static bool takes_text(const struct turn *turn)
{
    enum weir_operation operation = turn->command->operation;
    return turn->rules->text_member != NULL &&
           (operation == WEIR_OPERATION_CREATE || operation == WEIR_OPERATION_REPLACE);
}

/* Makes the document {key field: key, text member: text} the body, in scratch. */
static int wrap_text(struct turn *turn, bool *ret_has_key)
{
    struct weir_buffer *out = turn->scratch;

    if (!weir_utf8_valid(turn->body) || memchr(turn->body.data, '\0', turn->body.len) != NULL) {
        weir_error_set(&turn->effect->why, WEIR_E_INVALID, "the body is no UTF-8 text, or holds a NUL");
        return refuse(turn->effect, "invalid", "text");
    }
    weir_buffer_printf(out, "{\"%s\":", turn->rules->key_field);
    weir_buffer_append_json_string(out, turn->key);
    weir_buffer_printf(out, ",\"%s\":", turn->rules->text_member);
    weir_buffer_append_json_string(out, turn->body);
    weir_buffer_append_str(out, "}");
    turn->body = weir_buffer_bytes(out);
    *ret_has_key = true;
    return out->failed ? WEIR_E_INTERNAL : 0;
}

/* jansson's judgement, for bodies that a quick look can't settle. */
static int parse_body(struct turn *turn, bool *ret_has_key)
{
    WEIR_CLEANUP(json) json_t *object = NULL;

    int r = weir_json_parse_object(turn->body, &object, &turn->effect->why);
    if (r == WEIR_E_INVALID && takes_text(turn))
        return wrap_text(turn, ret_has_key);
    if (r < 0)
        return r == WEIR_E_INTERNAL ? r : refuse(turn->effect, "invalid", "json");
    const json_t *field = json_object_get(object, turn->rules->key_field);
    *ret_has_key = field != NULL;
    if (field == NULL ||
        weir_bytes_equal(weir_bytes(json_string_value(field), json_string_length(field)), turn->key))
        return 0;
    return refuse_key(turn);
}

/* Whether a member's text is the key as a JSON string; it holds no escapes. */
static bool is_key(struct weir_bytes member, struct weir_bytes key)
{
    return member.len == key.len + 2 && member.data[0] == '"' &&
           memcmp(member.data + 1, key.data, key.len) == 0;
}

static int check_body(struct turn *turn, bool *ret_has_key)
{
    struct weir_bytes field;

    if (turn->body.data == NULL) {
        weir_error_set(&turn->effect->why, WEIR_E_INVALID, "a %s needs a body",
            weir_operation_name(turn->command->operation));
        return refuse(turn->effect, "invalid", "json");
    }
    if (!weir_json_is_plain_object(turn->body, turn->rules->key_field, &field))
        return parse_body(turn, ret_has_key);
    *ret_has_key = field.data != NULL;
    return field.data == NULL || is_key(field, turn->key) ? 0 : refuse_key(turn);
}

/* The text with the key as its first member, in scratch. */
static int splice_key(struct turn *turn, struct weir_bytes text)
{
    WEIR_CLEANUP(buffer) struct weir_buffer value = {0};

    weir_buffer_append_json_string(&value, turn->key);
    if (value.failed)
        return WEIR_E_INTERNAL;
    weir_json_splice_first(text, turn->rules->key_field, weir_buffer_bytes(&value), turn->scratch);
    return change(turn, weir_buffer_bytes(turn->scratch));
}

static int replace(struct turn *turn, bool has_key)
{
    return has_key ? change(turn, turn->body) : splice_key(turn, turn->body);
}

static int reject(struct turn *turn, const char *error)
{
    turn->effect->kind = WEIR_EFFECT_REJECTED;
    turn->effect->error = error;
    return 0;
}

static int create(struct turn *turn, bool has_key)
{
    return turn->current == NULL ? replace(turn, has_key) : reject(turn, "already-exists");
}

static int merge_patch(struct turn *turn, struct weir_bytes patch)
{
    WEIR_CLEANUP(buffer) struct weir_buffer merged = {0};
    struct weir_bytes target = turn->current != NULL ? turn->current->text : WEIR_BYTES_NULL;

    if (weir_json_merge(target, patch, &merged) < 0 || merged.failed)
        return WEIR_E_INTERNAL;
    if (weir_json_member(weir_buffer_bytes(&merged), turn->rules->key_field).data == NULL)
        return splice_key(turn, weir_buffer_bytes(&merged));
    weir_buffer_append_bytes(turn->scratch, weir_buffer_bytes(&merged));
    return change(turn, weir_buffer_bytes(turn->scratch));
}

static int merge(struct turn *turn, bool has_key)
{
    (void)has_key;
    return merge_patch(turn, turn->body);
}

static int adjust(struct turn *turn, bool has_key)
{
    WEIR_CLEANUP(buffer) struct weir_buffer patch = {0};

    (void)has_key;
    if (turn->current == NULL)
        return reject(turn, "not-found");
    int r = weir_adjust_write(turn->current->text, turn->body, turn->rules->minimums,
        turn->rules->minimum_count, &patch, &turn->effect->why);
    if (r == WEIR_ADJUST_BELOW_MINIMUM)
        return reject(turn, "minimum");
    if (r < 0)
        return r == WEIR_E_INTERNAL ? r : refuse(turn->effect, "invalid", "adjust");
    return merge_patch(turn, weir_buffer_bytes(&patch));
}

static int delete (struct turn *turn, bool has_key)
{
    (void)has_key;
    turn->effect->kind = turn->current != NULL ? WEIR_EFFECT_DELETED : WEIR_EFFECT_UNCHANGED;
    turn->effect->version = turn->current != NULL ? turn->current->version + 1 : 0;
    return 0;
}

static const struct {
    int (*run)(struct turn *turn, bool has_key);
    bool takes_body;
} operations[] = {
    [WEIR_OPERATION_CREATE] = {create, true},
    [WEIR_OPERATION_REPLACE] = {replace, true},
    [WEIR_OPERATION_MERGE] = {merge, true},
    [WEIR_OPERATION_DELETE] = {delete, false},
    [WEIR_OPERATION_ADJUST] = {adjust, true},
};

static int run(struct turn *turn)
{
    bool has_key = false;

    int r = operations[turn->command->operation].takes_body ? check_body(turn, &has_key) : 0;
    if (r < 0)
        return r;
    struct weir_bytes tag = turn->current != NULL ? turn->current->request : WEIR_BYTES_NULL;
    if (!weir_condition_holds(turn->command->if_match, turn->command->if_none_match, tag))
        return reject(turn, "precondition-failed");
    return operations[turn->command->operation].run(turn, has_key);
}

int weir_command_apply(const struct weir_rules *rules, const struct weir_command *command,
    struct weir_bytes key, struct weir_bytes body, const struct weir_document *current,
    struct weir_buffer *scratch, struct weir_effect *ret_effect)
{
    struct turn turn = {rules, command, key, body, current, scratch, ret_effect};

    ret_effect->kind = WEIR_EFFECT_UNCHANGED;
    ret_effect->version = 0;
    ret_effect->document = WEIR_BYTES_NULL;
    ret_effect->problem = WEIR_BYTES_NULL;
    ret_effect->error = ret_effect->disposition = ret_effect->error_type = NULL;
    ret_effect->why.text[0] = '\0';
    weir_buffer_clear(scratch);
    /* The last change has this request's id: the same command came twice. */
    if (current != NULL && weir_bytes_equal(current->request, command->request))
        return 0;
    int r = run(&turn);
    return r == WEIR_E_INTERNAL ? r : 0;
}
