/* A filter that forks between its runs; parent and child call smfi_main again, each with a socket of its own.
 *
 *   fork_runs DIR ROUNDS
 *
 * In each round a third process waits until both serve, and sends TERM to one and, when that has returned
 * from smfi_main, to the other. Prints what smfi_main has returned in both, for each round. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[2][90], connection[2][100];

/* Returns when the socket's process has answered: it is in smfi_main. */
static void wait_until_served(const char *name)
{
	static const char negotiation[] = "\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char reply[64];

	strcpy(address.sun_path, name);
	for (;;) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
			(void)!send(fd, negotiation, sizeof negotiation - 1, MSG_NOSIGNAL);
			if (recv(fd, reply, sizeof reply, 0) > 4)
				return;
		}
		close(fd);
		usleep(1000);
	}
}

static int returned[2];

static int run(int which)
{
	int result = 99;

	if (smfi_setconn(connection[which]) == MI_SUCCESS && smfi_opensocket(1) == MI_SUCCESS)
		result = smfi_main();
	(void)!write(returned[1], "", 1);
	return result;
}

static void stop(pid_t first, pid_t second)
{
	char byte;

	wait_until_served(path[0]);
	wait_until_served(path[1]);
	/* So that both sleep until they are woken; nobody counts on its length. */
	usleep(100000);
	kill(first, SIGTERM);
	(void)!read(returned[0], &byte, 1);
	kill(second, SIGTERM);
	(void)!read(returned[0], &byte, 1);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = {.xxfi_name = "fork", .xxfi_version = SMFI_VERSION};
	sigset_t term;
	char byte;
	int i;

	if (argc != 3 || smfi_register(filter) != MI_SUCCESS)
		return 2;
	for (i = 0; i < 2; i++) {
		snprintf(path[i], sizeof path[i], "%s/%d", argv[1], i);
		snprintf(connection[i], sizeof connection[i], "unix:%s", path[i]);
	}
	/* Else one that comes late ends the process. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	if (pipe2(returned, O_CLOEXEC) != 0)
		return 3;
	smfi_stop();
	if (run(0) != MI_SUCCESS || read(returned[0], &byte, 1) != 1)
		return 3;
	for (i = 0; i < atoi(argv[2]); i++) {
		int status, result;
		pid_t parent = getpid(), child, third;

		unlink(path[0]);
		unlink(path[1]);
		child = fork();
		if (child == 0)
			_exit(run(1));
		third = fork();
		if (third == 0)
			stop(i % 2 ? parent : child, i % 2 ? child : parent);
		result = run(0);
		waitpid(child, &status, 0);
		waitpid(third, NULL, 0);
		printf("parent %d, child %d\n", result, status);
		fflush(stdout);
	}
	return 0;
}
