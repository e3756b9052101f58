/*
 * Places in the program's code, for reports.
 */
#ifndef BGI_SYMBOL_H
#define BGI_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Writes where an address lies, of what is known by far: "bg_await (program+0x5021)" for a function
 * the dynamic linker has a name for, "program+0x5021", or "0x555555559021". The part after the
 * program's name is the same in every run, and what addr2line wants. From any thread; allocates
 * nothing.
 */
void bgi_symbol_describe(uintptr_t address, char *text, size_t size);

#endif
