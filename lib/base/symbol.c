#include "base/symbol.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>

void bgi_symbol_describe(uintptr_t address, char *text, size_t size)
{
    Dl_info info;

    if (dladdr((void *)address, &info) == 0 || info.dli_fname == NULL) {
        (void)snprintf(text, size, "0x%" PRIxPTR, address);
    } else if (info.dli_sname == NULL) {
        (void)snprintf(text, size, "%.100s+0x%" PRIxPTR, info.dli_fname,
                       address - (uintptr_t)info.dli_fbase);
    } else {
        (void)snprintf(text, size, "%.80s (%.100s+0x%" PRIxPTR ")", info.dli_sname, info.dli_fname,
                       address - (uintptr_t)info.dli_fbase);
    }
}
