/*
 * Code addresses by llvm-symbolizer or addr2line, data addresses by the program's symbol table.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "symbols.h"
#include "engine.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_wrapper(const char *place)
{
    return strstr(place, "/atomic.h:") != NULL || strstr(place, "/atomic_op") != NULL ||
           strstr(place, "/alloc.h:") != NULL;
}

/* Output of addr2line -a -i -f: 0xADDRESS, then pairs of function and file:line. */
void symbols_of(const void *const *pcs, unsigned n, char (*out)[160])
{
    char list[] = "/tmp/models-XXXXXX", command[256], line[1024], function[1024];
    int fd = mkstemp(list);
    if (fd < 0) {
        return;
    }
    FILE *f = fdopen(fd, "w");
    for (unsigned i = 0; i < n; i++) {
        out[i][0] = '\0';
        fprintf(f, "%#lx\n", (unsigned long)(uintptr_t)pcs[i] - (pcs[i] != NULL));
    }
    (void)fclose(f);
    (void)snprintf(command, sizeof command,
                   "t=$(command -v llvm-symbolizer-19 || command -v llvm-symbolizer); "
                   "if [ -n \"$t\" ]; then $t --output-style=GNU -a -i -f -e /proc/%d/exe <%s; "
                   "else addr2line -a -i -f -e /proc/%d/exe <%s; fi",
                   (int)getpid(), list, (int)getpid(), list);
    FILE *p = popen(command, "r");
    unsigned at = 0;
    bool named = false;
    while (p != NULL && fgets(line, sizeof line, p) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0x", 2) == 0) {
            at++;
            named = false;
            continue;
        }
        (void)snprintf(function, sizeof function, "%s", line);
        if (fgets(line, sizeof line, p) == NULL || at == 0 || at > n || named ||
            pcs[at - 1] == NULL || is_wrapper(line)) {
            continue;
        }
        line[strcspn(line, "\n (")] = '\0';
        const char *place = strstr(line, "/lib/") != NULL ? strstr(line, "/lib/") + 5
                            : strrchr(line, '/') != NULL  ? strrchr(line, '/') + 1
                                                          : line;
        (void)snprintf(out[at - 1], sizeof out[0], "%.80s %.70s", place, function);
        named = true;
    }
    if (p != NULL) {
        (void)pclose(p);
    }
    (void)unlink(list);
}

static const Elf64_Sym *symbols;
static size_t symbol_count;
static const char *symbol_names;

static void read_symbols(void)
{
    struct stat st;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return;
    }
    const char *file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    (void)close(fd);
    if (file == MAP_FAILED) {
        return;
    }
    const Elf64_Ehdr *h = (const void *)file;
    const Elf64_Shdr *s = (const void *)(file + h->e_shoff);
    for (int i = 0; i < h->e_shnum; i++) {
        if (s[i].sh_type == SHT_SYMTAB) {
            symbols = (const void *)(file + s[i].sh_offset);
            symbol_count = s[i].sh_size / sizeof *symbols;
            symbol_names = file + s[s[i].sh_link].sh_offset;
        }
    }
}

void describe_address(uintptr_t a, char *out, size_t size)
{
    enum phase was = phase;
    phase = IDLE;
    if (symbols == NULL) {
        read_symbols();
    }
    phase = was;
    for (size_t i = 0; i < symbol_count; i++) {
        const Elf64_Sym *s = &symbols[i];
        if (ELF64_ST_TYPE(s->st_info) == STT_OBJECT && a >= s->st_value &&
            a < s->st_value + s->st_size) {
            if (a == s->st_value) {
                (void)snprintf(out, size, "%.60s", symbol_names + s->st_name);
            } else {
                (void)snprintf(out, size, "%.60s+%lu", symbol_names + s->st_name,
                               (unsigned long)(a - s->st_value));
            }
            return;
        }
    }
    for (int t = 0; t < T_MAX; t++) {
        size_t n;
        uintptr_t low = (uintptr_t)stack_of(t, &n);
        if (a - low < n) {
            (void)snprintf(out, size, "stack of T%d-%lu", t, (unsigned long)(low + n - a));
            return;
        }
    }
    uintptr_t base = (uintptr_t)stack_of(T_MAX, &(size_t){0});
    (void)snprintf(out, size, a > base ? "heap+%#lx" : "%#lx",
                   (unsigned long)(a > base ? a - base : a));
}
