// Typed tasks from C++: the same macros, and types that only C++ has.
#include "typed_uses.h"

#include <criterion/criterion.h>

#include <array>
#include <cstdint>

namespace
{

int failures;

void check(bool ok)
{
    failures += !ok;
}

using three = std::array<int, 3>;

enum class size : std::uint8_t { small, large };

struct portion { // no aggregate, and not default-constructible
    explicit portion(size s) : how(s) {}
    size how;
};

BG_TASK(three, reversed, (three, a), (int &, calls))
{
    calls++;
    return {a[2], a[1], a[0]};
}

BG_TASK(bool, is_large, (const portion, p))
{
    return p.how == size::large;
}

BG_TASK_VOID(count, (int *, into))
{
    ++*into;
}

int main_task(void *)
{
    int sum = 0, calls = 0;
    check(typed_uses_sum(&sum) == 0);
    check(sum == TYPED_USES_SUM);

    three got = {};
    check(reversed_await(reversed_spawn({1, 2, 3}, calls), &got) == 0);
    check(got == three{3, 2, 1});
    check(calls == 1);

    bool large = false;
    check(is_large_await(is_large_spawn(portion(size::large)), &large) == 0);
    check(large);
    check(is_large_await(is_large_spawn(portion(size::small)), &large) == 0);
    check(!large);

    check(count_await(count_spawn(&calls)) == 0);
    check(calls == 2);

    long result = 0;
    check(fib_await(fib_spawn(10), &result) == 0);
    check(result == 55);

    struct order fish = {4, "fish", {21, 2, 3}}, order = {};
    check(dearest_await(dearest_spawn({1, "soup", {4, 0, 0}}, &fish), &order) == 0);
    check(order.table == 4);
    int b = 0;
    check(void_of_8_await(void_of_8_spawn(&b, 1, 2, 3, 4, 5, 6, "\a")) == 0);
    check(void_of_1_await(void_of_1_spawn(&b)) == 0 && b == 1);
    check(void_of_0_await(void_of_0_spawn()) == 0);
    unsigned char letter = 0;
    const char *dish = nullptr;
    check(first_of_await(first_of_spawn(fish), &letter) == 0 && letter == 'f');
    check(dish_of_await(dish_of_spawn(fish), &dish) == 0 && dish == fish.dish);
    check(order_of_await(order_of_spawn("stew"), &order) == 0 && order.price[2] == 3);
    return 6;
}

Test(typed_cxx, the_same_macros)
{
    cr_assert_eq(bg_run(main_task, nullptr, .workers = 2), 6);
    cr_assert_eq(failures, 0);
}

} // namespace
