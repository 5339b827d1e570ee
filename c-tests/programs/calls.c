/* Calls the functions that set a filter up, in the order of the arguments, and prints each result.
 *
 * Each argument is "operation" or "operation=value"; see `perform`. Prints through a copy of standard
 * output, so that descriptors 0 to 2 can be closed. */
#include "surroundings.h"
#include "daemon.h"
#include "mta.h"
#include "signals.h"
#include <sys/wait.h>

static int probing, stopping, stopping_at_end, mta_pipe = -1;
static volatile int stopped = -100;
static pid_t mta_pid;
static char *calls_inside;
static pthread_t beside;

static void call_inside(void);

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)ctx, (void)host, (void)address;
	if (probing)
		probe();
	print_noise();
	if (stopping)
		stopped = smfi_stop();
	call_inside();
	return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	print_noise();
	if (stopping_at_end)
		stopped = smfi_stop();
	return telling ? tell(ctx) : SMFIS_CONTINUE;
}

/* The other callbacks of a filter that prints in all of them. */
static sfsistat on_text(SMFICTX *ctx, char *text) { (void)ctx, (void)text; print_noise(); return SMFIS_CONTINUE; }
static sfsistat on_envelope(SMFICTX *ctx, char **argv) { (void)ctx, (void)argv; print_noise(); return SMFIS_CONTINUE; }
static sfsistat on_event(SMFICTX *ctx) { (void)ctx; print_noise(); return SMFIS_CONTINUE; }

static sfsistat on_body(SMFICTX *ctx, unsigned char *body, size_t size)
{
	(void)ctx, (void)body, (void)size;
	print_noise();
	return SMFIS_CONTINUE;
}

static int do_register(const char *value)
{
	struct smfiDesc filter;
	static char names[8][64];
	static int used;
	char *name = strchr(value, ',');

	memset(&filter, 0, sizeof filter);
	filter.xxfi_version = (int)strtoul(value, NULL, 0);
	if (name != NULL && strcmp(name, ",NULL") != 0)
		filter.xxfi_name = strncpy(names[used++], name + 1, 63);
	else if (name == NULL)
		filter.xxfi_name = strcpy(names[used++], "calls");
	filter.xxfi_connect = on_connect;
	filter.xxfi_eom = on_eom;
	if (telling)
		filter.xxfi_flags = SMFIF_ADDHDRS;
	if (printing) {
		filter.xxfi_helo = on_text;
		filter.xxfi_envfrom = filter.xxfi_envrcpt = on_envelope;
		filter.xxfi_body = on_body;
		filter.xxfi_eoh = filter.xxfi_abort = filter.xxfi_close = on_event;
	}
	return smfi_register(filter);
}

/* Starts a process that plays the MTA while this one is in smfi_main. */
static void start_mta(const char *actions)
{
	int ends[2];
	pid_t filter = getpid();

	remember_address();
	if (pipe2(ends, O_CLOEXEC) != 0)
		exit(90);
	mta_pid = fork();
	if (mta_pid == 0) {
		out = ends[1];
		play_mta(actions, filter);
		_exit(0);
	}
	close(ends[1]);
	mta_pipe = fcntl(ends[0], F_DUPFD_CLOEXEC, 20);
	close(ends[0]);
}

/* Prints what the MTA has seen, once it has ended. */
static void join_mta(void)
{
	char text[4096];
	ssize_t n;

	/* A timer of the filter's may interrupt it. */
	while ((n = read(mta_pipe, text, sizeof text)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			(void)!write(out, text, (size_t)n);
	waitpid(mta_pid, NULL, 0);
	close(mta_pipe);
}

static int calls(const char *op, char *value)
{
	int number = value == NULL ? 0 : (int)strtoul(value, NULL, 0);

	if (strcmp(op, "register") == 0)
		say("register %s = %d", value, do_register(value));
	else if (strcmp(op, "setconn") == 0)
		say("setconn %s = %d", value, smfi_setconn(value));
	else if (strcmp(op, "setconn-null") == 0)
		say("setconn NULL = %d", smfi_setconn(NULL));
	else if (strcmp(op, "opensocket") == 0)
		say("opensocket %s = %d", value, smfi_opensocket(number));
	else if (strcmp(op, "main") == 0)
		say("main = %d", smfi_main());
	else if (strcmp(op, "stop") == 0)
		say("stop = %d", smfi_stop());
	else if (strcmp(op, "setbacklog") == 0)
		say("setbacklog %s = %d", value, smfi_setbacklog(number));
	else if (strcmp(op, "setdbg") == 0)
		say("setdbg %s = %d", value, smfi_setdbg(number));
	else if (strcmp(op, "settimeout") == 0)
		say("settimeout %s = %d", value, smfi_settimeout(number));
	else if (strcmp(op, "setmaxdatasize") == 0)
		say("setmaxdatasize %s = %lu", value, (unsigned long)smfi_setmaxdatasize(strtoul(value, NULL, 0)));
	else if (strcmp(op, "setsymlist-null") == 0)
		say("setsymlist(NULL) = %d", smfi_setsymlist(NULL, 0, "j"));
	else if (strcmp(op, "version") == 0) {
		unsigned int v[3] = {9, 9, 9};
		int result = smfi_version(number & 1 ? NULL : v, number & 2 ? NULL : v + 1, number & 4 ? NULL : v + 2);

		say("version = %d: %u.%u.%u", result, v[0], v[1], v[2]);
	} else
		return 0;
	return 1;
}

/* "setbacklog=1+opensocket=1": one after the other. */
static void *call_each(void *text)
{
	char *save, *word;

	for (word = strtok_r(text, "+", &save); word != NULL; word = strtok_r(NULL, "+", &save)) {
		char *value = strchr(word, '=');

		if (value != NULL)
			*value++ = '\0';
		if (!calls(word, value))
			say("unknown call %s", word);
	}
	return NULL;
}

/* Starts a thread that makes calls. */
static pthread_t call_on_thread(char *text)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, call_each, text) != 0)
		exit(96);
	return thread;
}

/* "callback:CALLS", "thread:CALLS" or "child:CALLS", made by the first callback there is. */
static void call_inside(void)
{
	char *text = calls_inside, *where = text == NULL ? NULL : strsep(&text, ":");

	calls_inside = NULL;
	if (where == NULL)
		return;
	if (strcmp(where, "callback") == 0)
		call_each(text);
	else if (strcmp(where, "thread") == 0)
		pthread_join(call_on_thread(text), NULL);
	else {
		pid_t child = fork();

		if (child == 0) {
			call_each(text);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
}

/* What daemons and filters with signals of their own do. */
static int process(const char *op, char *value)
{
	if (strcmp(op, "daemonize") == 0)
		daemonize();
	else if (strcmp(op, "become") == 0)
		become((unsigned)atoi(value));
	else if (strcmp(op, "limit") == 0)
		set_limit(value);
	else if (strcmp(op, "tell") == 0)
		telling = 1;
	else if (strcmp(op, "print") == 0)
		printing = 1;
	else if (strcmp(op, "handler") == 0)
		install_handler(signal_number(value));
	else if (strcmp(op, "waiter") == 0)
		start_waiter(value);
	else if (strcmp(op, "stop-on") == 0)
		stop_signal = signal_number(value);
	else if (strcmp(op, "alarm") == 0)
		start_alarm(atol(value));
	else if (strcmp(op, "block") == 0)
		block_signal(signal_number(value));
	else if (strcmp(op, "raise") == 0)
		kill(getpid(), signal_number(value));
	else if (strcmp(op, "tally") == 0)
		print_tally();
	else
		return 0;
	return 1;
}

static int surroundings(const char *op, char *value)
{
	int number = value == NULL ? 0 : (int)strtoul(value, NULL, 0);

	if (strcmp(op, "path") == 0)
		path = value;
	else if (strcmp(op, "signals") == 0)
		print_signals();
	else if (strcmp(op, "threads") == 0)
		say("threads: %d", count_entries("/proc/self/task"));
	else if (strcmp(op, "descriptors") == 0)
		print_descriptors();
	else if (strcmp(op, "listener") == 0)
		print_listener();
	else if (strcmp(op, "connects") == 0)
		print_connects();
	else if (strcmp(op, "file") == 0)
		print_file(value);
	else if (strcmp(op, "inode") == 0)
		print_inode(value);
	else if (strcmp(op, "kind") == 0)
		print_kind(number);
	else if (strcmp(op, "open-at-9") == 0)
		open_at(value, 9);
	else if (strcmp(op, "inside") == 0)
		calls_inside = value;
	else if (strcmp(op, "beside") == 0)
		beside = call_on_thread(value);
	else if (strcmp(op, "join-beside") == 0)
		pthread_join(beside, NULL);
	else if (strcmp(op, "probe") == 0)
		probing = 1;
	else if (strcmp(op, "stop-in-connect") == 0)
		stopping = 1;
	else if (strcmp(op, "stop-at-end") == 0)
		stopping_at_end = 1;
	else if (strcmp(op, "umask") == 0)
		umask((mode_t)number);
	else if (strcmp(op, "close") == 0)
		close(number);
	else if (strcmp(op, "chdir") == 0)
		number = chdir(value);
	else if (strcmp(op, "symlink") == 0)
		number = symlink(value, path);
	else if (strcmp(op, "stale-socket") == 0)
		close(bound_socket(value));
	else if (strcmp(op, "live-socket") == 0)
		listen(bound_socket(value), 5);
	else if (strcmp(op, "touch") == 0)
		close(open(value, O_CREAT | O_WRONLY, 0600));
	else if (strcmp(op, "prepare-fd") == 0)
		prepare_descriptor(value);
	else if (strcmp(op, "mta") == 0)
		start_mta(value);
	else if (strcmp(op, "join") == 0)
		join_mta();
	else if (strcmp(op, "stopped") == 0) {
		/* The call may return after smfi_main has. */
		while (stopped == -100)
			usleep(1000);
		say("smfi_stop() = %d", stopped);
	}
	else if (strcmp(op, "give-up-root") == 0) {
		if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
			exit(91);
	} else if (strcmp(op, "fork") == 0) {
		pid_t child = fork();
		int status;

		if (child != 0) {
			waitpid(child, &status, 0);
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 92);
		}
	} else
		return 0;
	return 1;
}

int main(int argc, char **argv)
{
	int i;

	int first = argc > 1 && strcmp(argv[1], "out=30") == 0 ? 2 : 1;

	/* What the runner left open is not the library's. */
	for (i = 3; i < 64; i++)
		if (first == 1 || i != 30)
			close(i);
	if (first == 1)
		out = fcntl(1, F_DUPFD_CLOEXEC, 30);
	else
		fcntl(out = 30, F_SETFD, FD_CLOEXEC);
	for (i = first; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (strcmp(argv[i], "exec-closed") == 0)
			exec_closed(argv, i + 1);
		if (value != NULL)
			*value++ = '\0';
		if (!calls(argv[i], value) && !process(argv[i], value) && !surroundings(argv[i], value)) {
			say("unknown operation %s", argv[i]);
			return 93;
		}
	}
	return 0;
}
