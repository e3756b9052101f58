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
    bg_task *a = bg_spawn(twice, &numbers[0]);
    bg_task *b = bg_spawn(twice, &numbers[1]);
    int first = bg_await(a);
    int second = bg_await(b);
    return first != 0 ? first : second;
}

int main()
{
    int numbers[2] = {20, 1};
    int rc = bg_run(run, numbers);
    if (rc != 0) {
        std::fprintf(stderr, "failed: %s\n", bg_strerror(rc));
        return 1;
    }
    std::printf("%d %s\n", numbers[0] + numbers[1], BG_VERSION_STRING);
    return 0;
}
