#include "common/kafka_property.h"

#include "common/cleanup.h"
#include "common/option.h"

#include <librdkafka/rdkafka.h>

enum { ERROR_BYTES = 512, PROPERTIES_MAX = 512 };

static int refuse_unknown(rd_kafka_conf_t *conf, const char *name, struct weir_error *err)
{
    struct weir_option rows[PROPERTIES_MAX] = {0};
    size_t count, known = 0;
    const char **pairs = rd_kafka_conf_dump(conf, &count);

    for (size_t i = 0; i + 1 < count && known < PROPERTIES_MAX; i += 2)
        rows[known++].key = pairs[i];
    const struct weir_option_table table = {.rows = rows, .count = known};
    const char *nearest = weir_option_nearest(&table, name);
    int code = nearest != NULL
                   ? weir_error_set(err, WEIR_E_NOT_FOUND,
                         "librdkafka has no property \"%.80s\", did you mean \"%s\"?", name, nearest)
                   : weir_error_set(err, WEIR_E_NOT_FOUND, "librdkafka has no property \"%.80s\"", name);
    rd_kafka_conf_dump_free(pairs, count);
    return code;
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
        code = refuse_unknown(conf, name, err);
        break;
    default:
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
