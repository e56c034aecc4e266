#include "common/kafka_certificate.h"

#include "common/metrics.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

/* NULL where the property is not set. The caller frees it. */
static char *get(const rd_kafka_conf_t *conf, const char *name)
{
    size_t size = 0;
    char *text = NULL;

    if (rd_kafka_conf_get(conf, name, NULL, &size) != RD_KAFKA_CONF_OK || size <= 1 ||
        (text = malloc(size)) == NULL)
        return NULL;
    if (rd_kafka_conf_get(conf, name, text, &size) == RD_KAFKA_CONF_OK)
        return text;
    free(text);
    return NULL;
}

static BIO *open_certificate(const rd_kafka_conf_t *conf)
{
    char *path = get(conf, "ssl.certificate.location");
    char *pem = path == NULL ? get(conf, "ssl.certificate.pem") : NULL;
    BIO *bio = path != NULL ? BIO_new_file(path, "r") : pem != NULL ? BIO_new(BIO_s_mem()) : NULL;

    if (pem != NULL && bio != NULL)
        BIO_puts(bio, pem);
    free(path);
    free(pem);
    return bio;
}

int64_t weir_kafka_certificate_end(const rd_kafka_conf_t *conf)
{
    struct tm end;
    int64_t seconds = 0;
    BIO *bio = open_certificate(conf);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    if (certificate != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1)
        seconds = timegm(&end);
    X509_free(certificate);
    BIO_free(bio);
    ERR_clear_error(); /* what is wrong is librdkafka's to say */
    return seconds;
}

void weir_kafka_certificate_tell(const rd_kafka_conf_t *conf)
{
    int64_t end = weir_kafka_certificate_end(conf);

    if (end != 0)
        weir_metric_set(weir_metric(WEIR_METRIC_GAUGE, "weir_kafka_certificate_expires_seconds", "",
                            "End of the certificate that this program shows to Kafka, in seconds since 1970"),
            end);
}
