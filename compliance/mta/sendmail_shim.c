/*
 * Preloaded into sendmail: its log goes to the file LOG_FILE, as no log daemon runs, and the host's
 * name is a qualified one, without which sendmail waits a minute before it starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int gethostname(char *name, size_t size)
{
	snprintf(name, size, "mx.test.example");
	return 0;
}

static void put(const char *format, va_list args)
{
	char line[8192];
	int saved = errno, fd, n;

	n = snprintf(line, sizeof line, "sendmail[%d]: ", (int)getpid());
	errno = saved; /* for %m */
	n += vsnprintf(line + n, sizeof line - 1 - (size_t)n, format, args);
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n++] = '\n';
	fd = open(LOG_FILE, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd >= 0) {
		/* One write for each line: several processes log at the same time. */
		(void)!write(fd, line, (size_t)n);
		close(fd);
	}
	errno = saved;
}

void openlog(const char *ident, int options, int facility)
{
	(void)ident, (void)options, (void)facility;
}

void closelog(void) {}

void vsyslog(int priority, const char *format, va_list args)
{
	(void)priority;
	put(format, args);
}

void syslog(int priority, const char *format, ...)
{
	va_list args;

	(void)priority;
	va_start(args, format);
	put(format, args);
	va_end(args);
}

/* What the two above are when the caller is compiled with _FORTIFY_SOURCE. */
void __vsyslog_chk(int priority, int flag, const char *format, va_list args)
{
	(void)priority, (void)flag;
	put(format, args);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)priority, (void)flag;
	va_start(args, format);
	put(format, args);
	va_end(args);
}
