/* Events for the test, a line each. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* Where events go: a copy of stdout with a high number, so that 0 to 2 can be closed. */
static int events = -1;

/* Writes one event, a line, with one write. */
static void emit(const char *format, ...)
{
	char line[2048];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n++] = '\n';
	if (write(events, line, (size_t)n) != n)
		_exit(98);
}

#endif
