/*
 * For runtime.c, an allocator that fails when the test says so: for calls from
 * the library only, so that the filter and the C library do not fail by
 * themselves.
 *
 * STARVED names a file with three numbers of the machine's own form, which
 * the test reads and writes: calls seen, the first one that fails, the first
 * one after it that does not.
 */
#ifndef STARVED_H
#define STARVED_H

#include "library_code.h"
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static struct plan {
	atomic_long seen, from, until;
} *plan;

__attribute__((constructor)) static void prepare(void)
{
	const char *path = getenv("STARVED");
	int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *place;

	if (file == -1)
		return;
	place = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	if (place == MAP_FAILED)
		return;
	find_library();
	plan = place;
}

/* Whether a call from there fails. */
static int fails(const void *from)
{
	long number;

	if (plan == NULL || !is_in_library(from))
		return 0;
	number = atomic_fetch_add(&plan->seen, 1) + 1;
	if (number < atomic_load(&plan->from) || number >= atomic_load(&plan->until))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

int posix_memalign(void **place, size_t alignment, size_t size)
{
	void *block = fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);

	if (block == NULL)
		return ENOMEM;
	*place = block;
	return 0;
}

#endif
