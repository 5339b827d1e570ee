/* Preloaded in front of libc: syslog lines go to a file or a descriptor, so that tests can read them.
 *
 * Each line is "<priority name> <text>\n", written with one call so that lines of several threads
 * stay whole. SYSLOG_SHIM_FD names an open descriptor, SYSLOG_SHIM_FILE a file; else stderr.
 *
 * With SYSLOG_SHIM_START a program starts as from a login, whatever its tests were started from: see
 * c-tests/src/start.rs. Programs that it starts itself inherit what it has made of that. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "afresh.h"

/* Bytes; no test logs a thousandth of this. */
#define MAX_FILE (64 * 1024 * 1024)

static const char *const names[8] = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};

__attribute__((constructor)) static void start_afresh(void)
{
	if (getenv("SYSLOG_SHIM_START") == NULL)
		return;
	unsetenv("SYSLOG_SHIM_START");
	begin_afresh();
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

/* In the same file of musl as syslog, which must not be linked in beside this. */
int setlogmask(int mask)
{
	static int current = 0xff;
	int before = current;

	if (mask != 0)
		current = mask;
	return before;
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
