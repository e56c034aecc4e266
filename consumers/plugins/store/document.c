#include "consumers/plugins/store/document.h"

#include <endian.h>

enum { FORMAT = 1, FIXED_BYTES = 18 };

void weir_document_write(const struct weir_document *document, struct weir_buffer *out)
{
    unsigned char fixed[FIXED_BYTES] = {FORMAT, (unsigned char)document->request.len};
    uint64_t version = htole64(document->version), changed_ms = htole64((uint64_t)document->changed_ms);

    memcpy(fixed + 2, &version, 8);
    memcpy(fixed + 10, &changed_ms, 8);
    weir_buffer_clear(out);
    weir_buffer_append(out, fixed, sizeof(fixed));
    weir_buffer_append_bytes(out, document->request);
    weir_buffer_append_bytes(out, document->text);
}

int weir_document_read(struct weir_bytes stored, struct weir_document *ret_document, struct weir_error *err)
{
    uint64_t version, changed_ms;

    if (stored.len < FIXED_BYTES || stored.data[0] != FORMAT)
        return weir_error_set(err, WEIR_E_CORRUPT, "a stored document has an unknown format");
    size_t request_len = (unsigned char)stored.data[1];
    if (stored.len < FIXED_BYTES + request_len)
        return weir_error_set(err, WEIR_E_CORRUPT, "a stored document is cut short at %zu bytes", stored.len);
    memcpy(&version, stored.data + 2, 8);
    memcpy(&changed_ms, stored.data + 10, 8);
    *ret_document = (struct weir_document){
        .version = le64toh(version),
        .changed_ms = (int64_t)le64toh(changed_ms),
        .request = weir_bytes(stored.data + FIXED_BYTES, request_len),
        .text = weir_bytes(stored.data + FIXED_BYTES + request_len, stored.len - FIXED_BYTES - request_len),
    };
    return 0;
}
