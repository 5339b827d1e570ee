/* What probe.c needs to write its trace. */
#ifndef PROBE_H
#define PROBE_H

#define _GNU_SOURCE /* strsep */
#include <arpa/inet.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int trace_fd = -1;

static int open_trace(const char *path)
{
	trace_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	return trace_fd;
}

/* One line, in one write: several threads trace at the same time. */
static void trace(int session, const char *format, ...)
{
	char line[16384];
	va_list args;
	int n = snprintf(line, sizeof line, "%d ", session);

	va_start(args, format);
	n += vsnprintf(line + n, sizeof line - (size_t)n - 1, format, args);
	va_end(args);
	if (n > (int)sizeof line - 2)
		n = (int)sizeof line - 2;
	line[n++] = '\n';
	if (write(trace_fd, line, (size_t)n) != n)
		_exit(4);
}

static int session_of(SMFICTX *ctx)
{
	int *number = smfi_getpriv(ctx);

	return number == NULL ? 0 : *number;
}

/* Appends in quotes: printable ASCII as it is, the rest as \xx. */
static void quote(char *to, size_t size, const char *text, size_t n)
{
	size_t used = strlen(to), i;

	for (i = 0; i < n && used + 8 < size; i++) {
		unsigned char c = (unsigned char)text[i];
		int plain = c >= ' ' && c < 127 && c != '\\';

		used += (size_t)snprintf(to + used, size - used, plain ? "%c" : "\\%02x", c);
	}
}

/* Every macro that sendmail or Postfix send by default, as far as it is known now. */
static void put_macros(SMFICTX *ctx, char *to, size_t size)
{
	static const char *const names[] = {
	    "j", "_", "i", "v", "{daemon_name}", "{daemon_addr}", "{if_name}", "{if_addr}",
	    "{client_addr}", "{client_name}", "{tls_version}", "{cipher}", "{auth_type}",
	    "{auth_authen}", "{mail_mailer}", "{mail_host}", "{mail_addr}", "{rcpt_mailer}",
	    "{rcpt_host}", "{rcpt_addr}", "{msg_id}", "{nrcpts}",
	};
	size_t i;

	strncat(to, " {", size - strlen(to) - 1);
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		char *value = smfi_getsymval(ctx, (char *)names[i]);
		size_t used = strlen(to);

		if (value != NULL)
			snprintf(to + used, size - used, " %s=%s", names[i], value);
	}
	strncat(to, " }", size - strlen(to) - 1);
}

static void trace_strings(SMFICTX *ctx, const char *stage, const char *a, const char *b)
{
	char line[12000] = "";

	if (a != NULL)
		quote(line, sizeof line - 8, a, strlen(a));
	if (b != NULL) {
		strcat(line, ": ");
		quote(line, sizeof line, b, strlen(b));
	}
	put_macros(ctx, line, sizeof line);
	trace(session_of(ctx), "%s %s", stage, line);
}

static void trace_list(SMFICTX *ctx, const char *stage, char **argv)
{
	char line[12000] = "";

	for (; *argv != NULL; argv++) {
		quote(line, sizeof line - 8, *argv, strlen(*argv));
		if (argv[1] != NULL)
			strcat(line, " ");
	}
	put_macros(ctx, line, sizeof line);
	trace(session_of(ctx), "%s %s", stage, line);
}

static void trace_connect(SMFICTX *ctx, const char *host, _SOCK_ADDR *address)
{
	char text[INET6_ADDRSTRLEN] = "no address", line[4096] = "";
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;

	/* The port is another each time: only whether there is one. */
	if (address != NULL && address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
		strcat(line, v4->sin_port != 0 ? " with port" : " without port");
	} else if (address != NULL && address->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
		strcat(line, v6->sin6_port != 0 ? " with port" : " without port");
	}
	put_macros(ctx, line, sizeof line);
	trace(session_of(ctx), "connect %s %s%s", host, text, line);
}

/* Long bodies by their beginning, length and hash (FNV-1a). */
static void trace_body(SMFICTX *ctx, const unsigned char *text, size_t size)
{
	char line[4096] = "";
	uint32_t hash = 2166136261u;
	size_t i;

	for (i = 0; i < size; i++)
		hash = (hash ^ text[i]) * 16777619u;
	quote(line, sizeof line, (const char *)text, size < 60 ? size : 60);
	trace(session_of(ctx), "body %zu bytes, hash %08x: %s", size, hash, line);
}

/* In place: \n, \r and \t of the command line. */
static char *unescape(char *text)
{
	char *from = text, *to = text;

	for (; *from != '\0'; from++) {
		if (*from == '\\' && from[1] != '\0') {
			from++;
			*to++ = *from == 'n' ? '\n' : *from == 'r' ? '\r' : *from == 't' ? '\t' : *from;
		} else
			*to++ = *from;
	}
	*to = '\0';
	return text;
}

static int replace_body(SMFICTX *ctx, const char *text, int times)
{
	size_t size = strlen(text) * (size_t)times, n = strlen(text), at;
	unsigned char *body = malloc(size + 1);
	int result;

	if (body == NULL)
		return MI_FAILURE;
	for (at = 0; at < size; at += n)
		memcpy(body + at, text, n);
	result = smfi_replacebody(ctx, body, (int)size);
	free(body);
	return result;
}

#endif
