/* Programs that a callback runs, and children that it forks. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "pipes.h"

/* Runs a program as filters do, its arguments separated by blanks, and emits its output. */
static void run_program(const char *id, const char *command)
{
	char words[256], line[512], *arguments[16];
	int out[2], n = 0;
	pid_t child;
	FILE *output;

	snprintf(words, sizeof words, "%s", command);
	for (char *word = strtok(words, " "); word != NULL && n < 15; word = strtok(NULL, " "))
		arguments[n++] = word;
	arguments[n] = NULL;
	if (pipe2(out, O_CLOEXEC) != 0)
		return emit("ERROR pipe: %s", strerror(errno));
	child = fork();
	if (child == 0) {
		dup2(out[1], 1);
		execvp(arguments[0], arguments);
		_exit(127);
	}
	close(out[1]);
	output = fdopen(out[0], "r");
	while (fgets(line, sizeof line, output) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		emit("%s exec %s", id, line);
	}
	fclose(output);
	waitpid(child, NULL, 0);
	emit("%s exec end", id);
}

/* "DIRECTORY COUNT": forks that often; each child serves at an address of its own, and is stopped at once. */
static void serve_in_children(const char *id, const char *arguments)
{
	char directory[100];
	int count, i, served = 0;

	if (sscanf(arguments, "%99s %d", directory, &count) != 2)
		emit("ERROR not \"DIRECTORY COUNT\": %s", arguments);
	for (i = 0; i < count; i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			char spec[150];

			alarm(60); /* so that one that hangs is found */
			snprintf(spec, sizeof spec, "unix:%s/%d", directory, i);
			if (smfi_setconn(spec) != MI_SUCCESS || smfi_opensocket(1) != MI_SUCCESS)
				_exit(2);
			smfi_stop();
			_exit(smfi_main() == MI_SUCCESS ? 0 : 1);
		}
		waitpid(child, &status, 0);
		served += status == 0;
	}
	emit("%s children %d of %d", id, served, count);
}

/* Forks a child that has the filter's descriptors for as long as a named pipe is open. */
static void keep_in_child(const char *id, const char *pipe)
{
	pid_t child = fork();

	if (child == 0) {
		alarm(60); /* so that it does not outlive a test that fails */
		wait_for_pipe(pipe);
		_exit(0);
	}
	emit("%s kept %d", id, child > 0);
}

#endif
