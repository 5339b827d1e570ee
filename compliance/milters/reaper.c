/* Runs a program and all that it leaves running, for as long as standard input is held open.
 *
 *   reaper PROGRAM ARGUMENT...
 *
 * Orphans below it become its children. Each end is a line on standard output, "exit 0" or
 * "signal 9", without process ids; the last one to end decides the exit status.
 *
 * A line "PID SIGNAL" on standard input, both numbers, has the signal sent: who started the reaper through
 * sudo may not do it. When standard input ends, all that is left gets SIGTERM, and SIGKILL if it is
 * still there after some seconds; so nothing is left behind by a test that is killed. */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Until SIGKILL; sendmail's library takes 5 s to stop. */
enum { GRACE_MS = 15000, LOOK_MS = 100 };

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void signal_children(int signo)
{
	char path[64];
	FILE *list;
	int pid;

	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	list = fopen(path, "re");
	if (list == NULL)
		return;
	while (fscanf(list, "%d", &pid) == 1)
		kill(pid, signo);
	fclose(list);
}

/* Obeys what has arrived; 0 at the end of standard input. */
static int obey(void)
{
	static char line[64];
	static size_t have;
	char *end, *word;
	ssize_t got = read(STDIN_FILENO, line + have, sizeof line - 1 - have);

	if (got <= 0)
		return 0;
	have += (size_t)got;
	line[have] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		long pid = strtol(line, &word, 10);
		long signo = strtol(word, NULL, 10);

		if (pid > 1)
			kill((pid_t)pid, (int)signo);
		have -= (size_t)(end + 1 - line);
		memmove(line, end + 1, have + 1);
	}
	return have < sizeof line - 1;
}

int main(int argc, char **argv)
{
	struct signalfd_siginfo info;
	struct pollfd waiting[2] = { { .fd = -1, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	sigset_t blocked, before;
	int status, last = 0;
	long kill_at = 0;
	pid_t child;

	/* A terminal's signal ends the tests, and must leave this to end what they have started. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	/* Nor may it end as nobody reads its lines any more. */
	sigaddset(&blocked, SIGPIPE);
	if (argc < 2 || sigprocmask(SIG_BLOCK, &blocked, &before) != 0 ||
	    (waiting[0].fd = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK)) < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return 90;
	child = fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		close(STDIN_FILENO);
		if (freopen("/dev/null", "r", stdin) == NULL)
			_exit(91);
		execv(argv[1], argv + 1);
		_exit(91);
	}
	for (;;) {
		while ((child = waitpid(-1, &status, WNOHANG)) > 0) {
			last = WIFEXITED(status) ? WEXITSTATUS(status) : 92;
			if (WIFEXITED(status))
				printf("exit %d\n", last);
			else
				printf("signal %d\n", WTERMSIG(status));
			fflush(stdout);
			/* What it leaves has become a child. */
			if (kill_at != 0)
				signal_children(SIGTERM);
		}
		if (child < 0)
			return last;
		if (kill_at != 0 && now_ms() >= kill_at)
			signal_children(SIGKILL);
		(void)poll(waiting, 2, kill_at != 0 ? LOOK_MS : -1);
		while (read(waiting[0].fd, &info, sizeof info) > 0)
			;
		if (waiting[1].revents != 0 && !obey()) {
			waiting[1].fd = -1;
			waiting[1].revents = 0;
			kill_at = now_ms() + GRACE_MS;
			signal_children(SIGTERM);
		}
	}
}
