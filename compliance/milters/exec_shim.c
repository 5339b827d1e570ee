/* Preloaded: the program named by EXEC_FROM is found at EXEC_TO, as if it were installed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static const char *place(const char *program)
{
	const char *from = getenv("EXEC_FROM"), *to = getenv("EXEC_TO");

	return from != NULL && to != NULL && strcmp(program, from) == 0 ? to : program;
}

int execv(const char *program, char *const argv[])
{
	int (*next)(const char *, char *const[]) = (int (*)(const char *, char *const[]))dlsym(RTLD_NEXT, "execv");

	return next(place(program), argv);
}

int execvp(const char *program, char *const argv[])
{
	int (*next)(const char *, char *const[]) = (int (*)(const char *, char *const[]))dlsym(RTLD_NEXT, "execvp");

	return next(place(program), argv);
}
