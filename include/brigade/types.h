/*
 * What every other header of brigade shares: version, visibility, time types, handles.
 *
 * Usable from C11 and from C++17 on its own.
 */
#ifndef BRIGADE_TYPES_H
#define BRIGADE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#define BG_VERSION_MAJOR 0
#define BG_VERSION_MINOR 1
#define BG_VERSION_PATCH 0
/* One number to compare with: 1.2.3 is 10203. */
#define BG_VERSION (BG_VERSION_MAJOR * 10000 + BG_VERSION_MINOR * 100 + BG_VERSION_PATCH)
#define BG_VERSION_STRING "0.1.0"

/* Marks what the shared library exports; everything else is hidden. */
#if defined(__GNUC__)
#define BG_API __attribute__((visibility("default")))
#else
#define BG_API
#endif

#ifdef __cplusplus
#define BG_BEGIN_DECLS extern "C" {
#define BG_END_DECLS }
#else
#define BG_BEGIN_DECLS
#define BG_END_DECLS
#endif

BG_BEGIN_DECLS

/* A length of time in nanoseconds. */
typedef int64_t bg_duration;

/* A point in time in nanoseconds, on the monotonic clock that bg_now() reads. */
typedef int64_t bg_time;

/* Multipliers: 250 * BG_MS is a quarter of a second. */
#define BG_NS ((bg_duration)1)
#define BG_US ((bg_duration)1000)
#define BG_MS ((bg_duration)1000000)
#define BG_S ((bg_duration)1000000000)
#define BG_MIN ((bg_duration)60000000000)

/* The last representable point in time, and a wait without an end. */
#define BG_TIME_MAX ((bg_time)INT64_MAX)
#define BG_FOREVER ((bg_duration)INT64_MAX)

/* The body of a task: what it returns is what bg_await() gives; negative is a failure. */
typedef int (*bg_fn)(void *arg);

/* A task, and a runtime that runs tasks. Both are only ever seen through pointers. */
typedef struct bg_task bg_task;
typedef struct bg_runtime bg_runtime;

BG_END_DECLS

#endif
