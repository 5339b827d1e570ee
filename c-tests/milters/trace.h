/* Shared by the parts of trace.c: the control channel, tokens, and what one callback does. */
#ifndef TRACE_H
#define TRACE_H

#include <libmilter/mfapi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_SCRIPT 262144
#define MAX_LINE 8192
#define MAX_TOKENS 48
/* Longer strings are traced by their beginning, length and hash. */
#define MAX_SHOWN 160
#define BEGINNING 48

/* The control channel: a seqpacket socket, one script or one trace line per message. */
static int control = 0;
static char script[MAX_SCRIPT];

/* A trace line under construction. */
struct line {
	char text[MAX_LINE];
	size_t used;
};

static void put(struct line *l, const char *s)
{
	size_t n = strlen(s);

	if (n > sizeof l->text - l->used - 1)
		n = sizeof l->text - l->used - 1;
	memcpy(l->text + l->used, s, n);
	l->used += n;
	l->text[l->used] = '\0';
}

static void put_number(struct line *l, const char *format, long value)
{
	char number[64];

	snprintf(number, sizeof number, format, value);
	put(l, number);
}

/* Appends bytes in quotes: printable ASCII as it is, the rest as \xx. */
static void put_bytes(struct line *l, const void *data, size_t n)
{
	const unsigned char *p = data;
	size_t shown = n > MAX_SHOWN ? BEGINNING : n, i;
	uint32_t hash = 2166136261u;
	char one[8];

	put(l, "\"");
	for (i = 0; i < shown; i++) {
		int plain = p[i] >= ' ' && p[i] < 127 && p[i] != '"' && p[i] != '\\';

		snprintf(one, sizeof one, plain ? "%c" : "\\%02x", p[i]);
		put(l, one);
	}
	put(l, "\"");
	if (shown == n)
		return;
	for (i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 16777619u;
	put_number(l, "..[%ld bytes,", (long)n);
	put_number(l, " fnv %08lx]", (long)hash);
}

static void put_string(struct line *l, const char *s)
{
	if (s == NULL)
		put(l, "NULL");
	else
		put_bytes(l, s, strlen(s));
}

static void emit(const struct line *l)
{
	if (send(control, l->text, l->used, MSG_NOSIGNAL) < 0)
		_exit(99); /* the runner is gone */
}

/* One argument of a scripted call. */
struct token {
	char *s; /* NULL for NULL */
	size_t n;
	long i;
};

/* Decodes N, i<number>, s<percent-escaped> or r<count>:<percent-escaped>; strings are allocated. */
static struct token decode(const char *t)
{
	struct token out = {NULL, 0, 0};
	size_t count = 1, i, n = 0;

	if (*t == 'N')
		return out;
	if (*t == 'i') {
		out.i = (long)strtoull(t + 1, NULL, 0);
		return out;
	}
	if (*t == 'r') {
		char *end;

		count = strtoul(t + 1, &end, 10);
		t = end;
	}
	t++;
	out.s = malloc(strlen(t) * (count ? count : 1) + 1);
	while (*t != '\0') {
		if (*t == '%') {
			char hex[3] = {t[1], t[2], 0};

			out.s[n++] = (char)strtol(hex, NULL, 16);
			t += 3;
		} else
			out.s[n++] = *t++;
	}
	for (i = 1; i < count; i++)
		memcpy(out.s + i * n, out.s, n);
	out.n = n * count;
	out.s[out.n] = '\0';
	return out;
}

#endif
