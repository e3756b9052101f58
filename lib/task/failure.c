/*
 * Failures nobody will await: each is reported once, through one hook for the process.
 */
#include "task/task.h"

#include <brigade/error.h>
#include <stdio.h>
#include <unistd.h>

/* The hook and its argument change together, under the lock. */
static bgi_lock hook_lock = BGI_LOCK_INIT(BGI_RANK_FAILURE_HOOK, "failure hook");
static bg_failure_hook hook;
static void *hook_arg;

void bg_set_failure_hook(bg_failure_hook fn, void *arg)
{
    bgi_lock_acquire(&hook_lock);
    hook = fn;
    hook_arg = arg;
    bgi_lock_release(&hook_lock);
}

void bgi_failure(const char *name, int result)
{
    bgi_lock_acquire(&hook_lock);
    bg_failure_hook fn = hook;
    void *arg = hook_arg;
    bgi_lock_release(&hook_lock);

    if (fn != NULL) {
        fn(name, result, arg);
        return;
    }
    char line[256]; /* all of it fits: no message is longer than 100 either */
    (void)snprintf(line, sizeof line,
                   "brigade: task '%.100s' failed and nobody awaited it: %.100s (%d)\n", name,
                   bg_strerror(result), result);
    if (write(STDERR_FILENO, line, strlen(line)) < 0) {
        return; /* no stderr: there is nobody to tell */
    }
}
