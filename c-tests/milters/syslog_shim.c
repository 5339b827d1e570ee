/* Preloaded in front of libc: syslog lines go to a file or a descriptor, so that tests can read them.
 *
 * Each line is "<priority name> <text>\n", written with one call so that lines of several threads
 * stay whole. SYSLOG_SHIM_FD names an open descriptor, SYSLOG_SHIM_FILE a file; else stderr.
 *
 * With SYSLOG_SHIM_START a program starts as from a login, whatever its tests were started from: see
 * c-tests/src/start.rs. Programs that it starts itself inherit what it has made of that. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bytes; no test logs a thousandth of this. */
#define MAX_FILE (64 * 1024 * 1024)

static const char *const names[8] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

/* As least; the usual one, and what the library is made for. */
#define DESCRIPTORS 1024

static void raise_limit(int which, rlim_t least)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) != 0 || limit.rlim_cur >= least)
		return;
	limit.rlim_cur = limit.rlim_max < least ? limit.rlim_max : least;
	(void)setrlimit(which, &limit);
}

__attribute__((constructor)) static void start_afresh(void)
{
	/* Whatever its layout, a sigaction of zeros says SIG_DFL. */
	static const char by_default[64];
	sigset_t none;
	int n;

	if (getenv("SYSLOG_SHIM_START") == NULL)
		return;
	unsetenv("SYSLOG_SHIM_START");
	/* Also the two that the C library keeps for itself, and lets nobody else touch. */
	for (n = 1; n <= SIGRTMAX; n++)
		(void)syscall(SYS_rt_sigaction, n, by_default, NULL, (SIGRTMAX + 1) / 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	raise_limit(RLIMIT_NOFILE, DESCRIPTORS);
	raise_limit(RLIMIT_NPROC, RLIM_INFINITY);
	raise_limit(RLIMIT_FSIZE, RLIM_INFINITY);
	/* Those from the test itself are the first three. */
	for (n = 3; n < DESCRIPTORS; n++)
		close(n);
}

static void emit(int priority, const char *format, va_list args)
{
	char line[8192];
	int saved = errno;
	int used = snprintf(line, sizeof line, "%s ", names[priority & 7]);
	const char *where = getenv("SYSLOG_SHIM_FD");

	/* syslog's %m is glibc's printf %m: it reads errno, which snprintf above may have changed. */
	errno = saved;
	used += vsnprintf(line + used, sizeof line - (size_t)used, format, args);
	if (used > (int)sizeof line - 2)
		used = (int)sizeof line - 2;
	if (where != NULL) {
		char message[8200];
		int n = snprintf(message, sizeof message, "log %.*s", used, line);
		(void)!send(atoi(where), message, (size_t)n, MSG_NOSIGNAL);
	} else {
		const char *path = getenv("SYSLOG_SHIM_FILE");
		int fd = path == NULL ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

		line[used++] = '\n';
		/* A library that logs in a loop must not fill the disk. */
		if (fd >= 0 && lseek(fd, 0, SEEK_END) > MAX_FILE)
			_exit(97);
		(void)!write(fd >= 0 ? fd : STDERR_FILENO, line, (size_t)used);
		if (fd >= 0)
			close(fd);
	}
	errno = saved;
}

void vsyslog(int priority, const char *format, va_list args)
{
	emit(priority, format, args);
}

void syslog(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(priority, format, args);
	va_end(args);
}

void __vsyslog_chk(int priority, int flag, const char *format, va_list args)
{
	(void)flag;
	emit(priority, format, args);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	emit(priority, format, args);
	va_end(args);
}
