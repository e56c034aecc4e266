#include "gateway/identity.h"

#include <openssl/evp.h>
#include <stdio.h>

enum { IDEMPOTENCY_KEY_BYTES = 255, PATH_BYTES = 80 };

static bool is_visible(struct weir_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f)
            return false;
    }
    return text.len > 0;
}

/* The method that asks for the operation, whatever interface it came by. */
static const char *method_of(enum weir_operation operation)
{
    static const char *const methods[] = {
        [WEIR_OPERATION_CREATE] = "POST",
        [WEIR_OPERATION_REPLACE] = "PUT",
        [WEIR_OPERATION_MERGE] = "PATCH",
        [WEIR_OPERATION_DELETE] = "DELETE",
        [WEIR_OPERATION_ADJUST] = "POST",
    };
    return methods[operation];
}

int weir_identity_check(const struct weir_request *request, struct weir_error *err)
{
    struct weir_bytes given = request->head.idempotency_key;
    if (given.data == NULL || (given.len <= IDEMPOTENCY_KEY_BYTES && is_visible(given)))
        return 0;
    return weir_error_set(
        err, WEIR_E_INVALID, "an Idempotency-Key is 1 to %d bytes of visible ASCII", IDEMPOTENCY_KEY_BYTES);
}

int weir_identity_apply(struct weir_request *request, struct weir_bytes key, struct weir_error *err)
{
    struct weir_bytes given = request->head.idempotency_key;
    char path[PATH_BYTES], number[24];
    int rc = weir_identity_check(request, err);
    if (rc < 0 || given.data == NULL)
        return rc;
    /* The collection's own path: spellings of one key in a URL are one request. */
    snprintf(path, sizeof(path), "/v1/%s%s", request->collection->config->name,
        request->operation == WEIR_OPERATION_ADJUST ? ":adjust" : "");
    snprintf(number, sizeof(number), "%zu", request->number);
    const struct weir_bytes parts[] = {
        weir_bytes_str(request->principal), weir_bytes_str(method_of(request->operation)),
        weir_bytes_str(path), key.data != NULL ? key : weir_bytes("", 0), given,
        weir_bytes_str(number), /* of a document in a batch, whose Idempotency-Key is for all of them */
    };
    size_t count = sizeof(parts) / sizeof(parts[0]) - (request->number == 0);
    weir_id_v5(parts, count, request->id);
    return 0;
}

struct weir_bytes weir_identity_fingerprint(struct weir_bytes body, char out[static WEIR_FINGERPRINT_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_Digest(body.data != NULL ? body.data : "", body.len, digest, &len, EVP_sha256(), NULL) != 1)
        return WEIR_BYTES_NULL;
    for (unsigned i = 0; i < len && 2 * i + 2 < WEIR_FINGERPRINT_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
    return weir_bytes(out, 2 * (size_t)len);
}
