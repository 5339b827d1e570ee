/*
 * Floor: one thread for each core with an epoll instance of its own; the thread that waited also
 * reads and answers. Connections go to the threads in turn.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>

#include "sessions.h"

#define LOOPS_MAX 64
#define EVENTS 128

static int listener;
static int loops;
static int pollers[LOOPS_MAX];
static atomic_uint next_loop;

static void accept_one(void)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = accept_session(listener)};
	struct session *s = event.data.ptr;

	if (s != NULL && epoll_ctl(pollers[next_loop++ % loops], EPOLL_CTL_ADD, s->fd, &event) != 0)
		die("epoll_ctl");
}

static void *run(void *argument)
{
	int poller = pollers[(intptr_t)argument];
	struct scratch *scratch = new_scratch();
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(poller, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL)
				accept_one();
			else
				serve(events[i].data.ptr, scratch->bytes, sizeof scratch->bytes,
				      &scratch->answers);
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
