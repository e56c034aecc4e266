/* What a collection's schema says of its documents: checked again here, since merges, adjusts and records
 * that came past the gateway were never seen whole before. */
#include "common/file.h"
#include "common/json.h"
#include "consumers/plugins/store/problem.h"
#include "consumers/plugins/store/turn.h"

int weir_source_load_schema(struct weir_source *source, struct weir_error *err)
{
    const struct weir_collection *collection = source->collection;
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};

    if (collection->schema == NULL)
        return 0;
    int r = weir_schema_load(collection->schema, collection->schema_formats, &source->schema, err);
    if (r == 0)
        r = weir_file_read(collection->schema, WEIR_SCHEMA_FILE_BYTES_MAX, &text, NULL, err);
    if (r == 0 && weir_minimums_read(weir_buffer_bytes(&text), &source->minimums) < 0)
        r = weir_error_set(err, WEIR_E_INTERNAL, "out of memory");
    source->rules.minimums = source->minimums.list;
    source->rules.minimum_count = source->minimums.count;
    return r == 0 || r == WEIR_E_INTERNAL ? r : WEIR_E_CONFIG;
}

/* In `why` as many as its text has room for. */
static int tell_violations(
    const struct weir_turn *turn, const struct weir_schema_violations *violations, struct weir_effect *effect)
{
    struct weir_buffer *problem = &turn->store->problem;
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};

    weir_buffer_append_str(&text, "the document breaks its schema");
    for (size_t i = 0; i < violations->count && text.len < sizeof(effect->why.text); i++)
        weir_buffer_printf(&text, "%s (pointer \"%s\"): %s", i > 0 ? ";" : "", violations->list[i].pointer,
            violations->list[i].detail);
    weir_problem_write_violations(violations, problem);
    if (text.failed || problem->failed)
        return WEIR_E_INTERNAL;
    weir_error_set(&effect->why, WEIR_E_INVALID, "%s", text.data);
    effect->problem = weir_buffer_bytes(problem);
    return 0;
}

int weir_turn_check_schema(const struct weir_turn *turn, struct weir_effect *effect)
{
    WEIR_CLEANUP(schema_violations) struct weir_schema_violations violations = {0};
    WEIR_CLEANUP(json) json_t *document = NULL;

    bool changes = effect->kind == WEIR_EFFECT_CREATED || effect->kind == WEIR_EFFECT_UPDATED;
    if (turn->source->schema == NULL || !changes)
        return 0;
    int r = weir_json_parse_object(effect->document, &document, &effect->why);
    if (r == WEIR_E_INTERNAL || (r == 0 && weir_schema_validate(turn->source->schema, document, &violations)))
        return r;
    if (r == 0 && tell_violations(turn, &violations, effect) < 0)
        return WEIR_E_INTERNAL;
    effect->kind = WEIR_EFFECT_REFUSED;
    effect->version = 0;
    effect->error = NULL;
    effect->disposition = "invalid";
    effect->error_type = r == 0 ? "schema" : "json";
    return 0;
}
