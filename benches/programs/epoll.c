/*
 * Floor: one thread for each core with an epoll instance of its own; the thread that waited also
 * reads and answers. Connections go to the threads in turn.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "packets.h"

#define LOOPS_MAX 64
#define EVENTS 128

/* A connection; the bytes are those of a packet that has not arrived in full. */
struct session {
	int fd;
	size_t have;
	unsigned char *bytes;
};

static int listener;
static int loops;
static int pollers[LOOPS_MAX];
static atomic_uint next_loop;

static void end(struct session *s)
{
	close(s->fd);
	free(s->bytes);
	free(s);
}

static void accept_one(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	struct session *s;

	/* Another thread may have been faster. */
	if (fd < 0)
		return;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		die("calloc");
	s->fd = fd;
	event.data.ptr = s;
	if (epoll_ctl(pollers[next_loop++ % loops], EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
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

static void serve(struct session *s, unsigned char *bytes, size_t room, struct answers *answers)
{
	ssize_t n, done;
	size_t have = s->have;

	if (have > 0)
		memcpy(bytes, s->bytes, have);
	n = recv(s->fd, bytes + have, room - have, 0);
	if (n <= 0) {
		end(s);
		return;
	}
	have += (size_t)n;
	done = answer_all(answers, bytes, have);
	if (!send_answers(s->fd, answers) || done < 0) {
		answers->size = 0;
		end(s);
		return;
	}
	if (s->have > 0 || (size_t)done < have)
		keep(s, bytes + done, have - (size_t)done);
}

static void *run(void *argument)
{
	int poller = pollers[(intptr_t)argument];
	static const size_t room = 2 * PACKET_MAX;
	unsigned char *bytes = malloc(room);
	struct answers *answers = malloc(sizeof *answers);
	struct epoll_event events[EVENTS];

	if (bytes == NULL || answers == NULL)
		die("malloc");
	answers->size = 0;
	for (;;) {
		int n = epoll_wait(poller, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_one();
			else
				serve(events[i].data.ptr, bytes, room, answers);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = NULL};
	pthread_t thread;

	listener = begin(argc, argv);
	if (fcntl(listener, F_SETFL, O_NONBLOCK) != 0)
		die("fcntl");
	loops = (int)sysconf(_SC_NPROCESSORS_ONLN);
	if (loops > LOOPS_MAX)
		loops = LOOPS_MAX;
	for (int i = 0; i < loops; i++) {
		pollers[i] = epoll_create1(EPOLL_CLOEXEC);
		if (pollers[i] < 0 || epoll_ctl(pollers[i], EPOLL_CTL_ADD, listener, &event) != 0)
			die("epoll");
	}
	for (int i = 1; i < loops; i++)
		if (pthread_create(&thread, NULL, run, (void *)(intptr_t)i) != 0)
			die("pthread_create");
	run((void *)0);
	return 0;
}
