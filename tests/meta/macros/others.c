/* The other macros that make code or initialisers in the user's own. */
#include <brigade.h>

struct order {
    int table;
    const char *dish;
};

static bg_local request = BG_LOCAL_INIT;

static int cook(void *arg)
{
    const struct order *o = (const struct order *)arg;
    return o->table + o->dish[0];
}

static int main_task(void *arg)
{
    int one = 1;
    bg_local here = BG_LOCAL_INIT;
    int rc = bg_local_set(&request, arg);
    rc += bg_local_set(&here, &one);
    rc += bg_blocking_with(cook, struct order, one, "soup");
    rc += bg_gather(bg_spawn_with(cook, struct order, one, "soup"), bg_spawn(cook, &one));
    bg_timeout (BG_S) {
        bg_shield
        {
            rc += bg_sleep(BG_MS);
        }
    }
    return bg_local_get(&request) == arg ? rc : -1;
}

int main(void)
{
    return bg_run(main_task, NULL, .workers = 2, .blocking_threads = 3) < 0;
}
