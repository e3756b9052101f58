/*
 * Describing a place in the code.
 */
#include "base/symbol.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(symbol, a_function_with_a_name)
{
    char text[256];
    bgi_symbol_describe((uintptr_t)qsort, text, sizeof text);
    cr_assert_not_null(strstr(text, "qsort"), "%s", text);
    cr_assert_not_null(strstr(text, "+0x"), "%s", text);
}

static int unnamed(void)
{
    return 1;
}

Test(symbol, a_function_without_one)
{
    char text[256];
    bgi_symbol_describe((uintptr_t)unnamed, text, sizeof text);
    cr_assert(strstr(text, "+0x") != NULL && strchr(text, '(') == NULL, "%s", text);
}

Test(symbol, nothing_at_all)
{
    char text[256];
    bgi_symbol_describe(0x10, text, sizeof text);
    cr_assert_str_eq(text, "0x10");
}

Test(symbol, what_does_not_fit_is_cut)
{
    char text[8];
    bgi_symbol_describe((uintptr_t)unnamed, text, sizeof text);
    cr_assert_eq(strlen(text), sizeof text - 1);
}
