/*
 * The error table: both signs, zero, what is no code, and that no two codes share a name.
 */
#include <brigade/error.h>

#include <criterion/criterion.h>
#include <limits.h>

#define ROW(name, number, text) {name, number, text},
static const struct {
    const char *name;
    int number;
    const char *text;
} rows[] = {BG_ERROR_LIST(ROW)};
#undef ROW

enum { ROWS = sizeof rows / sizeof rows[0] };

Test(error, every_code_with_both_signs)
{
    for (int i = 0; i < ROWS; i++) {
        cr_expect_str_eq(bg_strerror(-rows[i].number), rows[i].text);
        cr_expect_str_eq(bg_strerror(rows[i].number), rows[i].text);
        cr_expect_str_eq(bg_err_name(-rows[i].number), rows[i].name);
        cr_expect_str_eq(bg_err_name(rows[i].number), rows[i].name);
    }
}

Test(error, names_and_texts_are_unique)
{
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < i; j++) {
            cr_expect_str_neq(rows[i].name, rows[j].name);
            cr_expect_str_neq(rows[i].text, rows[j].text);
        }
    }
}

Test(error, what_is_no_code)
{
    cr_expect_str_eq(bg_strerror(0), "success");
    cr_expect_str_eq(bg_err_name(0), "OK");
    static const int no_codes[] = {INT_MIN, INT_MIN + 1, INT_MAX, -100000, 100000};
    for (size_t i = 0; i < sizeof no_codes / sizeof no_codes[0]; i++) {
        cr_expect_str_eq(bg_strerror(no_codes[i]), "unknown error");
        cr_expect_str_eq(bg_err_name(no_codes[i]), "UNKNOWN");
    }
}

Test(error, never_null)
{
    for (int code = -5000; code <= 5000; code++) {
        cr_expect_not_null(bg_strerror(code));
        cr_expect_not_null(bg_err_name(code));
    }
}
