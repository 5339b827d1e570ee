/*
 * Where the code of libmilter is in this process: for headers that let calls
 * from the library fail, and no others.
 */
#ifndef LIBRARY_CODE_H
#define LIBRARY_CODE_H

#include <link.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* 0 until find_library has found it. */
static uintptr_t library_begin, library_end;

static int look(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size, (void)unused;
	if (strstr(info->dlpi_name, "libmilter.so") == NULL)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && (part->p_flags & PF_X)) {
			library_begin = info->dlpi_addr + part->p_vaddr;
			library_end = library_begin + part->p_memsz;
		}
	}
	return 1;
}

static void find_library(void)
{
	dl_iterate_phdr(look, NULL);
}

static int is_in_library(const void *code)
{
	return (uintptr_t)code >= library_begin && (uintptr_t)code < library_end;
}

#endif
