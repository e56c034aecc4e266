/* Certificates that expire: the gateway's and those with which programs connect to Kafka. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/kafka_certificate.h"
#include "deploy/weirctl/doctor.h"
#include "deploy/weirctl/gateway.h"

#include <inttypes.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#define AREA "certificates"

enum { PEM_BYTES_MAX = 1 << 20, DAY_S = 24 * 3600 };

void doctor_expiry(struct doctor *doctor, const char *area, const char *whose, int64_t left_s)
{
    static const char fix[] =
        "renew it; what runs reads it at `systemctl reload`, Kafka clients at a restart";

    if (left_s < 0)
        doctor_find(doctor, area, DOCTOR_ILL, fix, "%s expired %" PRId64 " days ago", whose, -left_s / DAY_S);
    else if (left_s * 1000 < doctor->flags->expiry_ms)
        doctor_find(doctor, area, DOCTOR_ILL, fix, "%s expires in %" PRId64 " days", whose, left_s / DAY_S);
    else
        doctor_find(doctor, area, DOCTOR_WELL, "", "%s is good for %" PRId64 " days", whose, left_s / DAY_S);
}

static void judge(struct doctor *doctor, const char *whose, const X509 *certificate)
{
    int days = 0, seconds = 0;

    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
        doctor_find(doctor, AREA, DOCTOR_ILL, "see the clocks of this machine and of who made it",
            "%s is not valid yet", whose);
    else if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)) == 1)
        doctor_expiry(doctor, AREA, whose, (int64_t)days * DAY_S + seconds);
}

void doctor_certificate(struct doctor *doctor, const char *whose, const char *path)
{
    WEIR_CLEANUP(buffer) struct weir_buffer pem = {0};
    struct weir_error why;

    if (weir_file_read(path, PEM_BYTES_MAX, &pem, NULL, &why) < 0) {
        doctor_find(
            doctor, AREA, DOCTOR_ILL, "see the path, and who may read the file", "%s: %s", whose, why.text);
        return;
    }
    BIO *text = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *certificate = text != NULL ? PEM_read_bio_X509(text, NULL, NULL, NULL) : NULL;
    if (certificate != NULL)
        judge(doctor, whose, certificate);
    else
        doctor_find(doctor, AREA, DOCTOR_ILL, "put the certificate there, as PEM", "%s: there is none in %s",
            whose, path);
    X509_free(certificate);
    BIO_free(text);
}

/* The certificate with which a program connects to Kafka. */
static void look_at_program(struct doctor *doctor, const char *program)
{
    struct doctor_principal principal = {.program = program};
    rd_kafka_conf_t *conf = NULL;
    struct weir_error why;
    char whose[300];
    bool own = false;

    snprintf(whose, sizeof(whose), "the certificate of %s for Kafka", program);
    int code = doctor_principal_load(doctor, program, &principal, &own, &why);
    if (code == 0 && (own || strcmp(program, "weirctl") == 0))
        code = weir_kafka_conf(principal.deployment, WEIR_KAFKA_ADMIN, "weirctl", NULL, &conf, &why);
    int64_t end_s = conf != NULL ? weir_kafka_certificate_end(conf) : 0;
    if (end_s != 0)
        doctor_expiry(doctor, AREA, whose, end_s - weir_clock_wall_ms() / 1000);
    if (conf != NULL)
        rd_kafka_conf_destroy(conf);
    weir_deployment_free(principal.deployment);
}

static int view_listener(struct doctor *doctor, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_error *err)
{
    char whose[300];

    (void)deployment;
    (void)err;
    snprintf(whose, sizeof(whose), "the certificate of %s's listener", service->name);
    if (service->tls_certificate != NULL)
        doctor_certificate(doctor, whose, service->tls_certificate);
    return 0;
}

static int view_gateway(struct doctor *doctor, const struct weir_deployment *deployment,
    const struct weir_service *service, struct weir_error *err)
{
    WEIR_CLEANUP(gateway_settings) struct gateway_settings gateway = {0};

    (void)service;
    int code = gateway_settings_read(deployment, &gateway, err);
    if (code == 0 && gateway.tls_certificate != NULL)
        doctor_certificate(doctor, "the gateway's certificate", gateway.tls_certificate);
    return code;
}

int doctor_certificates(struct doctor *doctor, struct weir_error *err)
{
    const struct weir_deployment *deployment = doctor->ctl->deployment;

    (void)err;
    look_at_program(doctor, "weirctl");
    look_at_program(doctor, "gateway");
    for (size_t i = 0; i < deployment->service_count; i++) {
        look_at_program(doctor, deployment->services[i].name);
        doctor_view_as(doctor, deployment->services[i].name, AREA, view_listener);
    }
    doctor_view_as(doctor, "gateway", AREA, view_gateway);
    return 0;
}
