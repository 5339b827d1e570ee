/* Linked into a filter: no thread can be started while the file that NO_THREADS names is there.
 *
 * Each start that fails appends a byte to it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

typedef int starter(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *data)
{
	const char *path = getenv("NO_THREADS");
	int file = path != NULL ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
	starter *start;

	if (file >= 0) {
		(void)!write(file, "x", 1);
		close(file);
		return EAGAIN;
	}
	*(void **)&start = dlsym(RTLD_NEXT, "pthread_create");
	return start(thread, attributes, body, data);
}
