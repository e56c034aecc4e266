/* What every cmocka program here needs: the includes in cmocka's order and a main that runs one named case, and
 * fails for a name that does not exist (cmocka's own filter would pass with no test run). */
#ifndef WEIR_TESTS_SUPPORT_TEST_H
#define WEIR_TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static inline int weir_test_run(const struct CMUnitTest *tests, size_t count, int argc, char **argv,
    int (*run)(void))
{
    if (argc < 2)
        return run();
    for (size_t i = 0; i < count; i++) {
        if (strcmp(tests[i].name, argv[1]) == 0) {
            cmocka_set_test_filter(argv[1]);
            return run();
        }
    }
    fprintf(stderr, "%s: no case named %s\n", argv[0], argv[1]);
    return 64;
}

/* In the source: `static const struct CMUnitTest tests[] = {…}; WEIR_TEST_MAIN(tests)` */
#define WEIR_TEST_MAIN(tests)                                                                                \
    static int run_all(void)                                                                                 \
    {                                                                                                        \
        return cmocka_run_group_tests(tests, NULL, NULL);                                                    \
    }                                                                                                        \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        return weir_test_run(tests, sizeof(tests) / sizeof(tests[0]), argc, argv, run_all);                  \
    }

#endif
