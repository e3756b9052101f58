/*
 * The part of Criterion's interface that brigade's tests use, for builds in which Criterion itself
 * cannot run: under the thread sanitizer (where it aborts), under valgrind and in cross builds.
 *
 * Each test runs in a process of its own. cr_expect* may be used from any thread and from tasks;
 * cr_assert* ends the test's process when it fails, so it works anywhere here, but with Criterion
 * only on the test's own thread and stack.
 *
 * Messages are string literals with printf's conversions, as Criterion's are in practice.
 */
#ifndef BGT_CRITERION_H
#define BGT_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In the order of Criterion's own, for C++. */
struct bgt_options {
    int sentinel_;
    void (*init)(void);
    void (*fini)(void);
    int signal;    /* the test passes when this signal kills it */
    int exit_code; /* the test passes when it exits with this status */
    bool disabled;
    const char *description;
    double timeout; /* seconds; 0: none. Scaled by BRIGADE_TEST_TIME_SCALE */
};

struct bgt_test {
    const char *suite;
    const char *name; /* NULL: the options of a suite */
    const char *file;
    int line;
    void (*body)(void);
    struct bgt_options options;
    struct bgt_test *next;
};

void bgt_register(struct bgt_test *test);

/* fmt begins with a space that stands for the absent message. */
void bgt_fail(int fatal, const char *file, int line, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 5, 6), cold));
void bgt_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn, cold));
void bgt_log(const char *fmt, ...) __attribute__((format(printf, 1, 2), cold));

#ifdef __cplusplus
}
#endif

#define BGT_REGISTER(Symbol, Suite, Name, Body, ...)                                               \
    __attribute__((constructor)) static void Symbol(void)                                          \
    {                                                                                              \
        static struct bgt_test test = {Suite, Name, __FILE__, __LINE__, Body, {0, __VA_ARGS__},    \
                                       NULL};                                                      \
        bgt_register(&test);                                                                       \
    }

#define Test(...) BGT_TEST(__VA_ARGS__, )
#define BGT_TEST(Suite, Name, ...)                                                                 \
    static void Suite##_##Name##_body(void);                                                       \
    BGT_REGISTER(Suite##_##Name##_register, #Suite, #Name, Suite##_##Name##_body, __VA_ARGS__)     \
    static void Suite##_##Name##_body(void)

#define TestSuite(...) BGT_SUITE(__VA_ARGS__, )
#define BGT_SUITE(Suite, ...)                                                                      \
    BGT_REGISTER(Suite##_suite_register, #Suite, NULL, NULL, __VA_ARGS__)                          \
    struct bgt_semicolon

/* Statements in form, expressions in fact. */
#define BGT_CHECK(Fatal, Condition, What, ...)                                                     \
    ((Condition) ? (void)0 : bgt_fail(Fatal, __FILE__, __LINE__, What, " " __VA_ARGS__))
#define BGT_OP(Fatal, A, Op, B, ...) BGT_CHECK(Fatal, (A)Op(B), #A " " #Op " " #B, __VA_ARGS__)
#define BGT_STR(Fatal, A, Op, B, ...)                                                              \
    BGT_CHECK(Fatal, strcmp((A), (B)) Op 0, "strings: " #A " " #Op " " #B, __VA_ARGS__)
#define BGT_ARR(Fatal, A, Op, B, Size, ...)                                                        \
    BGT_CHECK(Fatal, memcmp((A), (B), (Size)) Op 0, "memory: " #A " " #Op " " #B, __VA_ARGS__)
#define BGT_NEAR(Fatal, A, B, Epsilon, ...)                                                        \
    BGT_CHECK(Fatal, (A) - (B) <= (Epsilon) && (B) - (A) <= (Epsilon), #A " is about " #B,         \
              __VA_ARGS__)

#define cr_assert(Condition, ...) BGT_CHECK(1, Condition, #Condition, __VA_ARGS__)
#define cr_assert_not(Condition, ...) BGT_CHECK(1, !(Condition), "not " #Condition, __VA_ARGS__)
#define cr_assert_eq(A, B, ...) BGT_OP(1, A, ==, B, __VA_ARGS__)
#define cr_assert_neq(A, B, ...) BGT_OP(1, A, !=, B, __VA_ARGS__)
#define cr_assert_lt(A, B, ...) BGT_OP(1, A, <, B, __VA_ARGS__)
#define cr_assert_leq(A, B, ...) BGT_OP(1, A, <=, B, __VA_ARGS__)
#define cr_assert_gt(A, B, ...) BGT_OP(1, A, >, B, __VA_ARGS__)
#define cr_assert_geq(A, B, ...) BGT_OP(1, A, >=, B, __VA_ARGS__)
#define cr_assert_null(A, ...) BGT_OP(1, A, ==, NULL, __VA_ARGS__)
#define cr_assert_not_null(A, ...) BGT_OP(1, A, !=, NULL, __VA_ARGS__)
#define cr_assert_str_eq(A, B, ...) BGT_STR(1, A, ==, B, __VA_ARGS__)
#define cr_assert_str_neq(A, B, ...) BGT_STR(1, A, !=, B, __VA_ARGS__)
#define cr_assert_arr_eq(A, B, Size, ...) BGT_ARR(1, A, ==, B, Size, __VA_ARGS__)
#define cr_assert_arr_neq(A, B, Size, ...) BGT_ARR(1, A, !=, B, Size, __VA_ARGS__)
#define cr_assert_float_eq(A, B, Epsilon, ...) BGT_NEAR(1, A, B, Epsilon, __VA_ARGS__)
#define cr_assert_fail(...) BGT_CHECK(1, 0, "failed", __VA_ARGS__)
#define cr_fatal(...) BGT_CHECK(1, 0, "failed", __VA_ARGS__)

#define cr_expect(Condition, ...) BGT_CHECK(0, Condition, #Condition, __VA_ARGS__)
#define cr_expect_not(Condition, ...) BGT_CHECK(0, !(Condition), "not " #Condition, __VA_ARGS__)
#define cr_expect_eq(A, B, ...) BGT_OP(0, A, ==, B, __VA_ARGS__)
#define cr_expect_neq(A, B, ...) BGT_OP(0, A, !=, B, __VA_ARGS__)
#define cr_expect_lt(A, B, ...) BGT_OP(0, A, <, B, __VA_ARGS__)
#define cr_expect_leq(A, B, ...) BGT_OP(0, A, <=, B, __VA_ARGS__)
#define cr_expect_gt(A, B, ...) BGT_OP(0, A, >, B, __VA_ARGS__)
#define cr_expect_geq(A, B, ...) BGT_OP(0, A, >=, B, __VA_ARGS__)
#define cr_expect_null(A, ...) BGT_OP(0, A, ==, NULL, __VA_ARGS__)
#define cr_expect_not_null(A, ...) BGT_OP(0, A, !=, NULL, __VA_ARGS__)
#define cr_expect_str_eq(A, B, ...) BGT_STR(0, A, ==, B, __VA_ARGS__)
#define cr_expect_str_neq(A, B, ...) BGT_STR(0, A, !=, B, __VA_ARGS__)
#define cr_expect_arr_eq(A, B, Size, ...) BGT_ARR(0, A, ==, B, Size, __VA_ARGS__)
#define cr_expect_arr_neq(A, B, Size, ...) BGT_ARR(0, A, !=, B, Size, __VA_ARGS__)
#define cr_expect_float_eq(A, B, Epsilon, ...) BGT_NEAR(0, A, B, Epsilon, __VA_ARGS__)
#define cr_expect_fail(...) BGT_CHECK(0, 0, "failed", __VA_ARGS__)

#define cr_skip_test(...) bgt_skip(" " __VA_ARGS__)
#define cr_skip(...) bgt_skip(" " __VA_ARGS__)
#define cr_log_info(...) bgt_log(" " __VA_ARGS__)
#define cr_log_warn(...) bgt_log(" " __VA_ARGS__)
#define cr_log_error(...) bgt_log(" " __VA_ARGS__)

#endif
