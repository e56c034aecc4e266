/* Preloaded into a program (LD_PRELOAD): writes down what of its files a power cut would leave.
 *
 * WEIR_POWERCUT_DIR    the folder that is looked at; all its files lie on one file system with
 * WEIR_POWERCUT_SHADOW the folder of what is kept: `journal`, and a hard link for each file that was synced,
 * named by its inode, so that no unlink takes its content away and no inode number comes twice.
 *
 * Lines of the journal, each written in one piece after the call has succeeded:
 *   F INODE SIZE                       the file's first SIZE bytes are on the disk
 *   D PATH NAME/INODE NAME/INODE ...   the folder holds these names, and no others
 * A file's bytes count up to its size before fsync or fdatasync began, a name (creation, rename, removal)
 * once its folder was synced. That is right for files that are only appended to, as those of RocksDB are.
 * tests/faults/powercut.py cuts. */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef int sync_call(int fd);

int fsync(int fd);
int fdatasync(int fd);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The path of a file below the folder that is looked at. */
static bool is_looked_at(int fd, char path[static PATH_MAX])
{
    char link[64];
    const char *folder = getenv("WEIR_POWERCUT_DIR");
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = folder != NULL ? readlink(link, path, PATH_MAX - 1) : -1;
    if (length < 0)
        return false;
    path[length] = '\0';
    size_t stem = strlen(folder);
    return strncmp(path, folder, stem) == 0 && (path[stem] == '/' || path[stem] == '\0');
}

static void shadow_path(char to[static PATH_MAX], const char *name)
{
    const char *shadow = getenv("WEIR_POWERCUT_SHADOW");
    snprintf(to, PATH_MAX, "%s/%s", shadow != NULL ? shadow : "/nonexistent", name);
}

/* A test that can't be believed must not go on. */
static void give_up(const char *what)
{
    perror(what);
    abort();
}

static void write_line(const char *line, size_t length)
{
    char path[PATH_MAX];
    shadow_path(path, "journal");
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, length) != (ssize_t)length)
        give_up(path);
    close(fd);
}

/* A file that is gone by now needs no link: its name is in no synced folder any more. */
static void keep(const char *path, ino_t inode)
{
    char name[32], to[PATH_MAX];
    struct stat kept;
    snprintf(name, sizeof(name), "%ju", (uintmax_t)inode);
    shadow_path(to, name);
    if (stat(to, &kept) < 0 && link(path, to) < 0 && stat(path, &kept) == 0)
        give_up(to);
}

static void note_file(const char *path, const struct stat *file)
{
    char line[96];
    keep(path, file->st_ino);
    int length =
        snprintf(line, sizeof(line), "F %ju %jd\n", (uintmax_t)file->st_ino, (intmax_t)file->st_size);
    write_line(line, (size_t)length);
}

static void note_folder(const char *path)
{
    char *line = NULL, inner[PATH_MAX];
    size_t length = 0;
    struct stat entry;
    DIR *folder = opendir(path);
    FILE *text = open_memstream(&line, &length);
    if (folder == NULL || text == NULL)
        give_up(path);
    fprintf(text, "D %s", path);
    for (const struct dirent *one; (one = readdir(folder)) != NULL;) {
        if (snprintf(inner, sizeof(inner), "%s/%s", path, one->d_name) >= PATH_MAX ||
            stat(inner, &entry) < 0 || !S_ISREG(entry.st_mode))
            continue;
        keep(inner, entry.st_ino);
        fprintf(text, " %s/%ju", one->d_name, (uintmax_t)entry.st_ino);
    }
    fputc('\n', text);
    fclose(text);
    write_line(line, length);
    free(line);
    closedir(folder);
}

/* Everything is noted as it was before the call: what is written meanwhile may or may not be on the disk. */
static int sync_and_note(int fd, const char *name)
{
    char path[PATH_MAX];
    struct stat before;
    sync_call *call = (sync_call *)(uintptr_t)dlsym(RTLD_NEXT, name);
    if (call == NULL)
        give_up(name);
    bool looked_at = is_looked_at(fd, path) && fstat(fd, &before) == 0;
    int rc = call(fd);
    if (rc < 0 || !looked_at)
        return rc;
    pthread_mutex_lock(&lock);
    if (S_ISDIR(before.st_mode))
        note_folder(path);
    else
        note_file(path, &before);
    pthread_mutex_unlock(&lock);
    return rc;
}

EXPORT int fsync(int fd)
{
    return sync_and_note(fd, "fsync");
}

EXPORT int fdatasync(int fd)
{
    return sync_and_note(fd, "fdatasync");
}
