/*
 * corpus DIRECTORY: does with each file of the fuzzer's corpus what the fuzzer does, and with each
 * beginning of it, as if the connection had ended there. It aborts where something is wrong.
 */
#include "drive.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static char data[1 << 16];

static int run(const char *directory, const char *name)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = n > 0 && (size_t)n < sizeof path ? fopen(path, "rb") : NULL;
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size_t size = fread(data, 1, sizeof data, file);
    int failed = ferror(file) || size == sizeof data;
    (void)fclose(file);
    if (failed) {
        (void)fprintf(stderr, "%s: cannot be read, or is too large\n", path);
        return 1;
    }
    drive_stream(data, size);
    for (size_t cut = 0; cut < size && cut < 300; cut++) {
        drive_stream(data, cut);
    }
    return 0;
}

int main(int argc, char *argv[])
{
    int files = 0, failed = 0;
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (dir == NULL) {
        (void)fprintf(stderr, "usage: corpus DIRECTORY\n");
        return 2;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            failed |= run(argv[1], entry->d_name);
            files++;
        }
    }
    (void)closedir(dir);
    printf("%d files\n", files);
    return failed || files == 0;
}
