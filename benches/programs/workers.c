/*
 * Two designs that were compared with loops that each thread has for itself (epoll.c): as many
 * workers as cores on one epoll instance, where an event disarms its connection until it was served.
 *
 *   by default       the workers take turns in waiting; each serves what it got
 *   with -DHAND_OFF  one thread waits, and hands each event to a worker through a queue
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>

#include "sessions.h"

#define EVENTS 128

static int listener;
static int poller;

static void watch(int operation, int fd, void *session)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = session};

	if (epoll_ctl(poller, operation, fd, &event) != 0)
		die("epoll_ctl");
}

/* Deals with one event; the listener's is NULL. */
static void handle(struct session *s, struct scratch *scratch)
{
	struct session *new;

	if (s == NULL) {
		while ((new = accept_session(listener)) != NULL)
			watch(EPOLL_CTL_ADD, new->fd, new);
		watch(EPOLL_CTL_MOD, listener, NULL);
	} else if (serve(s, scratch->bytes, sizeof scratch->bytes, &scratch->answers)) {
		watch(EPOLL_CTL_MOD, s->fd, s);
	}
}

#ifdef HAND_OFF

/* Each connection is in here once at most. */
#define QUEUE_SIZE 65536
static struct session *queue[QUEUE_SIZE];
static unsigned head, tail;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;

static void *work(void *argument)
{
	struct scratch *scratch = new_scratch();

	(void)argument;
	for (;;) {
		struct session *s;

		pthread_mutex_lock(&lock);
		while (head == tail)
			pthread_cond_wait(&filled, &lock);
		s = queue[head++ % QUEUE_SIZE];
		pthread_mutex_unlock(&lock);
		handle(s, scratch);
	}
	return NULL;
}

static void wait_for_events(void)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(poller, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			pthread_mutex_lock(&lock);
			queue[tail++ % QUEUE_SIZE] = events[i].data.ptr;
			pthread_mutex_unlock(&lock);
			pthread_cond_signal(&filled);
		}
	}
}

#else

static void *work(void *argument)
{
	struct scratch *scratch = new_scratch();
	struct epoll_event event;

	(void)argument;
	for (;;)
		if (epoll_wait(poller, &event, 1, -1) == 1)
			handle(event.data.ptr, scratch);
	return NULL;
}

static void wait_for_events(void)
{
	for (;;)
		pause();
}

#endif

int main(int argc, char **argv)
{
	pthread_t thread;
	long workers = sysconf(_SC_NPROCESSORS_ONLN);

	listener = begin(argc, argv);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0 || fcntl(listener, F_SETFL, O_NONBLOCK) != 0)
		die("epoll");
	watch(EPOLL_CTL_ADD, listener, NULL);
	for (long i = 0; i < workers; i++)
		if (pthread_create(&thread, NULL, work, NULL) != 0)
			die("pthread_create");
	wait_for_events();
	return 0;
}
