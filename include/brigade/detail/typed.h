/*
 * How BG_TASK makes functions of its arguments. Not for direct use.
 *
 * A task's copied argument is a union: the arguments, which are read before the function is called,
 * and its result, which is stored over them.
 */
#ifndef BRIGADE_DETAIL_TYPED_H
#define BRIGADE_DETAIL_TYPED_H

#include <stddef.h>

#if defined(__GNUC__)
#define BG_DETAIL_UNUSED __attribute__((unused))
#else
#define BG_DETAIL_UNUSED
#endif

#ifdef __cplusplus
#include <type_traits>
#define BG_DETAIL_TASK_ASSERT(type)                                                                \
    static_assert(std::is_trivially_copyable<type>::value, "it is copied as bytes");               \
    static_assert(alignof(type) <= alignof(max_align_t), "it is aligned as malloc aligns");
#define BG_DETAIL_NULL nullptr
#define BG_DETAIL_CAST(type, value) static_cast<type>(value)
#define BG_DETAIL_BYTES(value) const_cast<const void *>(value)
#else
#define BG_DETAIL_TASK_ASSERT(type)                                                                \
    _Static_assert(_Alignof(type) <= _Alignof(max_align_t), "it is aligned as malloc aligns");
#define BG_DETAIL_NULL NULL
#define BG_DETAIL_CAST(type, value) ((type)(value))
#define BG_DETAIL_BYTES(value) ((const void *)(value))
#endif

/* Of one (type, name): in a list of parameters, as a field, as a value, as a value in the copy, as
 * a further parameter, as it gets into the copy. */
#define BG_DETAIL_TASK_P(type, arg) type arg
#define BG_DETAIL_TASK_F(type, arg) type arg;
#define BG_DETAIL_TASK_V(type, arg) arg
#define BG_DETAIL_TASK_C(type, arg) bg_detail_call->in.arg
#define BG_DETAIL_TASK_M(type, arg) , type arg
#define BG_DETAIL_TASK_K(type, arg)                                                                \
    bg_detail_keep(bg_detail_frame->call, bg_detail_call, &bg_detail_call->in.arg, &arg,           \
                   sizeof(type));
#define BG_DETAIL_TASK_BARE(...) __VA_ARGS__

/* How many there are: the tenth argument is BG_DETAIL_TASK_n for n of them after the name. */
#define BG_DETAIL_TASK_PICK(...) BG_DETAIL_TASK_PICK_(__VA_ARGS__)
#define BG_DETAIL_TASK_PICK_(_0, _1, _2, _3, _4, _5, _6, _7, _8, pick, ...) pick
#define BG_DETAIL_TASK_COUNTS                                                                      \
    BG_DETAIL_TASK_8, BG_DETAIL_TASK_7, BG_DETAIL_TASK_6, BG_DETAIL_TASK_5, BG_DETAIL_TASK_4,      \
        BG_DETAIL_TASK_3, BG_DETAIL_TASK_2, BG_DETAIL_TASK_1, BG_DETAIL_TASK_0, ~

/* make(type, name, parameters, fields, values, values in the copy, parameters after another,
 * keeps); lists are in parentheses, but for the last: statements that keep each argument. */
#define BG_DETAIL_TASK_0(make, type, name)                                                         \
    make(type, name, (void), char bg_detail_none;, (0), (), (), )
#define BG_DETAIL_TASK_1(make, type, name, a)                                                      \
    make(type, name, (BG_DETAIL_TASK_P a), BG_DETAIL_TASK_F a, (BG_DETAIL_TASK_V a),               \
         (BG_DETAIL_TASK_C a), (BG_DETAIL_TASK_M a), BG_DETAIL_TASK_K a)
#define BG_DETAIL_TASK_2(make, type, name, a, b)                                                   \
    make(type, name, (BG_DETAIL_TASK_P a, BG_DETAIL_TASK_P b),                                     \
         BG_DETAIL_TASK_F a BG_DETAIL_TASK_F b, (BG_DETAIL_TASK_V a, BG_DETAIL_TASK_V b),          \
         (BG_DETAIL_TASK_C a, BG_DETAIL_TASK_C b), (BG_DETAIL_TASK_M a BG_DETAIL_TASK_M b),        \
         BG_DETAIL_TASK_K a BG_DETAIL_TASK_K b)
#define BG_DETAIL_TASK_3(make, type, name, a, b, c)                                                \
    make(type, name, (BG_DETAIL_TASK_P a, BG_DETAIL_TASK_P b, BG_DETAIL_TASK_P c),                 \
         BG_DETAIL_TASK_F a BG_DETAIL_TASK_F b BG_DETAIL_TASK_F c,                                 \
         (BG_DETAIL_TASK_V a, BG_DETAIL_TASK_V b, BG_DETAIL_TASK_V c),                             \
         (BG_DETAIL_TASK_C a, BG_DETAIL_TASK_C b, BG_DETAIL_TASK_C c),                             \
         (BG_DETAIL_TASK_M a BG_DETAIL_TASK_M b BG_DETAIL_TASK_M c),                               \
         BG_DETAIL_TASK_K a BG_DETAIL_TASK_K b BG_DETAIL_TASK_K c)
#define BG_DETAIL_TASK_4(make, type, name, a, b, c, d)                                             \
    make(type, name,                                                                               \
         (BG_DETAIL_TASK_P a, BG_DETAIL_TASK_P b, BG_DETAIL_TASK_P c, BG_DETAIL_TASK_P d),         \
         BG_DETAIL_TASK_F a BG_DETAIL_TASK_F b BG_DETAIL_TASK_F c BG_DETAIL_TASK_F d,              \
         (BG_DETAIL_TASK_V a, BG_DETAIL_TASK_V b, BG_DETAIL_TASK_V c, BG_DETAIL_TASK_V d),         \
         (BG_DETAIL_TASK_C a, BG_DETAIL_TASK_C b, BG_DETAIL_TASK_C c, BG_DETAIL_TASK_C d),         \
         (BG_DETAIL_TASK_M a BG_DETAIL_TASK_M b BG_DETAIL_TASK_M c BG_DETAIL_TASK_M d),            \
         BG_DETAIL_TASK_K a BG_DETAIL_TASK_K b BG_DETAIL_TASK_K c BG_DETAIL_TASK_K d)
#define BG_DETAIL_TASK_5(make, type, name, a, b, c, d, e)                                          \
    make(type, name,                                                                               \
         (BG_DETAIL_TASK_P a, BG_DETAIL_TASK_P b, BG_DETAIL_TASK_P c, BG_DETAIL_TASK_P d,          \
          BG_DETAIL_TASK_P e),                                                                     \
         BG_DETAIL_TASK_F a BG_DETAIL_TASK_F b BG_DETAIL_TASK_F c BG_DETAIL_TASK_F d               \
             BG_DETAIL_TASK_F e,                                                                   \
         (BG_DETAIL_TASK_V a, BG_DETAIL_TASK_V b, BG_DETAIL_TASK_V c, BG_DETAIL_TASK_V d,          \
          BG_DETAIL_TASK_V e),                                                                     \
         (BG_DETAIL_TASK_C a, BG_DETAIL_TASK_C b, BG_DETAIL_TASK_C c, BG_DETAIL_TASK_C d,          \
          BG_DETAIL_TASK_C e),                                                                     \
         (BG_DETAIL_TASK_M a BG_DETAIL_TASK_M b BG_DETAIL_TASK_M c BG_DETAIL_TASK_M d              \
              BG_DETAIL_TASK_M e),                                                                 \
         BG_DETAIL_TASK_K a BG_DETAIL_TASK_K b BG_DETAIL_TASK_K c BG_DETAIL_TASK_K d               \
             BG_DETAIL_TASK_K e)
#define BG_DETAIL_TASK_6(make, type, name, a, b, c, d, e, f)                                       \
    make(type, name,                                                                               \
         (BG_DETAIL_TASK_P a, BG_DETAIL_TASK_P b, BG_DETAIL_TASK_P c, BG_DETAIL_TASK_P d,          \
          BG_DETAIL_TASK_P e, BG_DETAIL_TASK_P f),                                                 \
         BG_DETAIL_TASK_F a BG_DETAIL_TASK_F b BG_DETAIL_TASK_F c BG_DETAIL_TASK_F d               \
             BG_DETAIL_TASK_F e BG_DETAIL_TASK_F f,                                                \
         (BG_DETAIL_TASK_V a, BG_DETAIL_TASK_V b, BG_DETAIL_TASK_V c, BG_DETAIL_TASK_V d,          \
          BG_DETAIL_TASK_V e, BG_DETAIL_TASK_V f),                                                 \
         (BG_DETAIL_TASK_C a, BG_DETAIL_TASK_C b, BG_DETAIL_TASK_C c, BG_DETAIL_TASK_C d,          \
          BG_DETAIL_TASK_C e, BG_DETAIL_TASK_C f),                                                 \
         (BG_DETAIL_TASK_M a BG_DETAIL_TASK_M b BG_DETAIL_TASK_M c BG_DETAIL_TASK_M d              \
              BG_DETAIL_TASK_M e BG_DETAIL_TASK_M f),                                              \
         BG_DETAIL_TASK_K a BG_DETAIL_TASK_K b BG_DETAIL_TASK_K c BG_DETAIL_TASK_K d               \
             BG_DETAIL_TASK_K e BG_DETAIL_TASK_K f)
#define BG_DETAIL_TASK_7(make, type, name, a, b, c, d, e, f, g)                                    \
    make(type, name,                                                                               \
         (BG_DETAIL_TASK_P a, BG_DETAIL_TASK_P b, BG_DETAIL_TASK_P c, BG_DETAIL_TASK_P d,          \
          BG_DETAIL_TASK_P e, BG_DETAIL_TASK_P f, BG_DETAIL_TASK_P g),                             \
         BG_DETAIL_TASK_F a BG_DETAIL_TASK_F b BG_DETAIL_TASK_F c BG_DETAIL_TASK_F d               \
             BG_DETAIL_TASK_F e BG_DETAIL_TASK_F f BG_DETAIL_TASK_F g,                             \
         (BG_DETAIL_TASK_V a, BG_DETAIL_TASK_V b, BG_DETAIL_TASK_V c, BG_DETAIL_TASK_V d,          \
          BG_DETAIL_TASK_V e, BG_DETAIL_TASK_V f, BG_DETAIL_TASK_V g),                             \
         (BG_DETAIL_TASK_C a, BG_DETAIL_TASK_C b, BG_DETAIL_TASK_C c, BG_DETAIL_TASK_C d,          \
          BG_DETAIL_TASK_C e, BG_DETAIL_TASK_C f, BG_DETAIL_TASK_C g),                             \
         (BG_DETAIL_TASK_M a BG_DETAIL_TASK_M b BG_DETAIL_TASK_M c BG_DETAIL_TASK_M d              \
              BG_DETAIL_TASK_M e BG_DETAIL_TASK_M f BG_DETAIL_TASK_M g),                           \
         BG_DETAIL_TASK_K a BG_DETAIL_TASK_K b BG_DETAIL_TASK_K c BG_DETAIL_TASK_K d               \
             BG_DETAIL_TASK_K e BG_DETAIL_TASK_K f BG_DETAIL_TASK_K g)
#define BG_DETAIL_TASK_8(make, type, name, a, b, c, d, e, f, g, h)                                 \
    make(type, name,                                                                               \
         (BG_DETAIL_TASK_P a, BG_DETAIL_TASK_P b, BG_DETAIL_TASK_P c, BG_DETAIL_TASK_P d,          \
          BG_DETAIL_TASK_P e, BG_DETAIL_TASK_P f, BG_DETAIL_TASK_P g, BG_DETAIL_TASK_P h),         \
         BG_DETAIL_TASK_F a BG_DETAIL_TASK_F b BG_DETAIL_TASK_F c BG_DETAIL_TASK_F d               \
             BG_DETAIL_TASK_F e BG_DETAIL_TASK_F f BG_DETAIL_TASK_F g BG_DETAIL_TASK_F h,          \
         (BG_DETAIL_TASK_V a, BG_DETAIL_TASK_V b, BG_DETAIL_TASK_V c, BG_DETAIL_TASK_V d,          \
          BG_DETAIL_TASK_V e, BG_DETAIL_TASK_V f, BG_DETAIL_TASK_V g, BG_DETAIL_TASK_V h),         \
         (BG_DETAIL_TASK_C a, BG_DETAIL_TASK_C b, BG_DETAIL_TASK_C c, BG_DETAIL_TASK_C d,          \
          BG_DETAIL_TASK_C e, BG_DETAIL_TASK_C f, BG_DETAIL_TASK_C g, BG_DETAIL_TASK_C h),         \
         (BG_DETAIL_TASK_M a BG_DETAIL_TASK_M b BG_DETAIL_TASK_M c BG_DETAIL_TASK_M d              \
              BG_DETAIL_TASK_M e BG_DETAIL_TASK_M f BG_DETAIL_TASK_M g BG_DETAIL_TASK_M h),        \
         BG_DETAIL_TASK_K a BG_DETAIL_TASK_K b BG_DETAIL_TASK_K c BG_DETAIL_TASK_K d               \
             BG_DETAIL_TASK_K e BG_DETAIL_TASK_K f BG_DETAIL_TASK_K g BG_DETAIL_TASK_K h)

/* The spawn, which both kinds have: nothing but a copy and a name. */
#define BG_DETAIL_TASK_SPAWN(name, params, values)                                                 \
    BG_DETAIL_TASK_ASSERT(union bg_detail_call_##name)                                             \
    BG_DETAIL_UNUSED static inline bg_task *name##_spawn params                                    \
    {                                                                                              \
        union bg_detail_call_##name bg_detail_call = {{BG_DETAIL_TASK_BARE values}};               \
        return bg_spawn_typed(bg_detail_run_##name, #name, &bg_detail_call,                        \
                              sizeof bg_detail_call);                                              \
    }

/*
 * An argument of a fork becomes part of its frame: as bytes, since the frame is declared without
 * arguments, and some are constant. One by one: a copy of all that is made elsewhere first is moved
 * in pieces of another size than those in which it was written, for which the processor has to
 * wait.
 */
static inline void bg_detail_keep(unsigned char *call, const void *in, const volatile void *at,
                                  const volatile void *value, size_t size)
{
    size_t offset = BG_DETAIL_CAST(size_t, BG_DETAIL_CAST(const volatile unsigned char *, at) -
                                               BG_DETAIL_CAST(const unsigned char *, in));
    __builtin_memcpy(call + offset, BG_DETAIL_BYTES(value), size);
}

/* The frame of a fork, and the fork. */
#define BG_DETAIL_TASK_FORK(name, more, keeps)                                                     \
    typedef struct name##_frame {                                                                  \
        bg_detail_fork fork;                                                                       \
        unsigned char call[sizeof(union bg_detail_call_##name)]                                    \
            __attribute__((__aligned__(__alignof__(union bg_detail_call_##name))));                \
    } name##_frame;                                                                                \
    BG_DETAIL_UNUSED static void bg_detail_forked_##name(bg_detail_fork *bg_detail_self)           \
    {                                                                                              \
        name##_frame *bg_detail_frame =                                                            \
            BG_DETAIL_CAST(name##_frame *, BG_DETAIL_CAST(void *, bg_detail_self));                \
        (void)bg_detail_run_##name(bg_detail_frame->call);                                         \
    }                                                                                              \
    BG_DETAIL_UNUSED static inline void name##_fork(                                               \
        name##_frame *bg_detail_frame BG_DETAIL_TASK_BARE more)                                    \
    {                                                                                              \
        union bg_detail_call_##name *bg_detail_call = BG_DETAIL_CAST(                              \
            union bg_detail_call_##name *, BG_DETAIL_CAST(void *, bg_detail_frame->call));         \
        (void)bg_detail_call;                                                                      \
        keeps bg_detail_fork_begin(&bg_detail_frame->fork, bg_detail_forked_##name);               \
    }

#define BG_DETAIL_TASK_TYPED(type, name, params, fields, values, copies, more, keeps)              \
    type name params;                                                                              \
    union bg_detail_call_##name {                                                                  \
        struct {                                                                                   \
            fields                                                                                 \
        } in;                                                                                      \
        type out;                                                                                  \
    };                                                                                             \
    BG_DETAIL_UNUSED static int bg_detail_run_##name(void *bg_detail_arg)                          \
    {                                                                                              \
        union bg_detail_call_##name *bg_detail_call =                                              \
            BG_DETAIL_CAST(union bg_detail_call_##name *, bg_detail_arg);                          \
        bg_detail_call->out = name copies;                                                         \
        return 0;                                                                                  \
    }                                                                                              \
    BG_DETAIL_TASK_SPAWN(name, params, values)                                                     \
    BG_DETAIL_UNUSED static inline int name##_await(bg_task *bg_detail_task, type *bg_detail_out)  \
    {                                                                                              \
        return bg_await_typed(bg_detail_task, #name, bg_detail_out, sizeof(type));                 \
    }                                                                                              \
    BG_DETAIL_TASK_FORK(name, more, keeps)                                                         \
    BG_DETAIL_UNUSED static inline type name##_join(name##_frame *bg_detail_frame)                 \
    {                                                                                              \
        union bg_detail_call_##name *bg_detail_call = BG_DETAIL_CAST(                              \
            union bg_detail_call_##name *, BG_DETAIL_CAST(void *, bg_detail_frame->call));         \
        if (bg_detail_fork_end(&bg_detail_frame->fork)) {                                          \
            return bg_detail_call->out;                                                            \
        }                                                                                          \
        return name copies;                                                                        \
    }                                                                                              \
    type name params

#define BG_DETAIL_TASK_UNTYPED(type, name, params, fields, values, copies, more, keeps)            \
    type name params;                                                                              \
    union bg_detail_call_##name {                                                                  \
        struct {                                                                                   \
            fields                                                                                 \
        } in;                                                                                      \
    };                                                                                             \
    BG_DETAIL_UNUSED static int bg_detail_run_##name(void *bg_detail_arg)                          \
    {                                                                                              \
        union bg_detail_call_##name *bg_detail_call =                                              \
            BG_DETAIL_CAST(union bg_detail_call_##name *, bg_detail_arg);                          \
        (void)bg_detail_call;                                                                      \
        name copies;                                                                               \
        return 0;                                                                                  \
    }                                                                                              \
    BG_DETAIL_TASK_SPAWN(name, params, values)                                                     \
    BG_DETAIL_UNUSED static inline int name##_await(bg_task *bg_detail_task)                       \
    {                                                                                              \
        return bg_await_typed(bg_detail_task, #name, BG_DETAIL_NULL, 0);                           \
    }                                                                                              \
    BG_DETAIL_TASK_FORK(name, more, keeps)                                                         \
    BG_DETAIL_UNUSED static inline void name##_join(name##_frame *bg_detail_frame)                 \
    {                                                                                              \
        union bg_detail_call_##name *bg_detail_call = BG_DETAIL_CAST(                              \
            union bg_detail_call_##name *, BG_DETAIL_CAST(void *, bg_detail_frame->call));         \
        (void)bg_detail_call;                                                                      \
        if (!bg_detail_fork_end(&bg_detail_frame->fork)) {                                         \
            name copies;                                                                           \
        }                                                                                          \
    }                                                                                              \
    type name params

#endif
