/*
 * Sessions of the programs that wait for many connections at once.
 */

#ifndef SESSIONS_H
#define SESSIONS_H

/* accept4 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "packets.h"

/* A connection; the bytes are those of a packet that has not arrived in full. */
struct session {
	int fd;
	size_t have;
	unsigned char *bytes;
};

static void end(struct session *s)
{
	close(s->fd);
	free(s->bytes);
	free(s);
}

/* A session for a connection that has come in; NULL if another thread was faster. */
static struct session *accept_session(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct session *s;

	if (fd < 0)
		return NULL;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		die("calloc");
	s->fd = fd;
	return s;
}

/* Keeps what is left of a packet until the rest is there. */
static void keep(struct session *s, const unsigned char *rest, size_t size)
{
	unsigned char *kept = size > 0 ? malloc(size) : NULL;

	if (size > 0 && kept == NULL)
		die("malloc");
	if (size > 0)
		memcpy(kept, rest, size);
	free(s->bytes);
	s->bytes = kept;
	s->have = size;
}

/* Reads and answers what is there; 0 when the session has ended. */
static int serve(struct session *s, unsigned char *bytes, size_t room, struct answers *answers)
{
	ssize_t n, done;
	size_t have = s->have;

	if (have > 0)
		memcpy(bytes, s->bytes, have);
	n = recv(s->fd, bytes + have, room - have, 0);
	if (n <= 0) {
		end(s);
		return 0;
	}
	have += (size_t)n;
	done = answer_all(answers, bytes, have);
	if (!send_answers(s->fd, answers) || done < 0) {
		answers->size = 0;
		end(s);
		return 0;
	}
	if (s->have > 0 || (size_t)done < have)
		keep(s, bytes + done, have - (size_t)done);
	return 1;
}

/* What a thread needs to serve sessions. */
struct scratch {
	unsigned char bytes[2 * PACKET_MAX];
	struct answers answers;
};

static struct scratch *new_scratch(void)
{
	struct scratch *scratch = malloc(sizeof *scratch);

	if (scratch == NULL)
		die("malloc");
	scratch->answers.size = 0;
	return scratch;
}

#endif
