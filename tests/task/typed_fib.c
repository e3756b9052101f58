/* A typed task that the tests of both languages share: declared in their header, defined here. */
#include "typed_uses.h"

long fib(int n)
{
    if (n < 2) {
        return n;
    }
    long a = 0;
    bg_task *t = fib_spawn(n - 1);
    long b = fib(n - 2);
    int rc = fib_await(t, &a);
    return rc < 0 ? rc : a + b;
}
