/* What a burst leaves of the allocator's memory goes back to the system. */
#include "support/test.h"

#include "common/metrics_process.h"
#include "consumers/runtime/trim.h"

#include <stdint.h>
#include <stdlib.h>

enum { BLOCKS = 64 << 10, BLOCK_BYTES = 1000, KEPT_EACH = 512, MIB = 1 << 20 };

static void a_burst_is_given_back(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* they have an allocator of their own */
#endif
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK_BYTES);
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, BLOCK_BYTES);
    }
    for (int i = 0; i < BLOCKS; i++) /* a few stay, so that none of it is the heap's end */
        if (i % KEPT_EACH != KEPT_EACH - 1)
            free(blocks[i]);
    int64_t before = weir_process_resident_bytes();
    weir_trim();
    assert_in_range(before - weir_process_resident_bytes(), 40 * MIB, 64 * MIB);
    for (int i = KEPT_EACH - 1; i < BLOCKS; i += KEPT_EACH)
        free(blocks[i]);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_burst_is_given_back),
};

WEIR_TEST_MAIN(tests)
