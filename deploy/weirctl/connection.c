#include "deploy/weirctl/weirctl.h"

#include "common/clock.h"

#include <inttypes.h>

enum { ASK_MS = 2000 };

int weirctl_left_ms(const struct weirctl *ctl)
{
    int64_t left_ms = ctl->deadline_ms - weir_clock_ms();
    return left_ms > 1 ? (int)left_ms : 1;
}

/* Any answer about the cluster will do; librdkafka reconnects by itself meanwhile. */
static int wait_for_broker(struct weirctl *ctl, struct weir_error *err)
{
    rd_kafka_resp_err_t failed;

    do {
        const struct rd_kafka_metadata *metadata = NULL;
        int left_ms = weirctl_left_ms(ctl);
        failed = rd_kafka_metadata(ctl->kafka, 0, NULL, &metadata, left_ms < ASK_MS ? left_ms : ASK_MS);
        if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_metadata_destroy(metadata);
            return 0;
        }
    } while (weir_clock_ms() < ctl->deadline_ms);
    return weir_error_set(err, WEIR_E_UNAVAILABLE, "no broker of %s answered within %" PRId64 " ms: %s",
        ctl->deployment->kafka.bootstrap_servers, ctl->arguments->timeout_ms, rd_kafka_err2str(failed));
}

int weirctl_connect(struct weirctl *ctl, struct weir_error *err)
{
    rd_kafka_conf_t *conf = NULL;

    int code = weir_kafka_conf(ctl->deployment, WEIR_KAFKA_ADMIN, "weirctl", NULL, &conf, err);
    if (code == 0)
        code = weir_kafka_new_take(RD_KAFKA_PRODUCER, conf, &ctl->kafka, err);
    if (code == 0)
        code = wait_for_broker(ctl, err);
    if (code == 0)
        code = weir_kafka_check_dev(ctl->deployment, ctl->kafka, err);
    if (code == 0)
        code = weir_kafka_check_real(ctl->deployment, ctl->kafka, weirctl_left_ms(ctl), err);
    return code;
}
