/* Scope-bound release: `WEIR_CLEANUP(json) json_t *order = NULL;` is decref'ed at the end of its block.
 *
 * Each kind names a function `weir_cleanup_<kind>(T *)` that accepts a pointer to NULL. WEIR_CLEANUP_DEFINE makes
 * one from a release function; kinds of one library live beside that library's only users, so that this
 * header includes none of them but jansson. weir_steal() hands the value on to a new owner.
 */
#ifndef WEIR_COMMON_CLEANUP_H
#define WEIR_COMMON_CLEANUP_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WEIR_CLEANUP(kind) __attribute__((cleanup(weir_cleanup_##kind)))

#define WEIR_CLEANUP_DEFINE(kind, type, release)                                                             \
    static inline void weir_cleanup_##kind(type *value)                                                      \
    {                                                                                                        \
        if (*value != NULL)                                                                                  \
            release(*value);                                                                                 \
        *value = NULL;                                                                                       \
    }

WEIR_CLEANUP_DEFINE(file, FILE *, fclose)
WEIR_CLEANUP_DEFINE(json, json_t *, json_decref)

/* For anything that free() releases: char *, struct … * without owned parts. */
static inline void weir_cleanup_free(void *pointer)
{
    void **value = pointer;
    free(*value);
    *value = NULL;
}

static inline void weir_cleanup_fd(const int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

/* Takes the value out of a guarded variable: `return weir_steal(order);` */
#define weir_steal(variable)                                                                                 \
    ({                                                                                                       \
        __typeof__(variable) taken_ = (variable);                                                            \
        (variable) = NULL;                                                                                   \
        taken_;                                                                                              \
    })

#endif
