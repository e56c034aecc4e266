/* FOLDER: gives each file of the folder to the target, as libFuzzer would. */
#include "common/cleanup.h"
#include "common/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *folder, const char *name)
{
    WEIR_CLEANUP(buffer) struct weir_buffer input = {0};
    char path[PATH_MAX];
    struct weir_error err;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (weir_file_read(path, 1 << 24, &input, NULL, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    return LLVMFuzzerTestOneInput((const uint8_t *)input.data, input.len);
}

int main(int argc, char **argv)
{
    size_t count = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL)
        return 64;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        if (replay(argv[1], entry->d_name) < 0)
            return 1;
        count++;
    }
    closedir(folder);
    printf("%zu inputs\n", count);
    return count > 0 ? 0 : 1;
}
