/*
 * Typed tasks of every number of arguments, as C11 and C++17 both take them. Part of the tests of
 * the tasks in either language, and compiled by itself with many warnings (tests/meta/macros.sh).
 */
#ifndef TESTS_TASK_TYPED_USES_H
#define TESTS_TASK_TYPED_USES_H

#include <brigade.h>

struct order {
    int table;
    const char *dish;
    double price[3];
};

/* A declaration, with which others may spawn it; in C++ of a C function. */
BG_BEGIN_DECLS
BG_TASK(long, fib, (int, n));
BG_END_DECLS

static BG_TASK(int, of_0)
{
    return 8;
}

static BG_TASK(int, of_1, (int, a))
{
    return a;
}

static BG_TASK(int, of_2, (const int, a), (volatile int, b)) /* qualified themselves */
{
    return a * 10 + b;
}

static BG_TASK(int, of_3, (int, a), (int, b), (int, c))
{
    return of_2(a, b) * 10 + c;
}

static BG_TASK(int, of_4, (int, a), (int, b), (int, c), (int, d))
{
    return of_3(a, b, c) * 10 + d;
}

static BG_TASK(int, of_5, (int, a), (int, b), (int, c), (int, d), (int, e))
{
    return of_4(a, b, c, d) * 10 + e;
}

static BG_TASK(int, of_6, (int, a), (int, b), (int, c), (int, d), (int, e), (int, f))
{
    return of_5(a, b, c, d, e) * 10 + f;
}

static BG_TASK(int, of_7, (int, a), (int, b), (int, c), (int, d), (int, e), (int, f), (int, g))
{
    return of_6(a, b, c, d, e, f) * 10 + g;
}

static BG_TASK(int, of_8, (int, a), (int, b), (int, c), (int, d), (int, e), (int, f), (int, g),
               (int, h))
{
    return of_7(a, b, c, d, e, f, g) * 10 + h;
}

static BG_TASK_VOID(void_of_0) {}

static BG_TASK_VOID(void_of_1, (int *, a))
{
    *a = 1;
}

static BG_TASK_VOID(void_of_8, (int *, a), (char, b), (short, c), (long, d), (long long, e),
                    (float, f), (double, g), (const char *, h))
{
    *a = (int)(b + c + d + (long)e + (long)f + (long)g + h[0]);
}

/* Types of all sorts: constants, structures, a result larger and one smaller than the arguments. */
static BG_TASK(struct order, dearest, (const struct order, a), (const struct order *const, b))
{
    return a.price[0] > b->price[0] ? a : *b;
}

static BG_TASK(unsigned char, first_of, (struct order, o))
{
    return (unsigned char)o.dish[0];
}

static BG_TASK(const char *, dish_of, (struct order, o))
{
    return o.dish;
}

static BG_TASK(struct order, order_of, (const char *, dish))
{
    struct order o = {0, dish, {1.0, 2.0, 3.0}};
    return o;
}

/* The functions made are ordinary ones, and all of the same form. */
static inline int typed_uses_sum(int *sum)
{
    int r = 0, into[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    bg_task *const tasks[] = {of_1_spawn(1),
                              of_2_spawn(1, 2),
                              of_3_spawn(1, 2, 3),
                              of_4_spawn(1, 2, 3, 4),
                              of_5_spawn(1, 2, 3, 4, 5),
                              of_6_spawn(1, 2, 3, 4, 5, 6),
                              of_7_spawn(1, 2, 3, 4, 5, 6, 7),
                              of_8_spawn(1, 2, 3, 4, 5, 6, 7, 8),
                              of_0_spawn()};
    int (*const await[])(bg_task *, int *) = {of_1_await, of_2_await, of_3_await, of_4_await,
                                              of_5_await, of_6_await, of_7_await, of_8_await};

    for (int i = 0; i < 8; i++) {
        int rc = await[i](tasks[i], &into[i]);
        r = rc < 0 ? rc : r;
        *sum += into[i];
    }
    int last = 0;
    int rc = of_0_await(tasks[8], &last);
    *sum += last;
    return rc < 0 ? rc : r;
}

#define TYPED_USES_SUM (1 + 12 + 123 + 1234 + 12345 + 123456 + 1234567 + 12345678 + 8)

#endif
