/* Filters with a signal handling of their own: handlers, a sigwait thread, timers, and smfi_stop from them. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "surroundings.h"
#include <sys/mman.h>
#include <sys/time.h>

#define HANDLED_BOUND 20000 /* milliseconds */

static const struct {
	const char *name;
	int number;
} signal_names[] = {{"HUP", SIGHUP}, {"INT", SIGINT}, {"TERM", SIGTERM}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
		    {"ALRM", SIGALRM}, {"CHLD", SIGCHLD}, {"PIPE", SIGPIPE}};
#define SIGNAL_NAMES (sizeof signal_names / sizeof signal_names[0])

/* Shared with the process that plays the MTA. */
static volatile struct {
	int handled[65], waited[65], stops, in_stop;
	pid_t waiter;
} *tally;
static sigset_t awaited;
static int stop_signal;

static int signal_number(const char *name)
{
	size_t i;

	for (i = 0; i < SIGNAL_NAMES; i++)
		if (strcmp(signal_names[i].name, name) == 0)
			return signal_names[i].number;
	return 0;
}

static void prepare_tally(void)
{
	if (tally == NULL)
		tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void maybe_stop(int number)
{
	if (number != stop_signal)
		return;
	__sync_fetch_and_add(&tally->in_stop, 1);
	if (smfi_stop() == MI_SUCCESS)
		__sync_fetch_and_add(&tally->stops, 1);
}

static void on_signal(int number)
{
	int saved = errno;

	maybe_stop(number);
	__sync_fetch_and_add(&tally->handled[number], 1);
	errno = saved;
}

/* Without SA_RESTART: whatever the library waits in is interrupted. */
static void install_handler(int number)
{
	struct sigaction action;

	prepare_tally();
	memset(&action, 0, sizeof action);
	action.sa_handler = on_signal;
	sigemptyset(&action.sa_mask);
	sigaction(number, &action, NULL);
}

static void *wait_for_signals(void *unused)
{
	int number;
	sigset_t all;

	/* Else TERM may come to this thread, and end the process. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	tally->waiter = gettid();
	for (;;)
		if (sigwait(&awaited, &number) == 0) {
			__sync_fetch_and_add(&tally->waited[number], 1);
			maybe_stop(number);
		}
	return unused;
}

/* "HUP+USR1": blocks them and starts the thread that waits for them. */
static void start_waiter(const char *names)
{
	char *text = strdup(names), *save, *word;
	pthread_t thread;

	prepare_tally();
	sigemptyset(&awaited);
	for (word = strtok_r(text, "+", &save); word != NULL; word = strtok_r(NULL, "+", &save))
		sigaddset(&awaited, signal_number(word));
	pthread_sigmask(SIG_BLOCK, &awaited, NULL);
	if (pthread_create(&thread, NULL, wait_for_signals, NULL) != 0)
		exit(96);
	free(text);
}

static void start_alarm(long microseconds)
{
	struct itimerval timer = {{0, microseconds}, {0, microseconds}};

	install_handler(SIGALRM);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void block_signal(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Whether the thread that waits for signals sleeps, as it does in sigwait only. */
static int waiter_sleeps(pid_t filter)
{
	char name[64], line[256];
	int sleeps = 0;
	FILE *status;

	snprintf(name, sizeof name, "/proc/%d/task/%d/status", (int)filter, (int)tally->waiter);
	status = fopen(name, "r");
	if (status == NULL)
		return 0;
	while (fgets(line, sizeof line, status) != NULL)
		sleeps |= strncmp(line, "State:\tS", 8) == 0;
	fclose(status);
	return sleeps;
}

static int sum(int number)
{
	return tally->handled[number] + tally->waited[number];
}

/* Sends a signal that the filter handles itself, and waits until it has: '+', or '-' if it never does. */
static char send_and_wait(pid_t filter, int number)
{
	int before, left;

	for (left = HANDLED_BOUND; sigismember(&awaited, number) && !waiter_sleeps(filter) && left > 0; left--)
		usleep(1000);
	before = sum(number);
	kill(filter, number);
	for (left = HANDLED_BOUND; sum(number) == before && left > 0; left--) {
		if (number == stop_signal && tally->in_stop)
			return '+';
		usleep(1000);
	}
	return left > 0 ? '+' : '-';
}

/* Which of the threads that wait for HUP gets it is the system's choice: the filter's, or the library's. */
static void hang_up_either(pid_t filter)
{
	int before = sum(SIGHUP), left, fd = 0;

	kill(filter, SIGHUP);
	for (left = HANDLED_BOUND; sum(SIGHUP) == before && fd >= 0 && left > 0; left--) {
		usleep(1000);
		fd = new_connection(SOCK_NONBLOCK);
		if (fd >= 0)
			close(fd);
	}
	say("MTA: HUP was %s", left > 0 ? "taken" : "lost");
}

static void print_tally(void)
{
	size_t i;

	prepare_tally();
	for (i = 0; i < SIGNAL_NAMES; i++) {
		int n = signal_names[i].number;

		/* Left to chance: see hang_up_either, and how often a timer fires. */
		if (n == SIGHUP && sigismember(&awaited, n))
			continue;
		if (n == SIGALRM)
			say("ALRM: %s", tally->handled[n] > 0 ? "some" : "none");
		else if (sum(n) > 0)
			say("%s: %d handled, %d waited for", signal_names[i].name, tally->handled[n], tally->waited[n]);
	}
	if (stop_signal)
		say("stops: %d", tally->stops);
}

#endif
