/* What a program looks at around its calls, and how it tells what it saw. */
#ifndef SURROUNDINGS_H
#define SURROUNDINGS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <libmilter/mfapi.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Where it is told, and the socket of the filter. */
static int out = 1;
static char *path;

static struct sockaddr_storage address;
static socklen_t address_size;

/* Prints a line with one write. */
static void say(const char *format, ...)
{
	char line[1024];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof line - 1, format, args);
	va_end(args);
	line[n] = '\n';
	(void)!write(out, line, (size_t)n + 1);
}

static int count_entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static void print_signals(void)
{
	sigset_t set;
	struct sigaction action;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	sigaction(SIGPIPE, NULL, &action);
	say("blocked:%s%s%s%s%s; SIGPIPE %s", sigismember(&set, SIGHUP) ? " HUP" : "",
		sigismember(&set, SIGINT) ? " INT" : "", sigismember(&set, SIGTERM) ? " TERM" : "",
		sigismember(&set, SIGUSR1) ? " USR1" : "", sigismember(&set, SIGPIPE) ? " PIPE" : "",
		action.sa_handler == SIG_IGN ? "ignored" : action.sa_handler == SIG_DFL ? "default" : "handled");
}

/* Descriptors below 20: our own are above. */
static void print_descriptors(void)
{
	int fd, low = 0, inherited = 0;

	for (fd = 0; fd < 20; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0)
			continue;
		low += fd < 3;
		inherited += fd >= 3 && !(flags & FD_CLOEXEC);
	}
	say("descriptors: %d below 3, %d from 3 on inherited by children", low, inherited);
}

static int listener(void)
{
	int fd, yes;
	socklen_t size;

	for (fd = 0; fd < 64; fd++) {
		size = sizeof yes;
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) == 0 && yes)
			return fd;
	}
	return -1;
}

static void remember_address(void)
{
	address_size = sizeof address;
	if (getsockname(listener(), (struct sockaddr *)&address, &address_size) != 0)
		address_size = 0;
}

static void print_listener(void)
{
	int fd = listener(), reuse = 0, only6 = -1;
	socklen_t size = sizeof reuse;
	char text[64] = "";

	if (fd < 0) {
		say("no listener");
		return;
	}
	remember_address();
	getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &size);
	if (address.ss_family == AF_INET6) {
		struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;

		size = sizeof only6;
		getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, &size);
		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text);
		sprintf(text + strlen(text), " port %s", in6->sin6_port == 0 ? "0" : "some");
	} else if (address.ss_family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)&address;

		inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
		if (ntohs(in->sin_port) < 1024)
			sprintf(text + strlen(text), " port %d", ntohs(in->sin_port));
	}
	say("listener: family %d %s reuse %d v6only %d cloexec %d", address.ss_family, text, reuse, only6,
		fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int new_connection(int flags)
{
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (connect(fd, (struct sockaddr *)&address, address_size) == 0)
		return fd;
	close(fd);
	return -1;
}

/* How many connections a unix socket's backlog takes. */
static void print_connects(void)
{
	int n = 0;

	remember_address();
	while (n < 50 && new_connection(SOCK_NONBLOCK) >= 0)
		n++;
	say("connects: %d", n);
}

static void print_file(const char *name)
{
	struct stat st;

	if (lstat(name, &st) != 0)
		say("file: none");
	else
		say("file: %s mode %o", S_ISSOCK(st.st_mode) ? "socket" : S_ISLNK(st.st_mode) ? "link" : "other",
			(unsigned)st.st_mode & 0777);
}

/* Whether the file is the one it was when this was called before. */
static void print_inode(const char *name)
{
	static ino_t before;
	struct stat st;

	if (lstat(name, &st) != 0)
		say("file: none");
	else if (before != 0)
		say("file: %s", st.st_ino == before ? "the same" : "another");
	before = lstat(name, &st) == 0 ? st.st_ino : 0;
}

/* What a descriptor is. */
static void print_kind(int fd)
{
	int yes = 0, flags = fcntl(fd, F_GETFD);
	socklen_t size = sizeof yes;
	struct stat st;

	if (flags < 0 || fstat(fd, &st) != 0) {
		say("descriptor %d: closed", fd);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size);
	say("descriptor %d: %s%s%s", fd, S_ISSOCK(st.st_mode) ? "socket" : S_ISFIFO(st.st_mode) ? "pipe" : "file",
	    yes ? " that listens" : "", flags & FD_CLOEXEC ? "" : ", inherited");
}

static void open_at(const char *name, int at)
{
	int fd = open(name, O_RDONLY);

	if (fd != at) {
		dup2(fd, at);
		close(fd);
	}
}

static int bound_socket(const char *name)
{
	struct sockaddr_un un;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(&un, 0, sizeof un);
	un.sun_family = AF_UNIX;
	strncpy(un.sun_path, name, sizeof un.sun_path - 1);
	if (bind(fd, (struct sockaddr *)&un, sizeof un) != 0)
		exit(94);
	return fcntl(fd, F_DUPFD_CLOEXEC, 40);
}

/* "tcp", "tcp-listening", "unix" or "pipe" at descriptor 9; not close-on-exec. */
static void prepare_descriptor(const char *kind)
{
	struct sockaddr_in in;
	int ends[2], fd;

	memset(&in, 0, sizeof in);
	in.sin_family = AF_INET;
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (strncmp(kind, "tcp", 3) == 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(fd, (struct sockaddr *)&in, sizeof in) != 0)
			exit(95);
		if (strcmp(kind, "tcp-listening") == 0)
			listen(fd, 5);
	} else if (strcmp(kind, "unix") == 0)
		fd = bound_socket(path);
	else
		fd = pipe(ends) == 0 ? ends[0] : -1;
	dup2(fd, 9);
	close(fd);
}

/* From a callback: the thread it runs on and the connection it belongs to. */
static void probe(void)
{
	pthread_attr_t attr;
	size_t stack = 0;
	int fd, keepalive = 0, nodelay = 0;
	struct sockaddr_storage peer;

	print_signals();
	print_descriptors();
	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstacksize(&attr, &stack);
	pthread_attr_destroy(&attr);
	say("  stack: %lu MiB", (unsigned long)(stack >> 20));
	for (fd = 0; fd < 64; fd++) {
		socklen_t size = sizeof peer;

		if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 || peer.ss_family != AF_INET)
			continue;
		size = sizeof keepalive;
		getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keepalive, &size);
		getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size);
		say("  keepalive %d", keepalive);
		say("  nodelay %d", nodelay);
	}
}

#endif
