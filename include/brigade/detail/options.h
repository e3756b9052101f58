/*
 * How `f(a, b, .x = 1, .y = 2)` becomes a call with a struct of options. Not for direct use.
 *
 * In C the options are a compound literal's designated initialisers. C++17 has none; there each
 * `.x = 1` is pasted behind a variable and becomes an assignment, up to eight of them.
 */
#ifndef BRIGADE_DETAIL_OPTIONS_H
#define BRIGADE_DETAIL_OPTIONS_H

#ifdef __cplusplus

#define BG_DETAIL_SET_0(o)
#define BG_DETAIL_SET_1(o, a) o a;
#define BG_DETAIL_SET_2(o, a, ...)                                                                 \
    o a;                                                                                           \
    BG_DETAIL_SET_1(o, __VA_ARGS__)
#define BG_DETAIL_SET_3(o, a, ...)                                                                 \
    o a;                                                                                           \
    BG_DETAIL_SET_2(o, __VA_ARGS__)
#define BG_DETAIL_SET_4(o, a, ...)                                                                 \
    o a;                                                                                           \
    BG_DETAIL_SET_3(o, __VA_ARGS__)
#define BG_DETAIL_SET_5(o, a, ...)                                                                 \
    o a;                                                                                           \
    BG_DETAIL_SET_4(o, __VA_ARGS__)
#define BG_DETAIL_SET_6(o, a, ...)                                                                 \
    o a;                                                                                           \
    BG_DETAIL_SET_5(o, __VA_ARGS__)
#define BG_DETAIL_SET_7(o, a, ...)                                                                 \
    o a;                                                                                           \
    BG_DETAIL_SET_6(o, __VA_ARGS__)
#define BG_DETAIL_SET_8(o, a, ...)                                                                 \
    o a;                                                                                           \
    BG_DETAIL_SET_7(o, __VA_ARGS__)
#define BG_DETAIL_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, name, ...) name
/* The last argument is always there, so that the list is never empty: it sets .size. */
#define BG_DETAIL_SET(o, ...)                                                                      \
    BG_DETAIL_PICK(__VA_ARGS__, BG_DETAIL_SET_9, BG_DETAIL_SET_8, BG_DETAIL_SET_7,                 \
                   BG_DETAIL_SET_6, BG_DETAIL_SET_5, BG_DETAIL_SET_4, BG_DETAIL_SET_3,             \
                   BG_DETAIL_SET_2, BG_DETAIL_SET_1, BG_DETAIL_SET_0)                              \
    (o, __VA_ARGS__)
#define BG_DETAIL_SET_9(o, a, ...)                                                                 \
    o a;                                                                                           \
    BG_DETAIL_SET_8(o, __VA_ARGS__)

#define BG_DETAIL_CALL2_(f, type, a, b, ...)                                                       \
    ([&]() {                                                                                       \
        type bg_detail_options = type();                                                           \
        BG_DETAIL_SET(bg_detail_options, __VA_ARGS__)                                              \
        return f((a), (b), &bg_detail_options);                                                    \
    }())
#define BG_DETAIL_CALL1_(f, type, a, ...)                                                          \
    ([&]() {                                                                                       \
        type bg_detail_options = type();                                                           \
        BG_DETAIL_SET(bg_detail_options, __VA_ARGS__)                                              \
        return f((a), &bg_detail_options);                                                         \
    }())
#define BG_DETAIL_CALL3_(f, type, a, b, c, ...)                                                    \
    ([&]() {                                                                                       \
        type bg_detail_options = type();                                                           \
        BG_DETAIL_SET(bg_detail_options, __VA_ARGS__)                                              \
        return f((a), (b), (c), &bg_detail_options);                                               \
    }())
#define BG_DETAIL_CALL4_(f, type, a, b, c, d, ...)                                                 \
    ([&]() {                                                                                       \
        type bg_detail_options = type();                                                           \
        BG_DETAIL_SET(bg_detail_options, __VA_ARGS__)                                              \
        return f((a), (b), (c), (d), &bg_detail_options);                                          \
    }())
#define BG_DETAIL_CALL5_(f, type, a, b, c, d, e, ...)                                              \
    ([&]() {                                                                                       \
        type bg_detail_options = type();                                                           \
        BG_DETAIL_SET(bg_detail_options, __VA_ARGS__)                                              \
        return f((a), (b), (c), (d), (e), &bg_detail_options);                                     \
    }())
#define BG_DETAIL_CALL7_(f, type, a, b, c, d, e, i, j, ...)                                        \
    ([&]() {                                                                                       \
        type bg_detail_options = type();                                                           \
        BG_DETAIL_SET(bg_detail_options, __VA_ARGS__)                                              \
        return f((a), (b), (c), (d), (e), (i), (j), &bg_detail_options);                           \
    }())

#else

#define BG_DETAIL_CALL1_(f, type, a, ...) f((a), &(type){__VA_ARGS__})
#define BG_DETAIL_CALL2_(f, type, a, b, ...) f((a), (b), &(type){__VA_ARGS__})
#define BG_DETAIL_CALL3_(f, type, a, b, c, ...) f((a), (b), (c), &(type){__VA_ARGS__})
#define BG_DETAIL_CALL4_(f, type, a, b, c, d, ...) f((a), (b), (c), (d), &(type){__VA_ARGS__})
#define BG_DETAIL_CALL5_(f, type, a, b, c, d, e, ...)                                              \
    f((a), (b), (c), (d), (e), &(type){__VA_ARGS__})
#define BG_DETAIL_CALL7_(f, type, a, b, c, d, e, i, j, ...)                                        \
    f((a), (b), (c), (d), (e), (i), (j), &(type){__VA_ARGS__})

#endif

/* f(a, ..., &options), by how many arguments come before the options. */
#define BG_DETAIL_CALL1(f, type, ...) BG_DETAIL_CALL1_(f, type, __VA_ARGS__, .size = sizeof(type))
#define BG_DETAIL_CALL2(f, type, ...) BG_DETAIL_CALL2_(f, type, __VA_ARGS__, .size = sizeof(type))
#define BG_DETAIL_CALL3(f, type, ...) BG_DETAIL_CALL3_(f, type, __VA_ARGS__, .size = sizeof(type))
#define BG_DETAIL_CALL4(f, type, ...) BG_DETAIL_CALL4_(f, type, __VA_ARGS__, .size = sizeof(type))
#define BG_DETAIL_CALL5(f, type, ...) BG_DETAIL_CALL5_(f, type, __VA_ARGS__, .size = sizeof(type))
#define BG_DETAIL_CALL7(f, type, ...) BG_DETAIL_CALL7_(f, type, __VA_ARGS__, .size = sizeof(type))

#endif
