/*
 * Names of tasks: copied, kept as long as the handle.
 */
#include "check.h"

static int own_name_is(void *arg)
{
    CHECK(strcmp(bg_task_name(bg_self()), arg) == 0);
    bg_yield();
    CHECK(strcmp(bg_task_name(bg_self()), arg) == 0);
    return 0;
}

static int main_names(void *arg)
{
    char buffer[32];
    bg_task *t[10];
    (void)arg;
    CHECK(strcmp(bg_task_name(bg_self()), "main") == 0);
    CHECK(strcmp(bg_task_name(NULL), "") == 0);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(buffer, sizeof buffer, "cook %d", i);
        t[i] = bg_spawn(return_arg, INT_ARG(i), .name = buffer);
        memset(buffer, 'x', sizeof buffer);
    }
    for (int i = 0; i < 10; i++) {
        char expected[32];
        (void)snprintf(expected, sizeof expected, "cook %d", i);
        CHECK(strcmp(bg_task_name(t[i]), expected) == 0);
    }
    CHECK(bg_wait_any(&t[9], 1, NULL) == 0);
    CHECK(strcmp(bg_task_name(t[9]), "cook 9") == 0); /* ended, but the handle is here */
    CHECK(bg_gather_all(t, 10, NULL) == 0);

    bg_task *unnamed = bg_spawn(own_name_is, "");
    CHECK(strcmp(bg_task_name(unnamed), "") == 0);
    bg_task *empty = bg_spawn(own_name_is, "", .name = "");
    CHECK(strcmp(bg_task_name(empty), "") == 0);
    CHECK(bg_gather(unnamed, empty, bg_spawn(own_name_is, "soup", .name = "soup")) == 0);
    return 0;
}

Test(names, are_copied_and_kept)
{
    EACH_WORKER_COUNT(w)
    {
        size_t before = bgi_alloc_live();
        RUN(main_names, NULL, .workers = w);
        cr_assert_eq(bgi_alloc_live(), before);
    }
}

static int main_long(void *arg)
{
    size_t size = 100000;
    char *name = malloc(size);
    (void)arg;
    memset(name, 'l', size - 1);
    name[size - 1] = '\0';
    bg_task *t = bg_spawn(return_arg, INT_ARG(1), .name = name);
    memset(name, 0, size);
    free(name);
    CHECK(strlen(bg_task_name(t)) == size - 1);
    CHECK(bg_await(t) == 1);
    /* The record is used again by one without a name. */
    t = bg_spawn(own_name_is, "");
    CHECK(strcmp(bg_task_name(t), "") == 0);
    CHECK(bg_await(t) == 0);
    return 0;
}

Test(names, of_any_length_and_not_inherited)
{
    RUN(main_long, NULL, .workers = 1);
}
