/* Shared by the parts of runtime.c: events for the test, sessions, and what a callback can be told to do. */
#ifndef RUNTIME_H
#define RUNTIME_H

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "children.h"

/* Callbacks that can be told to do something; the names are those of struct smfiDesc. */
enum { HELO, ENVFROM, ENVRCPT, DATA, HEADER, EOH, BODY, EOM, ABORT, CLOSE, UNKNOWN, CALLBACKS };
static const char *const names[CALLBACKS] = {
	"helo", "envfrom", "envrcpt", "data", "header", "eoh", "body", "eom", "abort", "close", "unknown",
};

/* The private data of a session. Deliberately without locks or atomics: the library has to see to it
 * that one callback at a time runs, and that each sees what the one before it wrote. */
struct session {
	char id[64];
	pthread_t thread;
	int busy;
	long calls;
	char tasks[CALLBACKS][160];
};

static int trace = 0;

/* Returns when as many threads are in here at the same time. */
static void barrier(int wanted)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
	static int inside = 0;

	pthread_mutex_lock(&lock);
	inside++;
	pthread_cond_broadcast(&changed);
	while (inside < wanted)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

/* Sets a soft limit; a negative one means as high as the hard limit. */
static void set_soft_limit(int resource, long value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) == 0) {
		limit.rlim_cur = value < 0 ? limit.rlim_max : (rlim_t)value;
		if (setrlimit(resource, &limit) == 0)
			return;
	}
	emit("ERROR setrlimit: %s", strerror(errno));
}

struct job {
	SMFICTX *ctx;
	int number;
	pthread_t thread;
};

/* Sends changes and progress as fast as it can. */
static void *send_changes(void *data)
{
	struct job *job = data;
	unsigned char part[70000];
	char value[32];
	int i;

	memset(part, 'a' + job->number, sizeof part);
	for (i = 0; i < 100; i++) {
		snprintf(value, sizeof value, "%d", i);
		if (smfi_addheader(job->ctx, (char[]){'X', '-', (char)('a' + job->number), 0}, value) != MI_SUCCESS ||
		    smfi_progress(job->ctx) != MI_SUCCESS ||
		    (i % 20 == 0 && smfi_replacebody(job->ctx, part, sizeof part) != MI_SUCCESS))
			emit("ERROR change %d of thread %d failed", i, job->number);
	}
	return NULL;
}

static void *send_progress(void *data)
{
	struct job *job = data;
	int i;

	for (i = 0; i < job->number; i++)
		if (smfi_progress(job->ctx) != MI_SUCCESS)
			emit("ERROR progress %d failed", i);
	return NULL;
}

static void *stop(void *unused)
{
	if (smfi_stop() != MI_SUCCESS)
		emit("ERROR smfi_stop failed");
	return unused;
}

/* Runs jobs on threads of their own while the callback waits. */
static void on_threads(SMFICTX *ctx, int threads, int number, void *(*body)(void *))
{
	struct job jobs[16];
	int i;

	for (i = 0; i < threads; i++) {
		jobs[i].ctx = ctx;
		jobs[i].number = number < 0 ? i : number;
		if (pthread_create(&jobs[i].thread, NULL, body, &jobs[i]) != 0)
			emit("ERROR pthread_create failed");
	}
	for (i = 0; i < threads; i++)
		pthread_join(jobs[i].thread, NULL);
}

/* Uses most of the stack that C programs can count on. */
static int use_stack(void)
{
	volatile char big[7 << 20];
	size_t i;

	for (i = 0; i < sizeof big; i += 4096)
		big[i] = 1;
	return big[0];
}

/* "FD,FD FILE": closes descriptors that are not the filter's, and has FILE take their numbers unless it is
 * "-". */
static void close_descriptors(const char *what)
{
	const char *name = strchr(what, ' ') + 1;
	int file = strcmp(name, "-") == 0 ? -1 : open(name, O_CREAT | O_RDWR | O_CLOEXEC, 0600), fd;
	char *next = (char *)what;

	if (file >= 0)
		file = fcntl(file, F_DUPFD_CLOEXEC, 200);
	while (*next != ' ') {
		fd = (int)strtol(next + (*next == ','), &next, 10);
		if (file < 0)
			close(fd);
		else
			dup3(file, fd, O_CLOEXEC);
	}
	emit("closed %s", what);
}

/* "PIPE FD,FD FILE": the same, on a thread, when the pipe is released. */
static void *close_later(void *text)
{
	char *what = strchr(text, ' ');

	*what++ = '\0';
	wait_for_pipe(text);
	close_descriptors(what);
	free(text);
	return NULL;
}

/* Calls what may need memory; whether it has it is not the filter's business. */
static void make_calls(SMFICTX *ctx)
{
	static unsigned char body[70000];
	char *lines[] = {"first line", "second line"};

	smfi_getsymval(ctx, "{none}");
	smfi_setreply(ctx, "451", "4.7.1", "later");
	smfi_setmlreply(ctx, "451", "4.7.1", lines[0], lines[1], NULL);
	smfi_addheader(ctx, "X-Name", "value");
	smfi_chgheader(ctx, "X-Other", 1, "value");
	smfi_quarantine(ctx, "reason");
	smfi_replacebody(ctx, body, sizeof body);
	smfi_progress(ctx);
}

/* Changes the message, waits, and tells what the calls give that it makes after that. */
static sfsistat come_late(SMFICTX *ctx, const char *id, const char *pipe)
{
	unsigned char body[] = "body";
	int results[6];

	smfi_addheader(ctx, "X-Before", "early");
	emit("%s blocked", id);
	wait_for_pipe(pipe);
	results[0] = smfi_addheader(ctx, "X-After", "late");
	results[1] = smfi_replacebody(ctx, body, sizeof body - 1);
	results[2] = smfi_insheader(ctx, 0, "X-First", "late");
	results[3] = smfi_progress(ctx);
	results[4] = smfi_setreply(ctx, "451", "4.7.1", "late");
	results[5] = smfi_setpriv(ctx, smfi_getpriv(ctx));
	emit("%s late %d %d %d %d %d %d", id, results[0], results[1], results[2], results[3], results[4], results[5]);
	return SMFIS_ACCEPT;
}

/* Does what a session was told to do in a callback; the result is the callback's. */
static sfsistat perform(SMFICTX *ctx, const char *id, const char *task)
{
	const char *rest = strchr(task, ' ');

	rest = rest == NULL ? "" : rest + 1;
	if (strncmp(task, "block ", 6) == 0) {
		emit("%s blocked", id);
		wait_for_pipe(rest);
		emit("%s released", id);
	} else if (strncmp(task, "late ", 5) == 0)
		return come_late(ctx, id, rest);
	else if (strncmp(task, "barrier ", 8) == 0)
		barrier(atoi(rest));
	else if (strncmp(task, "exec ", 5) == 0)
		run_program(id, rest);
	else if (strncmp(task, "children ", 9) == 0)
		serve_in_children(id, rest);
	else if (strncmp(task, "keep ", 5) == 0)
		keep_in_child(id, rest);
	else if (strncmp(task, "nap ", 4) == 0)
		usleep((useconds_t)atol(rest)); /* shapes the load; nobody counts on its length */
	else if (strcmp(task, "calls") == 0)
		make_calls(ctx);
	else if (strcmp(task, "changes") == 0)
		on_threads(ctx, 4, -1, send_changes);
	else if (strncmp(task, "progress ", 9) == 0)
		on_threads(ctx, 1, atoi(rest), send_progress);
	else if (strcmp(task, "body") == 0) {
		static unsigned char body[8 << 20];

		emit("%s replacebody %d", id, smfi_replacebody(ctx, body, sizeof body));
	} else if (strcmp(task, "stack") == 0)
		emit("%s stack %d", id, use_stack());
	else if (strncmp(task, "nproc ", 6) == 0)
		set_soft_limit(RLIMIT_NPROC, atol(rest));
	else if (strncmp(task, "close ", 6) == 0)
		close_descriptors(rest);
	else if (strncmp(task, "close-later ", 12) == 0) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, close_later, strdup(rest)) != 0 || pthread_detach(thread) != 0)
			emit("ERROR pthread_create failed");
	} else if (strcmp(task, "stop") == 0)
		stop(NULL);
	else if (strncmp(task, "stop-return ", 12) == 0) {
		stop(NULL);
		return atoi(rest);
	} else if (strncmp(task, "at-end ", 7) == 0)
		pthread_setspecific(last_pipe, strdup(rest));
	else if (strncmp(task, "at-end-exit ", 12) == 0) {
		pthread_setspecific(last_pipe, strdup(rest));
		pthread_exit(NULL);
	} else if (strcmp(task, "pthread_exit") == 0)
		pthread_exit(NULL);
	else if (strcmp(task, "cancel") == 0) {
		pthread_cancel(pthread_self());
		pthread_testcancel();
		emit("ERROR not cancelled");
	} else if (strcmp(task, "cancel-call") == 0) {
		pthread_cancel(pthread_self());
		smfi_setreply(ctx, "451", NULL, "cancelled while the library has control");
	} else if (strcmp(task, "cancel-off") == 0) {
		/* Left so: nothing in the callback looks for the request. */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
		pthread_cancel(pthread_self());
		pthread_testcancel();
	} else if (strcmp(task, "cancel-late") == 0)
		pthread_cancel(pthread_self()); /* the next cancellation point is after the callback */
	else if (strncmp(task, "block-exit ", 11) == 0) {
		emit("%s blocked", id);
		wait_for_pipe(rest);
		pthread_exit(NULL);
	}
	else if (strcmp(task, "stop-thread") == 0)
		on_threads(ctx, 1, 0, stop);
	else if (strncmp(task, "return ", 7) == 0)
		return atoi(rest);
	else
		emit("ERROR no task \"%s\"", task);
	return SMFIS_CONTINUE;
}

#endif
