/* test-config_cases FOLDER: loads FOLDER/input as a deployment, in the environment that FOLDER/environment
 * (NAME=value lines, may be missing) adds, and compares the error with the one line of FOLDER/expect. An `ok`
 * there wants it taken. */
#include "common/cleanup.h"
#include "common/deployment.h"
#include "common/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_line_file(const char *path, char **ret_text)
{
    struct weir_error err;

    if (weir_file_read_value(path, ret_text, &err) == 0)
        return 0;
    if (err.code != WEIR_E_NOT_FOUND)
        fprintf(stderr, "%s\n", err.text);
    return err.code;
}

static void set_environment(void)
{
    WEIR_CLEANUP(free) char *text = NULL;
    char *rest = NULL;

    if (read_line_file("environment", &text) < 0)
        return;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        char *equals = strchr(line, '=');
        if (equals == NULL)
            continue;
        *equals = '\0';
        setenv(line, equals + 1, 1);
    }
}

int main(int argc, char **argv)
{
    WEIR_CLEANUP(deployment) struct weir_deployment *deployment = NULL;
    WEIR_CLEANUP(free) char *wanted = NULL;
    struct weir_error err = {.text = "ok"};

    if (argc != 2 || chdir(argv[1]) != 0 || read_line_file("expect", &wanted) < 0) {
        fprintf(stderr, "usage: %s FOLDER, which holds input and expect\n", argv[0]);
        return 64;
    }
    set_environment();
    weir_deployment_load("input", &deployment, &err);
    if (strcmp(err.text, wanted) == 0)
        return 0;
    fprintf(stderr, "%s\ngot    %s\nwanted %s\n", argv[1], err.text, wanted);
    return 1;
}
