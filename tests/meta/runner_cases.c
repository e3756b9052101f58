/*
 * Tests of known outcome, for runner_selftest.sh: most of these are meant to fail.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

static int prepared;

static void prepare(void)
{
    prepared = 1;
}

static void finish(void)
{
    cr_expect_eq(prepared, 2, "fini runs after the test");
}

TestSuite(suite, .init = prepare);

Test(good, plain)
{
    cr_assert(1);
    cr_expect_str_eq("a", "a", "with a message, %d", 1);
}

Test(good, expected_signal, .signal = SIGTERM)
{
    raise(SIGTERM);
}

Test(good, expected_exit, .exit_code = 3)
{
    exit(3);
}

Test(good, fixtures, .init = prepare, .fini = finish)
{
    cr_assert_eq(prepared++, 1);
}

Test(suite, takes_over_options)
{
    cr_assert_eq(prepared, 1);
}

Test(left_out, disabled, .disabled = true)
{
    cr_assert_fail();
}

Test(left_out, skipped)
{
    cr_skip_test("nothing to do here");
}

Test(bad, expectation)
{
    cr_expect(0, "number %d", 42);
    cr_expect_lt(2, 1);
}

Test(bad, assertion)
{
    cr_assert_arr_eq("ab", "ac", 2);
    abort();
}

Test(bad, in_fini, .fini = finish) {}

Test(bad, early_exit)
{
    exit(0);
}

Test(bad, wrong_exit, .exit_code = 3)
{
    exit(4);
}

Test(bad, no_signal, .signal = SIGTERM) {}

Test(bad, crash)
{
    raise(SIGKILL);
}

Test(bad, too_slow, .timeout = 0.05)
{
    for (;;) {
        pause();
    }
}
