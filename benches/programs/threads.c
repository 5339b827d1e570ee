/*
 * Floor: a thread for each connection, which blocks in recv, answers with one send, and so on.
 */

#define _GNU_SOURCE
#include <pthread.h>

#include "packets.h"

static void *serve(void *argument)
{
	int fd = (int)(intptr_t)argument;
	static const size_t room = 2 * PACKET_MAX;
	unsigned char *bytes = malloc(room);
	struct answers *answers = malloc(sizeof *answers);
	size_t have = 0;

	if (bytes == NULL || answers == NULL)
		die("malloc");
	answers->size = 0;
	for (;;) {
		ssize_t n = recv(fd, bytes + have, room - have, 0);
		ssize_t done;

		if (n <= 0)
			break;
		have += (size_t)n;
		done = answer_all(answers, bytes, have);
		if (!send_answers(fd, answers) || done < 0)
			break;
		have -= (size_t)done;
		if (have > 0)
			memmove(bytes, bytes + done, have);
	}
	close(fd);
	free(bytes);
	free(answers);
	return NULL;
}

int main(int argc, char **argv)
{
	int listener = begin(argc, argv);
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		pthread_t thread;

		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			die("accept");
		}
		if (pthread_create(&thread, &attributes, serve, (void *)(intptr_t)fd) != 0)
			die("pthread_create");
	}
}
