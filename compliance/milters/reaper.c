/* Runs a program that goes into the background, and waits for all that is left of it.
 *
 *   reaper PROGRAM ARGUMENT...
 *
 * Orphans below it become its children. Each end is a line on standard output, "exit 0" or
 * "signal 9", without process ids; the last one to end decides the exit status. */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int status, last = 0;
	pid_t child;

	if (argc < 2 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return 90;
	child = fork();
	if (child == 0) {
		execv(argv[1], argv + 1);
		_exit(91);
	}
	while (wait(&status) > 0) {
		last = WIFEXITED(status) ? WEXITSTATUS(status) : 92;
		if (WIFEXITED(status))
			printf("exit %d\n", last);
		else
			printf("signal %d\n", WTERMSIG(status));
		fflush(stdout);
	}
	return last;
}
