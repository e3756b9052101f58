/*
 * Panics: the line's exact text, that it is one line whatever its length, and that it aborts.
 */
#include "base/panic.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Runs die() in a child and gives what it wrote to stderr, up to the end of the first line: an
 * emulator may add lines of its own. Whether SIGABRT ended the child.
 */
static int aborts(void (*die)(void), char *text, size_t size)
{
    int fds[2];
    if (pipe(fds) != 0) {
        return 0;
    }
    pid_t child = fork();
    if (child == 0) {
        struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        die();
        _exit(0);
    }
    close(fds[1]);
    size_t used = 0;
    ssize_t n;
    while (used < size - 1 && (n = read(fds[0], text + used, size - 1 - used)) > 0) {
        used += (size_t)n;
    }
    text[used] = '\0';
    char *end = strchr(text, '\n');
    if (end != NULL) {
        end[1] = '\0';
    }
    close(fds[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void die_plain(void)
{
    bgi_panic("lost %d of %s", 3, "them");
}

static void die_misused_by_task(void)
{
    bgi_misuse("bg_await", "fetch", "handle awaited %s", "twice");
}

static void die_misused_by_nobody(void)
{
    bgi_misuse("bg_spawn", NULL, "no runtime here");
}

static void die_at_length(void)
{
    char name[3000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    bgi_misuse("bg_spawn", name, "the end");
}

Test(panic, says_one_line_and_aborts)
{
    char text[256];
    cr_assert(aborts(die_plain, text, sizeof text));
    cr_assert_str_eq(text, "brigade: lost 3 of them\n");
}

Test(panic, misuse_names_function_and_task)
{
    char text[256];
    cr_assert(aborts(die_misused_by_task, text, sizeof text));
    cr_assert_str_eq(text, "brigade: misuse: bg_await in task 'fetch': handle awaited twice\n");
    cr_assert(aborts(die_misused_by_nobody, text, sizeof text));
    cr_assert_str_eq(text, "brigade: misuse: bg_spawn: no runtime here\n");
}

Test(panic, a_long_line_is_cut_but_ends)
{
    char text[4096];
    cr_assert(aborts(die_at_length, text, sizeof text));
    size_t n = strlen(text);
    cr_assert_gt(n, 500);
    cr_assert_leq(n, 1024);
    cr_assert_eq(strchr(text, '\n'), text + n - 1);
    cr_assert_eq(text[n - 2], 'x');
}

static int evaluated;

static void die_if_checked(void)
{
    bgi_assert(evaluated++ == 1);
}

Test(panic, assertions_exist_in_debug_builds_only)
{
    bgi_assert(1 + 1 == 2);
    char text[1024];
    int aborted = aborts(die_if_checked, text, sizeof text);
    if (BGI_DEBUG) {
        cr_assert(aborted);
        cr_assert_not_null(strstr(text, "die_if_checked: 'evaluated++ == 1' does not hold\n"));
    } else {
        cr_assert_not(aborted);
        die_if_checked();
        cr_assert_eq(evaluated, 0);
    }
}
