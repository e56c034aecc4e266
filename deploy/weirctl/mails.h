/* Who would be mailed about a change, by the notifier's own code: its rules, filters and templates. */
#ifndef WEIR_DEPLOY_WEIRCTL_MAILS_H
#define WEIR_DEPLOY_WEIRCTL_MAILS_H

#include "common/bytes.h"
#include "common/deployment.h"
#include "common/error.h"

/* Whether the service's plugin is the notifier. */
bool mails_is_notifier(const struct weir_service *service);

/* The service's settings of the notifier, not checked; mails_settings_done() in any case. */
struct weir_notifier_settings;
int mails_settings_read(const struct weir_deployment *deployment, const struct weir_service *service,
    struct weir_notifier_settings *ret_settings, struct weir_error *err);
void mails_settings_done(struct weir_notifier_settings *settings);

/* Appends a JSON array with an object for each rule of the service: rule (its name, "" for notifier.to),
 * matches, to, template, subject, fault (what is wrong with a recipient or the template; null). `event` is
 * the change event. Nothing is sent. */
int mails_write(const struct weir_deployment *deployment, const struct weir_service *service,
    struct weir_bytes event, struct weir_buffer *out, struct weir_error *err);

#endif
