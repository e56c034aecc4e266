/* A read on its way, for the kinds of reads: read_document.c, read_request.c. The callbacks of a kind run on
 * the thread of gateway/read. */
#ifndef WEIR_GATEWAY_READ_JOB_H
#define WEIR_GATEWAY_READ_JOB_H

#include "gateway/owner.h"
#include "gateway/read.h"
#include "gateway/request.h"

#include <curl/curl.h>

#define WEIR_READ_LATE "the store that keeps this key did not answer in time"

enum { WEIR_READ_MARGIN_MS = 1000 }; /* between the end of a wait and the request's deadline */

struct weir_read_job;

/* What is asked of the store, or the notifier. */
struct weir_read_kind {
    /* Appends the URL of the next try; owner is "http://host:port". */
    void (*write_url)(const struct weir_read_job *job, const char *owner, struct weir_buffer *out);
    /* A store answered, its body is in job->body. True when the request was ended by it; else it is asked
     * again. */
    bool (*judge)(struct weir_read_job *job, long status);
    /* There is no time for another try: ends the request; job->problem says why the last one failed. */
    void (*give_up)(struct weir_read_job *job);
    /* A try has lasted too long. */
    void (*late)(struct weir_read_job *job);
    /* The gateway shuts down: ends a request that does nothing but wait. NULL: it is seen through. */
    void (*hurry)(struct weir_read_job *job);
    bool from_standby; /* may be asked of a standby, when the client takes one */
    enum weir_owner_kind owner;
};

enum { WEIR_READ_MARK_BYTES = 128 };

struct weir_read_job {
    struct weir_read_job *previous, *next;
    struct weir_read *read;
    struct weir_request *request;
    const struct weir_read_kind *kind;
    CURL *easy; /* NULL between two tries */
    int32_t partition;
    int64_t give_up_ms;  /* no further try from then on */
    int64_t deadline_ms; /* of the request: a try under way may last until then (timeout) */
    int64_t next_try_ms;
    bool standby;                        /* this try asks an instance that does not own the partition */
    unsigned standbys;                   /* how many of them were asked since the owner was */
    char problem[WEIR_ERROR_TEXT_BYTES]; /* of the last try */
    struct weir_buffer body;
    bool again;                  /* set by judge: the next question is asked at once */
    struct weir_buffer gathered; /* by a read that asks several times */
    /* Of a read that waits for something new: what the stores' and the notifiers' answers were marked with;
     * the job that waits beside it. */
    char marks[WEIR_OWNER_KINDS][WEIR_READ_MARK_BYTES];
    struct weir_read_job *twin;
    bool dropped; /* ends without a word, as soon as it is looked at */
};

/* Begins a read that tries for wait_ms. late: the request is suspended now, and told so at its deadline
 * (static); NULL: it is suspended already. False when memory is out; then nothing has changed. Threads: any.
 */
bool weir_read_begin(struct weir_request *request, const struct weir_read_kind *kind, int32_t partition,
    int64_t wait_ms, const char *late);

/* For judge and give_up: begins another question of job's request, which knows the same marks; its times as
 * in the job. NULL when memory is out. */
struct weir_read_job *weir_read_add(
    struct weir_read_job *job, const struct weir_read_kind *kind, int64_t give_up_ms, int64_t deadline_ms);
/* For judge, give_up, late and hurry: ends the job beside this one, if there is one, without a word. */
void weir_read_drop_twin(struct weir_read_job *job);

/* For judge and give_up. The header's value; out stays as it is without one. */
void weir_read_copy_header(const struct weir_read_job *job, const char *name, char *out, size_t size);
void weir_read_end_problem(struct weir_read_job *job, unsigned status, const char *detail);
/* 200 with the store's own body, which is JSON. */
void weir_read_end_body(struct weir_read_job *job);
/* 503, because of the last try; 504. */
void weir_read_give_up(struct weir_read_job *job);
void weir_read_late(struct weir_read_job *job);

/* For judge: a store says of a document that it would keep and does not have it. */
bool weir_read_is_missing(const struct weir_read_job *job, long status);
/* For write_url: of the document of request->key. */
void weir_read_write_document_url(
    const struct weir_read_job *job, const char *owner, struct weir_buffer *out);

/* For write_url: text as a segment of a path, or as a value of a query. */
void weir_read_append_escaped(struct weir_buffer *out, struct weir_bytes text);

/* A client's wait, cut to what its deadline leaves. */
int64_t weir_read_wait_ms(const struct weir_request *request);

#endif
