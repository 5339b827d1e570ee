/*
 * For runtime.c, system calls and functions of the C library that fail when the
 * test says so: for calls from the library only, so that the filter and the C
 * library do not fail by themselves. The kernel traps the library's own system
 * calls (seccomp), and a signal handler here makes them, or does not.
 *
 * FAULTS names a file with four numbers of the machine's own form for each call
 * below, which the test reads and writes: calls seen, the first one that fails,
 * the first one after it that does not, and the error.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "library_code.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* As in tests/runtime_support/faults.rs. */
enum call { RECV, SEND, ACCEPT, ADD, CHANGE, DELETE, WAIT, POLL, CLEAR, WAKE, STAT, CREATE, LOOK, OPEN, THREAD, CLOCK, CALLS };

static struct fault {
	atomic_long seen, from, until, error;
} *faults;

/* The number of the error with which a call fails, or 0. */
static int fails(enum call call, const void *from)
{
	struct fault *fault;
	long number;

	if (faults == NULL || call == CALLS || !is_in_library(from))
		return 0;
	fault = &faults[call];
	number = atomic_fetch_add(&fault->seen, 1) + 1;
	if (number < atomic_load(&fault->from) || number >= atomic_load(&fault->until))
		return 0;
	return (int)atomic_load(&fault->error);
}

#if defined __x86_64__
static long system_call(long number, const long *a)
{
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static long *arguments(ucontext_t *context, long *a)
{
	static const int places[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};

	for (int i = 0; i < 6; i++)
		a[i] = context->uc_mcontext.gregs[places[i]];
	return (long *)&context->uc_mcontext.gregs[REG_RAX];
}
#elif defined __aarch64__
static long system_call(long number, const long *a)
{
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a[0], x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2], x3 __asm__("x3") = a[3], x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
}

static long *arguments(ucontext_t *context, long *a)
{
	for (int i = 0; i < 6; i++)
		a[i] = (long)context->uc_mcontext.regs[i];
	return (long *)&context->uc_mcontext.regs[0];
}
#else
#error "write system_call and arguments for this processor"
#endif

static enum call which(long number, const long *a)
{
	switch (number) {
	case SYS_recvfrom: return RECV;
	case SYS_sendto: return SEND;
	case SYS_accept4: return ACCEPT;
	case SYS_epoll_ctl: return a[1] == EPOLL_CTL_ADD ? ADD : a[1] == EPOLL_CTL_MOD ? CHANGE : DELETE;
	case SYS_epoll_pwait: return WAIT;
	case SYS_ppoll: return POLL;
	case SYS_read: return CLEAR;
	case SYS_write: return WAKE;
	case SYS_fstat: return STAT;
	case SYS_eventfd2: case SYS_epoll_create1: return CREATE;
	case SYS_pread64: return LOOK;
	default: return CALLS;
	}
}

static const unsigned numbers[] = {
	SYS_recvfrom, SYS_sendto, SYS_accept4, SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, SYS_read, SYS_write,
	SYS_fstat, SYS_eventfd2, SYS_epoll_create1, SYS_pread64,
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0], RULES = 5 + NUMBERS + 2 };

static void on_trap(int unused, siginfo_t *info, void *data)
{
	long a[6], *result = arguments(data, a);
	int error = fails(which(info->si_syscall, a), info->si_call_addr);

	(void)unused;
	*result = error != 0 ? -error : system_call(info->si_syscall, a);
}

/* Has the kernel trap these calls where the instruction is in the library. */
static int trap(void)
{
	struct sock_filter rules[RULES] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(library_begin >> 32), 0, NUMBERS + 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (unsigned)library_begin, 0, NUMBERS + 1),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	struct sock_fprog program = {RULES, rules};

	for (int i = 0; i < NUMBERS; i++) {
		struct sock_filter rule = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i], (unsigned char)(NUMBERS - i), 0);

		rules[5 + i] = rule;
	}
	rules[RULES - 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	rules[RULES - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
	       && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

__attribute__((constructor)) static void prepare(int argc, char **argv)
{
	const char *path = getenv("FAULTS");
	int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	struct sigaction action;
	void *place;

	(void)argc;
	if (file == -1)
		return;
	place = mmap(NULL, sizeof *faults * CALLS, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	close(file);
	find_library();
	/* The rules compare half of an address at a time; another try gets others. */
	if (library_begin >> 32 != library_end >> 32)
		execv("/proc/self/exe", argv);
	memset(&action, 0, sizeof action);
	action.sa_sigaction = on_trap;
	action.sa_flags = SA_SIGINFO | SA_NODEFER;
	if (place == MAP_FAILED || library_begin == 0 || sigaction(SIGSYS, &action, NULL) != 0 || !trap()) {
		perror("seccomp");
		_exit(3);
	}
	faults = place;
}

/* The file of a thread's state is opened by way of the C library. */
int open64(const char *path, int flags, ...)
{
	va_list rest;
	int mode, error;

	va_start(rest, flags);
	mode = va_arg(rest, int);
	va_end(rest);
	error = strncmp(path, "/proc/", 6) == 0 ? fails(OPEN, __builtin_return_address(0)) : 0;
	if (error == 0)
		return openat(AT_FDCWD, path, flags, mode);
	errno = error;
	return -1;
}

int pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*body)(void *), void *data)
{
	static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	int error = fails(THREAD, __builtin_return_address(0));

	if (error != 0)
		return error;
	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
	return real(id, attributes, body, data);
}

/* The clock of deadlines; what the standard library measures time with can't fail. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int error = clock != CLOCK_MONOTONIC_COARSE ? 0 : fails(CLOCK, __builtin_return_address(0));

	if (error == 0)
		return (int)syscall(SYS_clock_gettime, clock, now);
	errno = error;
	return -1;
}

#endif
