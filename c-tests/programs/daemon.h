/* What daemons do between smfi_opensocket and smfi_main, and whole messages that tell whether it holds. */
#ifndef DAEMON_H
#define DAEMON_H

#include "surroundings.h"
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sys/resource.h>

#define ANSWER_BOUND 20000 /* milliseconds */

static int printing, telling;

/* Leaves the terminal for good, as daemon(3) of old does: two forks, the middle one leads a session. */
static void daemonize(void)
{
	if (fork() != 0)
		_exit(0);
	setsid();
	if (fork() != 0)
		_exit(0);
	if (chdir("/") != 0)
		exit(91);
	umask(027);
}

/* The order that works: groups first, while still root. Whoever is not root stays who they are. */
static void become(unsigned int id)
{
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(id) != 0 || setuid(id) != 0))
		exit(91);
}

/* "nofile:64", "core:0" or "fsize:4096": both limits, for good. */
static void set_limit(const char *value)
{
	struct rlimit limit;
	const char *number = strchr(value, ':') + 1;
	int which = *value == 'n' ? RLIMIT_NOFILE : *value == 'c' ? RLIMIT_CORE : RLIMIT_FSIZE;

	limit.rlim_cur = limit.rlim_max = strtoul(number, NULL, 0);
	if (setrlimit(which, &limit) != 0)
		exit(91);
}

/* Starts anew with the rest of the arguments, and with 0 to 2 closed before the loader runs. */
static void exec_closed(char **argv, int next)
{
	char *arguments[64] = {argv[0], (char *)"out=30"};
	int n = 2, fd;

	while (argv[next] != NULL && n < 63)
		arguments[n++] = argv[next++];
	fcntl(out, F_SETFD, 0);
	for (fd = 0; fd < 3; fd++)
		close(fd);
	execv("/proc/self/exe", arguments);
	_exit(92);
}

static void print_noise(void)
{
	if (!printing)
		return;
	printf("noise on standard output\n");
	fflush(stdout);
	fprintf(stderr, "noise on standard error\n");
}

/* What the process is like inside of smfi_main, as a header for the MTA. */
static sfsistat tell(SMFICTX *ctx)
{
	char text[512], cwd[PATH_MAX];
	struct rlimit files, core, size;
	mode_t mask = umask(0);

	umask(mask);
	getrlimit(RLIMIT_NOFILE, &files);
	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_FSIZE, &size);
	snprintf(text, sizeof text, "uid %u %u gid %u %u groups %d cwd %s umask %o leader %d files %ld core %ld size %ld",
		 getuid(), geteuid(), getgid(), getegid(), getgroups(0, NULL), getcwd(cwd, sizeof cwd), (unsigned)mask,
		 getpgrp() == getpid(), (long)files.rlim_cur, (long)core.rlim_cur, (long)size.rlim_cur);
	return smfi_addheader(ctx, "X-Process", text) == MI_SUCCESS ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

/* Reads as much, or fails. */
static int read_all(int fd, unsigned char *to, size_t n)
{
	while (n > 0) {
		struct pollfd wait = {fd, POLLIN, 0};
		ssize_t got = poll(&wait, 1, ANSWER_BOUND) == 1 ? read(fd, to, n) : -1;

		if (got <= 0)
			return 0;
		to += got;
		n -= (size_t)got;
	}
	return 1;
}

/* Appends the packets that answer a command, up to the one that ends the answer. */
static void read_answer(int fd, char *seen, size_t room)
{
	unsigned char packet[600];
	unsigned int length, i;
	size_t n = strlen(seen);

	do {
		if (n + 3 * sizeof packet > room || !read_all(fd, packet, 4)) {
			strcpy(seen + n, " end");
			return;
		}
		length = (unsigned)packet[0] << 24 | packet[1] << 16 | packet[2] << 8 | packet[3];
		if (length == 0 || length > sizeof packet) {
			sprintf(seen + n, " no packet: \"%.4s\"", packet);
			return;
		}
		if (!read_all(fd, packet, length))
			length = 1, packet[0] = '!';
		seen[n++] = ' ';
		for (i = 0; i < length; i++)
			n += (size_t)sprintf(seen + n, packet[i] < ' ' || packet[i] > '~' ? "\\%02x" : "%c", packet[i]);
	} while (strchr("hp", packet[0]) != NULL);
	seen[n] = '\0';
}

static const struct {
	const char *bytes;
	size_t size;
} message[] = {
#define PACKET(s) {s, sizeof s - 1}
	PACKET("\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"),
	PACKET("\0\0\0\x05" "Ch\0U\0"),
	PACKET("\0\0\0\x06Hhelo\0"),
	PACKET("\0\0\0\x07M<a@b>\0"),
	PACKET("\0\0\0\x07R<c@d>\0"),
	PACKET("\0\0\0\1T"),
	PACKET("\0\0\0\x0bLname\0value"),
	PACKET("\0\0\0\1N"),
	PACKET("\0\0\0\6Bbody\n"),
	PACKET("\0\0\0\1E"),
	PACKET("\0\0\0\x07M<e@f>\0"),
	PACKET("\0\0\0\x07R<g@h>\0"),
	PACKET("\0\0\0\1E"),
};

/* Two messages in each of three sessions that take turns; prints every byte of the answers. */
static void play_sessions(void)
{
	static char seen[3][8000];
	int fds[3], s;
	size_t i;

	memset(seen, 0, sizeof seen);
	for (s = 0; s < 3; s++)
		if ((fds[s] = new_connection(0)) < 0) {
			say("MTA: connect: %s", strerror(errno));
			return;
		}
	for (i = 0; i < sizeof message / sizeof message[0]; i++)
		for (s = 0; s < 3; s++) {
			(void)!send(fds[s], message[i].bytes, message[i].size, MSG_NOSIGNAL);
			read_answer(fds[s], seen[s], sizeof seen[s]);
		}
	for (s = 0; s < 3; s++) {
		(void)!send(fds[s], "\0\0\0\1Q", 5, MSG_NOSIGNAL);
		read_answer(fds[s], seen[s], sizeof seen[s]);
		close(fds[s]);
		(void)!write(out, "MTA:", 4);
		(void)!write(out, seen[s], strlen(seen[s]));
		(void)!write(out, "\n", 1);
	}
}

#endif
