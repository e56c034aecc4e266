/* The files of gateway/portal as the build made them part of the program (gateway/portal.cmake). */
#ifndef WEIR_GATEWAY_PORTAL_FILES_H
#define WEIR_GATEWAY_PORTAL_FILES_H

#include <stddef.h>

struct weir_portal_file {
    const char *path;       /* "/app.js"; index.html is "/" */
    const char *media_type; /* with its charset */
    const char *etag;       /* of its content, in quotes */
    const unsigned char *data;
    size_t len;
};

extern const struct weir_portal_file weir_portal_files[];
extern const size_t weir_portal_file_count;

#endif
