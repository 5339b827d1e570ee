/* Starts a program whose first calls of accept(2) and accept4(2) fail.
 *
 *   inject_accept ERRNO CALLS PROGRAM [ARGUMENT]...
 *
 * CALLS may be "all": then the kernel answers them by itself, as fast as it can. Else the kernel asks this process about each such call (seccomp's user notification); no library can go
 * around that. The program has this process's id; standard input, output and error are its own. */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Has the kernel do something about each such call. */
static int watch(unsigned int what, unsigned int flags)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef SYS_accept
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_accept, 2, 0),
#else
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_accept4, 2, 0),
#endif
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_accept4, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, what),
	};
	struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* Sends a descriptor, or receives one if it is negative. */
static int pass(int socket, int fd)
{
	char room[CMSG_SPACE(sizeof fd)] = "", byte = 0;
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	if (fd >= 0) {
		*header = (struct cmsghdr){CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
		return sendmsg(socket, &message, 0) == 1 ? fd : -1;
	}
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1 || (header = CMSG_FIRSTHDR(&message)) == NULL)
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof fd);
	return fd;
}

static void answer(int notifications, int error, int calls)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp reply;

	for (;;) {
		memset(&call, 0, sizeof call);
		if (ioctl(notifications, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0)
			_exit(0);
		memset(&reply, 0, sizeof reply);
		reply.id = call.id;
		if (calls-- > 0)
			reply.error = -error;
		else
			reply.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		ioctl(notifications, SECCOMP_IOCTL_NOTIF_SEND, &reply);
	}
}

int main(int argc, char **argv)
{
	int pair[2], fd;

	if (argc >= 4 && strcmp(argv[2], "all") == 0) {
		if (watch(SECCOMP_RET_ERRNO | (unsigned int)atoi(argv[1]), 0) != 0) {
			perror("seccomp");
			return 3;
		}
		execv(argv[3], argv + 3);
		return 4;
	}
	if (argc < 4 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return 2;
	if (fork() == 0) {
		/* Ends with the program, and keeps nothing of its open. */
		fd = pass(pair[0], -1);
		for (int other = 0; other < 64; other++)
			if (other != fd)
				close(other);
		answer(fd, atoi(argv[1]), atoi(argv[2]));
	}
	fd = watch(SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (fd < 0 || pass(pair[1], fd) < 0) {
		perror("seccomp");
		return 3;
	}
	close(fd);
	execv(argv[3], argv + 3);
	return 4;
}
