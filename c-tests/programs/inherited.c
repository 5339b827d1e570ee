/* Prints what it was started with, and with arguments starts a program with more than is good for it:
 *
 *   inherited                        signals, limits, descriptors, umask and variables, one a line
 *   inherited hostile PROGRAM ARG... runs the program as from a hostile place */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void limit_softly(int which, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) == 0) {
		limit.rlim_cur = value;
		(void)setrlimit(which, &limit);
	}
}

static int be_hostile(char **command)
{
	sigset_t all;
	int n;

	for (n = 1; n <= SIGRTMAX; n++)
		if (n != SIGCHLD)
			(void)signal(n, SIG_IGN);
	umask(077);
	limit_softly(RLIMIT_NOFILE, 100);
	limit_softly(RLIMIT_NPROC, 4000);
	limit_softly(RLIMIT_FSIZE, 32 * 1024 * 1024);
	limit_softly(RLIMIT_CPU, 600);
	limit_softly(RLIMIT_CORE, 1024 * 1024);
	for (n = 3; n < 20; n++)
		if (dup2(2, n) < 0)
			return 1;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	execv(command[0], command);
	perror(command[0]);
	return 1;
}

static void print_limit(const char *name, int which, rlim_t usual)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) == 0)
		printf("%s: %s\n", name, limit.rlim_cur < usual && limit.rlim_cur < limit.rlim_max ? "low" : "usual");
}

int main(int argc, char **argv)
{
	struct rlimit core;
	mode_t mask;
	char line[256];
	FILE *status;
	int n;

	if (argc > 2 && strcmp(argv[1], "hostile") == 0)
		return be_hostile(argv + 2);
	status = fopen("/proc/self/status", "re");
	while (status != NULL && fgets(line, sizeof line, status) != NULL)
		if (strncmp(line, "SigBlk:", 7) == 0 || strncmp(line, "SigIgn:", 7) == 0)
			fputs(line, stdout);
	if (status != NULL)
		fclose(status);
	mask = umask(0);
	printf("umask: %03o\n", (unsigned)mask);
	print_limit("descriptors", RLIMIT_NOFILE, 1024);
	print_limit("processes", RLIMIT_NPROC, RLIM_INFINITY);
	print_limit("file size", RLIMIT_FSIZE, RLIM_INFINITY);
	print_limit("processor time", RLIMIT_CPU, RLIM_INFINITY);
	if (getrlimit(RLIMIT_CORE, &core) == 0)
		printf("core: %s\n", core.rlim_cur == 0 ? "none" : "some");
	for (n = 0; n < 1024; n++)
		if (fcntl(n, F_GETFD) >= 0)
			printf("descriptor %d\n", n);
	for (n = 0; environ[n] != NULL; n++)
		puts(environ[n]);
	return 0;
}
