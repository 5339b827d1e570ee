/* Named pipes that the test holds open for as long as something is to wait. */
#ifndef PIPES_H
#define PIPES_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"

/* Waits until nobody has the named pipe open for writing any more, or it is gone. */
static void wait_for_pipe(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		if (errno != ENOENT)
			emit("ERROR open %s: %s", path, strerror(errno));
		return;
	}
	fcntl(fd, F_SETFL, 0);
	while (read(fd, &byte, 1) > 0)
		;
	close(fd);
}

/* Data by thread: a named pipe that the thread waits for when it ends. */
static pthread_key_t last_pipe;

static void wait_at_end(void *path)
{
	emit("thread end blocked");
	wait_for_pipe(path);
	emit("thread end released");
	free(path);
}

#endif
