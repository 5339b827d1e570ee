/*
 * What both floor programs do: packets in, the benchmark filter's answers out, no libmilter.
 *
 * They bound from below what serving these packets costs: no session state, no callbacks, no
 * checks beyond the framing.
 */

#ifndef PACKETS_H
#define PACKETS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "options.h"

/* Bytes. Largest packet that is read: a body chunk of 65535 bytes with its head. */
#define PACKET_MAX (4 + 65536)
/* Bytes. More than any batch of commands in one read is answered with. */
#define ANSWERS_MAX (1 << 16)

static struct options options;
/* Keeps what is computed from bodies alive. */
static volatile unsigned long sink;

struct answers {
	size_t size;
	unsigned char bytes[ANSWERS_MAX];
};

/* What the end of a message is answered with, made once. */
static struct answers eom_answer;

/* The client's HELO name begins with "slow"; for a thread that serves one connection. */
static __thread int slow;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void put(struct answers *a, char letter, const void *payload, size_t size)
{
	uint32_t length = htonl(size + 1);

	if (a->size + 5 + size > sizeof a->bytes)
		abort();
	memcpy(a->bytes + a->size, &length, 4);
	a->bytes[a->size + 4] = letter;
	if (size > 0)
		memcpy(a->bytes + a->size + 5, payload, size);
	a->size += 5 + size;
}

static void prepare_answers(void)
{
	static const char first[] = ADDED_NAME_1 "\0" ADDED_VALUE_1;
	static const char second[] = ADDED_NAME_2 "\0" ADDED_VALUE_2;
	static const char changed[] = "\0\0\0\1" CHANGED_NAME "\0" CHANGED_VALUE;

	put(&eom_answer, 'h', first, sizeof first);
	put(&eom_answer, 'h', second, sizeof second);
	put(&eom_answer, 'm', changed, sizeof changed);
	put(&eom_answer, 'c', NULL, 0);
}

static void put_negotiation(struct answers *a)
{
	/* No reply to any command but the end of a message; unknown commands are not wanted. */
	uint32_t steps = options.no_reply ? 0xdf180 : 0x100;
	uint32_t words[3] = {htonl(6), htonl(0x11), htonl(steps)};

	put(a, 'O', words, sizeof words);
}

/* Adds the answer to one packet; 0 when the session ends. */
static int answer(struct answers *a, char letter, const unsigned char *payload, size_t size)
{
	switch (letter) {
	case 'O':
		put_negotiation(a);
		return 1;
	case 'E':
		block_for(slow ? options.slow_ms : options.eom_ms);
		if (a->size + eom_answer.size > sizeof a->bytes)
			abort();
		memcpy(a->bytes + a->size, eom_answer.bytes, eom_answer.size);
		a->size += eom_answer.size;
		return 1;
	case 'H':
		slow = size >= 4 && memcmp(payload, "slow", 4) == 0;
		break;
	case 'B':
		sink += read_bytes(payload, size);
		break;
	case 'D':
	case 'A':
		return 1;
	case 'Q':
		return 0;
	}
	if (!options.no_reply)
		put(a, 'c', NULL, 0);
	return 1;
}

/* Answers the complete packets of a buffer; how many bytes they have, or -1 at the end. */
static ssize_t answer_all(struct answers *a, const unsigned char *bytes, size_t size)
{
	size_t at = 0;

	while (size - at >= 5) {
		uint32_t length;

		memcpy(&length, bytes + at, 4);
		length = ntohl(length);
		if (length < 1 || length > PACKET_MAX - 4)
			return -1;
		if (size - at < 4 + (size_t)length)
			break;
		if (!answer(a, bytes[at + 4], bytes + at + 5, length - 1))
			return -1;
		at += 4 + (size_t)length;
	}
	return (ssize_t)at;
}

/* Sends everything; 0 when the peer is gone. */
static int send_answers(int fd, struct answers *a)
{
	size_t at = 0;

	while (at < a->size) {
		ssize_t n = send(fd, a->bytes + at, a->size - at, MSG_NOSIGNAL);

		if (n < 0)
			return 0;
		at += (size_t)n;
	}
	a->size = 0;
	return 1;
}

static int listen_on_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof address.sun_path)
		die(path);
	strcpy(address.sun_path, path);
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
		die(path);
	return fd;
}

static int listen_on_port(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
	    /* Accepted sockets inherit it. */
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
		die("inet socket");
	return fd;
}

static int open_listener(const char *conn)
{
	int fd;

	if (strncmp(conn, "unix:", 5) == 0)
		fd = listen_on_unix(conn + 5);
	else if (strncmp(conn, "inet:", 5) == 0)
		fd = listen_on_port(atoi(conn + 5));
	else
		usage("floor");
	if (listen(fd, 4096) != 0)
		die("listen");
	return fd;
}

static int begin(int argc, char **argv)
{
	options = parse_options(argc, argv);
	prepare_answers();
	return open_listener(options.conn);
}

#endif
