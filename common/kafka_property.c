#include "common/kafka_property.h"

#include "common/cleanup.h"
#include "common/option.h"

#include <librdkafka/rdkafka.h>

#include <stdio.h>
#include <string.h>

enum { ERROR_BYTES = 512, PROPERTIES_MAX = 512 };

/* Cuts the names out of librdkafka's own page: rows of `name | C/P | …`. Answers how many there are. */
static size_t find_names(char *page, struct weir_option *rows)
{
    size_t count = 0;

    for (char *line = page, *end; count < PROPERTIES_MAX && (end = strchr(line, '\n')) != NULL;
         line = end + 1) {
        size_t len = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789._");
        if (len == 0 || line[len] != ' ' || memchr(line, '|', (size_t)(end - line)) == NULL)
            continue;
        line[len] = '\0';
        rows[count++].key = line;
    }
    return count;
}

/* The page, with NULL when memory is out; rd_kafka_conf_dump() would leave out what has no default, and
 * aliases. */
static char *print_page(void)
{
    char *page = NULL;
    size_t len;
    FILE *file = open_memstream(&page, &len);

    if (file == NULL)
        return NULL;
    rd_kafka_conf_properties_show(file);
    fclose(file);
    return page;
}

static int refuse_unknown(const char *name, struct weir_error *err)
{
    struct weir_option rows[PROPERTIES_MAX] = {0};
    WEIR_CLEANUP(free) char *page = print_page();
    const struct weir_option_table table = {.rows = rows, .count = page != NULL ? find_names(page, rows) : 0};
    const char *nearest = weir_option_nearest(&table, name);

    if (nearest == NULL)
        return weir_error_set(err, WEIR_E_NOT_FOUND, "librdkafka has no property \"%.80s\"", name);
    return weir_error_set(
        err, WEIR_E_NOT_FOUND, "librdkafka has no property \"%.80s\", did you mean \"%s\"?", name, nearest);
}

/* Some of librdkafka's sentences end with a space or a line end. */
static void trim(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\n'))
        text[--len] = '\0';
}

int weir_kafka_property_check(const char *name, const char *value, struct weir_error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[ERROR_BYTES];
    int code = 0;

    switch (rd_kafka_conf_set(conf, name, value, text, sizeof(text))) {
    case RD_KAFKA_CONF_OK:
        break;
    case RD_KAFKA_CONF_UNKNOWN:
        code = refuse_unknown(name, err);
        break;
    default:
        trim(text);
        code = weir_error_set(err, WEIR_E_CONFIG, "%s", text);
        break;
    }
    rd_kafka_conf_destroy(conf);
    return code;
}

const char *weir_kafka_library_version(void)
{
    return rd_kafka_version_str();
}
