/* A process made as one from a login, whatever it was started from: see c-tests/src/start.rs. */
#ifndef AFRESH_H
#define AFRESH_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* At least; the usual number, and what the library is made for. */
#define DESCRIPTORS 1024

static void raise_limit(int which, rlim_t least)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) != 0 || limit.rlim_cur >= least)
		return;
	limit.rlim_cur = limit.rlim_max < least ? limit.rlim_max : least;
	(void)setrlimit(which, &limit);
}

static void begin_afresh(void)
{
	/* Whatever its layout, a sigaction of zeros says SIG_DFL. */
	static const char by_default[64];
	struct rlimit no_core = { 0, 0 };
	sigset_t none;
	int n;

	/* Also the two that the C library keeps for itself, and lets nobody else touch. */
	for (n = 1; n <= SIGRTMAX; n++)
		(void)syscall(SYS_rt_sigaction, n, by_default, NULL, (SIGRTMAX + 1) / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	raise_limit(RLIMIT_NOFILE, DESCRIPTORS);
	raise_limit(RLIMIT_NPROC, RLIM_INFINITY);
	raise_limit(RLIMIT_FSIZE, RLIM_INFINITY);
	raise_limit(RLIMIT_CPU, RLIM_INFINITY);
	raise_limit(RLIMIT_AS, RLIM_INFINITY);
	raise_limit(RLIMIT_DATA, RLIM_INFINITY);
	/* Programs that are made to crash leave nothing behind. */
	if (getrlimit(RLIMIT_CORE, &no_core) == 0) {
		no_core.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &no_core);
	}
	/* Those from the test itself are the first three. */
	for (n = 3; n < DESCRIPTORS; n++)
		close(n);
}

#endif
