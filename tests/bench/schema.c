/* schema SCHEMA DOCUMENT [ROUNDS]: how long validation takes, as one JSON line: median and best nanoseconds
 * of a validation, the parse beside it, and the document's size. */
#include "common/schema.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLES = 101 };

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1000000000 + time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

struct subject {
    const struct weir_schema *schema;
    json_t *document;
    struct weir_bytes text;
};

static void validate(const struct subject *subject)
{
    if (!weir_schema_validate(subject->schema, subject->document, NULL))
        exit(65);
}

static void parse(const struct subject *subject)
{
    WEIR_CLEANUP(json) json_t *document = NULL;
    if (weir_json_parse_object(subject->text, &document, NULL) < 0)
        exit(65);
}

/* Nanoseconds of CPU for one call, of many samples. */
static void measure(const struct subject *subject, void work(const struct subject *), long rounds,
    double *ret_median, double *ret_best)
{
    static double samples[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        int64_t begin = now_ns();
        for (long round = 0; round < rounds; round++)
            work(subject);
        samples[i] = (double)(now_ns() - begin) / (double)rounds;
    }
    qsort(samples, SAMPLES, sizeof(samples[0]), compare);
    *ret_median = samples[SAMPLES / 2];
    *ret_best = samples[0];
}

int main(int argc, char **argv)
{
    WEIR_CLEANUP(buffer) struct weir_buffer text = {0};
    WEIR_CLEANUP(json) json_t *document = NULL;
    WEIR_CLEANUP(schema) struct weir_schema *schema = NULL;
    struct weir_error err;
    double median, best, parse_median, parse_best;

    if (argc < 3)
        return 64;
    long rounds = argc > 3 ? atol(argv[3]) : 2000;
    weir_json_init();
    if (weir_schema_load(argv[1], true, &schema, &err) < 0 ||
        weir_file_read(argv[2], 1 << 20, &text, NULL, &err) < 0 ||
        weir_json_parse_object(weir_buffer_bytes(&text), &document, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 65;
    }
    const struct subject subject = {schema, document, weir_buffer_bytes(&text)};
    measure(&subject, validate, rounds, &median, &best);
    measure(&subject, parse, rounds, &parse_median, &parse_best);
    printf("{\"bench\":\"schema\",\"name\":\"validate\",\"bytes\":%zu,\"median_ns\":%.0f,\"best_ns\":%.0f,"
           "\"parse_median_ns\":%.0f,\"parse_best_ns\":%.0f}\n",
        text.len, median, best, parse_median, parse_best);
    return 0;
}
