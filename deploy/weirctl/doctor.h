/* weirctl doctor: what each of its examinations needs, and how it tells what it finds. */
#ifndef WEIR_DEPLOY_WEIRCTL_DOCTOR_H
#define WEIR_DEPLOY_WEIRCTL_DOCTOR_H

#include "common/bytes.h"
#include "deploy/weirctl/acl.h"
#include "deploy/weirctl/progress.h"
#include "deploy/weirctl/weirctl.h"

enum doctor_level {
    DOCTOR_WELL,
    DOCTOR_NOTE, /* could not be looked at here, or is a matter of taste */
    DOCTOR_ILL,
};

struct doctor_flags {
    char **principals; /* NAME=FILE */
    char *environment; /* where the units' variables lie */
    char *credentials; /* where their credentials lie */
    int64_t expiry_ms;
};

struct doctor {
    struct weirctl *ctl;
    const struct doctor_flags *flags;
    struct weir_buffer json, text;
    size_t ill, findings;
    struct progress progress;
    bool connected; /* weirctl's own principal reaches the cluster */
    bool open;      /* the cluster asks nobody for rights */
};

/* Puts a finding on the list. area: one of the words of the manual; fix: what to do, "" for nothing. */
void doctor_find(struct doctor *doctor, const char *area, enum doctor_level level, const char *fix,
    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* How long one question to Kafka may take: 10 s, or --timeout where that is less. */
int doctor_patience_ms(const struct doctor *doctor);

/* The examinations, each in a file of that name. They tell what they find; only what makes the doctor himself
 * unfit is an error. */
typedef int doctor_examination(struct doctor *doctor, struct weir_error *err);
doctor_examination doctor_topics, doctor_rights, doctor_clocks, doctor_disks, doctor_relays,
    doctor_certificates;

/* One program of the deployment as it connects to Kafka. */
struct doctor_principal {
    const char *program;                /* "gateway", "weirctl" or a service's name; borrowed from the plan */
    struct weir_deployment *deployment; /* as that program reads it: owned */
};

/* WEIR_E_USAGE: a --principal names no program of the deployment, or no file. */
int doctor_principals_check(const struct doctor *doctor, struct weir_error *err);

/* Reads the configuration as the program does: from the file of --principal, else with the variables and
 * credentials of its unit. *ret_own: whether anything of it was its own. The caller frees
 * ret_principal->deployment. */
int doctor_principal_load(struct doctor *doctor, const char *program, struct doctor_principal *ret_principal,
    bool *ret_own, struct weir_error *err);

/* Looks at what a program's configuration says, as the program reads it: called while the environment has its
 * variables and credentials. service: NULL for the gateway. What can't be read is a finding of the area. */
typedef int doctor_view(struct doctor *doctor, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_error *err);
void doctor_view_as(struct doctor *doctor, const char *program, const char *area, doctor_view *view);

/* Tells whether the first certificate of a PEM file is good, and for how long. `whose` begins the sentence.
 */
void doctor_certificate(struct doctor *doctor, const char *whose, const char *path);
/* The same of a certificate's end, in seconds from now. */
void doctor_expiry(struct doctor *doctor, const char *area, const char *whose, int64_t left_s);

#endif
