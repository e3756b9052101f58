/*
 * Two dishes that take two seconds each, ordered one after the other (four seconds) and then both
 * at once (two seconds). `order_food 0.1` cooks ten times as fast.
 *
 * One worker is one chef, who switches dishes while they cook: everything happens in a fixed order,
 * as in asyncio. Without .workers there is a chef for each CPU, and who starts first is up to them.
 */
#include <brigade.h>
#include <stdio.h>
#include <stdlib.h>

static bg_duration cooking = 2 * BG_S;

static int order(void *dish)
{
    printf("Start %s\n", (const char *)dish);
    int rc = bg_sleep(cooking);
    printf("End %s\n", (const char *)dish);
    return rc;
}

static int one_after_another(void *unused)
{
    (void)unused;
    int rc = bg_await(bg_spawn(order, "pasta"));
    return rc < 0 ? rc : bg_await(bg_spawn(order, "salad"));
}

static int at_once(void *unused)
{
    (void)unused;
    return bg_gather(bg_spawn(order, "pasta"), bg_spawn(order, "salad"));
}

static int timed(const char *what, bg_fn meal)
{
    bg_time start = bg_now();
    int rc = bg_run(meal, NULL, .workers = 1);
    printf("%s: %.2f seconds\n", what, (double)(bg_now() - start) / BG_S);
    return rc;
}

int main(int argc, char *argv[])
{
    char *end = NULL;
    double scale = argc > 1 ? strtod(argv[1], &end) : 1;
    if (argc > 2 || (end != NULL && (end == argv[1] || *end != '\0')) ||
        !(scale >= 0 && scale <= 1000)) {
        fputs("usage: order_food [SCALE], SCALE from 0 to 1000\n", stderr);
        return 2;
    }
    cooking = (bg_duration)(scale * 2 * BG_S);

    int rc = timed("One after another", one_after_another);
    if (rc == 0)
        rc = timed("At once", at_once);
    if (rc < 0)
        fprintf(stderr, "order_food: %s\n", bg_strerror(rc));
    return rc < 0;
}
