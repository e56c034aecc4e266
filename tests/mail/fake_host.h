/* A host without Kafka: hands out records that a test made and keeps the verdicts. One batch at a time. */
#ifndef WEIR_TESTS_MAIL_FAKE_HOST_H
#define WEIR_TESTS_MAIL_FAKE_HOST_H

#include <weir/plugin.h>

struct fake_verdict {
    bool handed_out, given, deferred;
    enum weir_verdict verdict;
    char disposition[32], error_type[32], text[1024];
};

enum { FAKE_PARTITIONS = 16 };

struct weir_batch {
    const struct weir_record *records;
    struct fake_verdict *verdicts; /* as many */
    size_t count, next;
    bool stopped[FAKE_PARTITIONS]; /* by partition */
};

/* The host table; its log goes to stderr. `deployment` may be NULL; the source topics are those of its
 * service notifier, or orders.changes. */
const struct weir_host *fake_host(const struct weir_deployment *deployment);

/* From here on the process has been asked to end. May be called by a signal handler. */
void fake_host_stop(void);
bool fake_host_stopping(void);

/* What was emitted since the last call of fake_host_forget, in order. */
struct fake_output {
    struct weir_output output; /* its offset counts the outputs of its topic and partition */
    char *key, *value;
};
size_t fake_host_output_count(void);
const struct fake_output *fake_host_output(size_t i);
void fake_host_forget(void);

/* The total of a counter that the plugin registered, over its label sets; 0 for an unknown one. */
int64_t fake_host_counter(const char *name);

#endif
