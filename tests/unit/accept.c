/* What a client takes, told as a table. */
#include "gateway/accept.h"
#include "support/test.h"

static void ranges(void **state)
{
    static const struct {
        const char *accept; /* NULL: no header */
        bool takes;
    } rows[] = {
        {NULL, true},
        {"", true},
        {"*/*", true},
        {"application/*", true},
        {"application/json", true},
        {"Application/JSON ; charset=utf-8", true},
        {"text/html, application/xhtml+xml;q=0.9 , */*;q=0.1", true},
        {"text/html", false},
        {"application/jsonp", false},
        {"application/jso", false},
        {"app*/json, json, /", false},
        {"application/json;q=0", false},
        {"application/json; Q=0.000, */*", false},
        {"*/*, application/json;q=0", false},
        {"*/*;q=0, application/*;q=0.1", true},
        {"application/json;q=0.001", true},
        {"application/json;q=", true},
        {";,;;q=0,, ", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct weir_bytes accept = rows[i].accept != NULL ? weir_bytes_str(rows[i].accept) : WEIR_BYTES_NULL;
        if (weir_accept_takes(accept, "application/json") != rows[i].takes)
            fail_msg("Accept: %s", rows[i].accept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
