/*
 * Preloaded before a libmilter: adds headers with one byte of the value changed. Stands for a fault in
 * the library, which the tests must find.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <string.h>

int smfi_addheader(void *ctx, char *name, char *value)
{
	char wrong[256];
	int (*real)(void *, char *, char *);

	*(void **)&real = dlsym(RTLD_NEXT, "smfi_addheader");
	strncpy(wrong, value, sizeof wrong - 1);
	wrong[sizeof wrong - 1] = '\0';
	wrong[0] ^= 1;
	return real(ctx, name, wrong);
}
