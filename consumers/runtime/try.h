/* weir-consumer --try: the plugin of a service handles one sample record without Kafka; what came of it is
 * printed. */
#ifndef WEIR_RUNTIME_TRY_H
#define WEIR_RUNTIME_TRY_H

#include "common/deployment.h"

/* Reads the sample (sample.h), has it handled and committed to nowhere, prints verdict, reason and outputs to
 * stdout, as text or as one JSON object. *ret_status is the exit status: 0 DONE, 65 REJECT, 69 WAIT, 70 no
 * verdict, 75 RETRY or
 * deferred; 66 when the sample is wrong. 0, or what made it impossible. */
int weir_try_run(const char *config, const struct weir_deployment *deployment,
    const struct weir_service *service, const char *sample, bool json, int *ret_status,
    struct weir_error *err);

#endif
