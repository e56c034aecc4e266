#include "consumers/runtime/crash_note.h"

#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "weirnote"

enum { VERSION = 1, TOPIC_BYTES = 256, NOTE_BYTES = 4096 };

/* Where a record stands. */
struct place {
    char topic[TOPIC_BYTES];
    int64_t offset;
    int32_t partition;
    uint32_t
        number; /* of the executing: records without a verdict, 0 none; of the suspect: crashes in a row */
};

/* The file: its own machine's, so that sizes and byte order are those of the program. */
struct page {
    char magic[sizeof(MAGIC) - 1];
    uint32_t version;
    struct place executing, suspect;
};

struct weir_crash_note {
    volatile struct page *page; /* volatile: what is stored has to be in memory when the process dies */
    int fd;
    const char *topic; /* the one in page->executing, as the host's own pointer */
    uint32_t suspects;
};

_Static_assert(sizeof(struct page) <= NOTE_BYTES, "a note is one page");

static bool is_same(const volatile struct place *place, const struct weir_record *record)
{
    return place->number > 0 && place->offset == record->offset && place->partition == record->partition &&
           strncmp((const char *)place->topic, record->topic, TOPIC_BYTES) == 0;
}

static bool is_readable(const struct page *page)
{
    return memcmp(page->magic, MAGIC, sizeof(page->magic)) == 0 && page->version == VERSION &&
           memchr(page->executing.topic, '\0', TOPIC_BYTES) != NULL &&
           memchr(page->suspect.topic, '\0', TOPIC_BYTES) != NULL;
}

static void tell(const struct place *suspect)
{
    weir_log(WEIR_LOG_WARNING, "record.ended_the_process",
        "topic=%s partition=%" PRId32 " offset=%" PRId64 " times=%" PRIu32 " limit=%d", suspect->topic,
        suspect->partition, suspect->offset, suspect->number, WEIR_CRASHES_MAX);
}

/* The last process ended while it executed a record: once more the same, or another one. */
static void count(struct weir_crash_note *note, struct page *page)
{
    struct place *executing = &page->executing, *suspect = &page->suspect;
    if (executing->number == 0)
        return;
    bool again = suspect->number > 0 && suspect->offset == executing->offset &&
                 suspect->partition == executing->partition && strcmp(suspect->topic, executing->topic) == 0;
    uint32_t crashes = again ? suspect->number + 1 : 1;
    note->suspects = executing->number;
    *suspect = *executing;
    suspect->number = crashes;
    executing->number = 0;
    tell(suspect);
}

static void begin(struct page *page)
{
    memset(page, 0, sizeof(*page));
    memcpy(page->magic, MAGIC, sizeof(page->magic));
    page->version = VERSION;
}

static int refuse(struct weir_error *err, int code, const char *path)
{
    return weir_error_set(err, code, "%s: %s", path,
        code == WEIR_E_BUSY ? "another process of this instance holds it" : strerror(errno));
}

static int open_file(const char *path, int *ret_fd, struct weir_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return refuse(err, WEIR_E_DISK, path);
    int code = 0;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        code = errno == EWOULDBLOCK ? WEIR_E_BUSY : WEIR_E_DISK;
    else if (posix_fallocate(fd, 0, NOTE_BYTES) != 0) /* a hole would be SIGBUS on a full disk */
        code = WEIR_E_DISK;
    if (code < 0) {
        refuse(err, code, path);
        close(fd);
        return code;
    }
    *ret_fd = fd;
    return 0;
}

static int map(struct weir_crash_note *note, const char *path, struct weir_error *err)
{
    int code = open_file(path, &note->fd, err);
    if (code < 0)
        return code;
    struct page *page = mmap(NULL, NOTE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, note->fd, 0);
    if (page == MAP_FAILED) {
        close(note->fd);
        return refuse(err, WEIR_E_DISK, path);
    }
    if (!is_readable(page))
        begin(page);
    count(note, page);
    note->page = page;
    return 0;
}

int weir_crash_note_open(
    const char *folder, const char *id, struct weir_crash_note **ret_note, struct weir_error *err)
{
    WEIR_CLEANUP(free) char *path = NULL;
    (void)mkdir(folder, 0750); /* the folder above is the administrator's */
    struct weir_crash_note *note = calloc(1, sizeof(*note));
    if (note == NULL || asprintf(&path, "%s/%s.note", folder, id) < 0) {
        free(note);
        return weir_error_set(err, WEIR_E_INTERNAL, "memory is out");
    }
    int code = map(note, path, err);
    if (code < 0) {
        free(note);
        return code;
    }
    *ret_note = note;
    return 0;
}

void weir_crash_note_close(struct weir_crash_note *note)
{
    if (note == NULL)
        return;
    weir_crash_note_idle(note);
    munmap((void *)(uintptr_t)note->page, NOTE_BYTES);
    close(note->fd);
    free(note);
}

/* While it changes there is none: a process that ends in between has ended between two records. */
void weir_crash_note_executing(
    struct weir_crash_note *note, const struct weir_record *record, uint32_t pending)
{
    if (note == NULL)
        return;
    volatile struct place *place = &note->page->executing;
    place->number = 0;
    if (note->topic != record->topic) {
        snprintf((char *)(uintptr_t)place->topic, TOPIC_BYTES, "%s", record->topic);
        note->topic = record->topic;
    }
    place->partition = record->partition;
    place->offset = record->offset;
    place->number = pending;
}

void weir_crash_note_idle(struct weir_crash_note *note)
{
    if (note != NULL)
        note->page->executing.number = 0;
}

uint32_t weir_crash_note_count(const struct weir_crash_note *note, const struct weir_record *record)
{
    return note != NULL && is_same(&note->page->suspect, record) ? note->page->suspect.number : 0;
}

void weir_crash_note_forget(struct weir_crash_note *note, const struct weir_record *record)
{
    if (weir_crash_note_count(note, record) > 0)
        note->page->suspect.number = 0;
}

uint32_t weir_crash_note_suspects(const struct weir_crash_note *note)
{
    return note != NULL ? note->suspects : 0;
}
