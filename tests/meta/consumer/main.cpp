// The same from C++, through what both languages share.
#include <brigade.h>

#include <cstdio>

static int twice(void *arg)
{
    int *number = static_cast<int *>(arg);
    bg_yield();
    *number *= 2;
    return bg_sleep(BG_MS);
}

static int run(void *arg)
{
    int *numbers = static_cast<int *>(arg);
    bg_task *a = bg_spawn(twice, &numbers[0], .name = "first");
    bg_task *b = bg_spawn(twice, &numbers[1]);
    return bg_gather(a, b);
}

int main()
{
    int numbers[2] = {20, 1};
    int rc = bg_run(run, numbers, .workers = 2);
    if (rc != 0) {
        std::fprintf(stderr, "failed: %s\n", bg_strerror(rc));
        return 1;
    }
    std::printf("%d %s\n", numbers[0] + numbers[1], BG_VERSION_STRING);
    return 0;
}
