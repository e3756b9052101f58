/* posix_spawn and wait4, in a loop: processes `true`, two at a time. */
#define _GNU_SOURCE
#include "../micro/measure.h"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

static int start(void)
{
    char *argv[] = {(char[]){"true"}, NULL};
    pid_t pid;
    int rc = posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);
    if (rc)
        fprintf(stderr, "posix_spawn: %s\n", strerror(rc));
    return rc;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "version")) {
        printf("posix_spawn, a loop in C\n");
        return BM_OK;
    }
    if (argc < 2 || strcmp(argv[1], "spawn"))
        return bm_cannot("processes only");
    int64_t count = bm_arg(argc, argv, "count", 1000), started = 0, ended = 0;
    int64_t begin = bm_now();
    while (ended < count) {
        int status;
        if (started < count && started - ended < 2) {
            if (start())
                return BM_FAILED;
            started++;
            continue;
        }
        if (waitpid(-1, &status, 0) < 0 || status)
            return bm_fail("a process failed");
        ended++;
    }
    bm_metric("each", (double)(bm_now() - begin) / 1e3 / (double)count, "us");
    return BM_OK;
}
