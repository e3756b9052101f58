/*
 * The shortest form: both dishes at once. Ten lines of code, without braces and includes.
 */
#include <brigade.h>
#include <stdio.h>

static int order(void *dish)
{
    printf("Start %s\n", (const char *)dish);
    int rc = bg_sleep(2 * BG_S);
    printf("End %s\n", (const char *)dish);
    return rc;
}

static int dinner(void *unused)
{
    (void)unused;
    return bg_gather(bg_spawn(order, "pasta"), bg_spawn(order, "salad"));
}

int main(void)
{
    return bg_run(dinner, NULL, .workers = 1) < 0;
}
