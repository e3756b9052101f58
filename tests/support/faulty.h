/*
 * What the names in faults.map stand for; faults.c defines them.
 *
 * A test whose own calls are to be counted and refused too, those of the inline functions of
 * base/alloc.h among them, defines BGI_FAULTY_NAMES and includes this before anything else.
 */
#ifndef TESTS_SUPPORT_FAULTY_H
#define TESTS_SUPPORT_FAULTY_H

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>

void *bgi_faulty_malloc(size_t size);
void *bgi_faulty_calloc(size_t n, size_t size);
int bgi_faulty_posix_memalign(void **out, size_t alignment, size_t size);
void bgi_faulty_free(void *p);
void *bgi_faulty_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset);
int bgi_faulty_munmap(void *p, size_t size);
int bgi_faulty_madvise(void *p, size_t size, int advice);
int bgi_faulty_mprotect(void *p, size_t size, int prot);
int bgi_faulty_pthread_create(pthread_t *out, const pthread_attr_t *attr, void *(*fn)(void *),
                              void *arg);
long bgi_faulty_syscall(long number, ...);
int bgi_faulty_sigaltstack(const stack_t *new, stack_t *old);
int bgi_faulty_sigaction(int sig, const struct sigaction *new, struct sigaction *old);
int bgi_faulty_open(const char *path, int flags, ...);
FILE *bgi_faulty_fopen(const char *path, const char *mode);

#ifdef BGI_FAULTY_NAMES
#define malloc bgi_faulty_malloc
#define calloc bgi_faulty_calloc
#define posix_memalign bgi_faulty_posix_memalign
#define free bgi_faulty_free
#define mmap bgi_faulty_mmap
#define munmap bgi_faulty_munmap
#define madvise bgi_faulty_madvise
#define mprotect bgi_faulty_mprotect
#define pthread_create bgi_faulty_pthread_create
#endif

#endif
