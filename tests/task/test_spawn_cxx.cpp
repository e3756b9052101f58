// The task API from C++: options, copied arguments, gather's template.
#include <brigade.h>

#include <criterion/criterion.h>

#include <array>
#include <cstring>

namespace
{

struct order {
    int table;
    const char *dish;
    std::array<int, 3> sides;
};

int failures;

void check(bool ok)
{
    failures += !ok;
}

int cook(void *arg)
{
    order *o = static_cast<order *>(arg);
    bg_yield();
    return std::strcmp(o->dish, "soup") == 0 ? o->table + o->sides[2] : -EINVAL;
}

int give(void *arg)
{
    return *static_cast<int *>(arg);
}

int name_is_fish(void *)
{
    return std::strcmp(bg_task_name(bg_self()), "fish");
}

int main_task(void *arg)
{
    int one = 1, minus = -EIO;
    int table = *static_cast<int *>(arg);
    check(std::strcmp(bg_task_name(bg_self()), "kitchen") == 0);
    check(bg_await(bg_spawn(give, &one)) == 1);
    check(bg_await(bg_spawn(name_is_fish, nullptr, .name = "fish", .stack_size = 65536)) == 0);
    check(bg_spawn(give, &one, .stack_size = 1) == nullptr);
    // The initialiser may name what is in scope.
    check(bg_await(bg_spawn_with(cook, order, table, "soup", {4, 5, 6})) == table + 6);
    check(bg_gather(bg_spawn(give, &one), bg_spawn(give, &minus), bg_spawn(give, &one)) == -EIO);
    check(bg_gather(bg_spawn(give, &one)) == 0);
    check(bg_sleep(2 * BG_MS) == 0);
    return 5;
}

Test(spawn_cxx, the_same_calls)
{
    int table = 9;
    cr_assert_eq(bg_run(main_task, &table, .workers = 1, .name = "kitchen", .spares = BG_NO_SPARES),
                 5);
    cr_assert_eq(failures, 0);

    bg_runtime *rt = nullptr;
    int two = 2;
    cr_assert_eq(bg_runtime_create(&rt, .workers = 2), 0);
    cr_assert_eq(bg_runtime_wait(rt, bg_runtime_spawn(rt, give, &two, .name = "two")), 2);
    cr_assert_eq(bg_runtime_shutdown(rt), 0);
    cr_assert_eq(bg_run(give, &two, .seed = 1), 2);
    cr_assert_eq(bg_explore(give, &two, .seeds = 3, .workers = 2), 0);
}

} // namespace
