/*
 * Names and texts of the error codes: one switch each, generated from the one list, so that a code
 * listed twice does not compile and a look-up needs no table to be initialised.
 */
#include <brigade/error.h>

#include <limits.h>

static int magnitude(int code)
{
    if (code == INT_MIN) {
        return INT_MAX; /* its negation does not exist; neither is a code */
    }
    return code < 0 ? -code : code;
}

const char *bg_strerror(int code)
{
    switch (magnitude(code)) {
    case 0:
        return "success";
#define TEXT_CASE(name, number, text)                                                              \
    case number:                                                                                   \
        return text;
        BG_ERROR_LIST(TEXT_CASE)
#undef TEXT_CASE
    default:
        return "unknown error";
    }
}

const char *bg_err_name(int code)
{
    switch (magnitude(code)) {
    case 0:
        return "OK";
#define NAME_CASE(name, number, text)                                                              \
    case number:                                                                                   \
        return name;
        BG_ERROR_LIST(NAME_CASE)
#undef NAME_CASE
    default:
        return "UNKNOWN";
    }
}
