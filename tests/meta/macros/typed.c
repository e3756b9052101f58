/* Typed tasks. What is made and not used, and names that the file has already, must not warn. */
#include "../../task/typed_uses.h"

extern int task, out, call, options, n;
int task, out, call, options, n;

BG_TASK(int, nobody_spawns, (int, number))
{
    return number;
}

static BG_TASK(int, nobody_calls)
{
    return 0;
}

static BG_TASK_VOID(nobody_calls_either, (char, letter))
{
    (void)letter;
}

static int main_task(void *arg)
{
    int sum = 0;
    int rc = typed_uses_sum(&sum);
    (void)arg;
    rc = rc < 0 ? rc : void_of_0_await(void_of_0_spawn());
    return rc < 0 ? rc : sum;
}

int main(void)
{
    return bg_run(main_task, NULL) < 0;
}
