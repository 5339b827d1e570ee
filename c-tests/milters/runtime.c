/* A filter for the tests of threads, descriptors, timeouts and stopping.
 *
 *   runtime SPEC [OPTION=VALUE]...
 *
 * Each session is named by its connect host. HELO "CALLBACK TASK" tells it what to do in a callback;
 * the tasks are in runtime.h. Events go to stdout, a line each. After its runs it waits for the end of
 * stdin. Options: see options below. */
#include "runtime.h"
#ifdef FAULTS
#include "faults.h"
#endif
#ifdef STARVED
#include "starved.h"
#endif

static struct {
	const char *name;
	long value;
} options[] = {
	{"timeout", -2}, /* seconds for smfi_settimeout; -2: not called */
	{"runs", 1},     /* how often to call smfi_main */
	{"trace", 0},    /* emit every callback */
	{"closed", 0},   /* run with 0 to 2 closed, and print to stdout in every callback */
	{"fork", 0},     /* fork between smfi_opensocket and smfi_main */
	{"unopened", 0}, /* do not call smfi_opensocket */
	{"hold", 0},     /* block TERM from before smfi_main to the end */
	{"close", 0},    /* close this descriptor before smfi_main */
	{"early", 0},    /* call smfi_stop before smfi_main */
	{"nofile", 0},   /* RLIMIT_NOFILE */
	{"nproc", 0},    /* RLIMIT_NPROC, as the user below */
	{"user", 0},     /* user id to run smfi_main as */
	{"backlog", 0},  /* for smfi_setbacklog */
	{"debug", 0},    /* for smfi_setdbg */
	{"own", 0},      /* each session must have a thread of its own */
	{NULL, 0},
};

static long option(const char *name)
{
	int i;

	for (i = 0; options[i].name != NULL; i++)
		if (strcmp(options[i].name, name) == 0)
			return options[i].value;
	abort();
}

static void parse(const char *argument)
{
	size_t n = strcspn(argument, "=");
	int i;

	for (i = 0; options[i].name != NULL; i++)
		if (strlen(options[i].name) == n && strncmp(options[i].name, argument, n) == 0) {
			options[i].value = atol(argument + n + 1);
			return;
		}
	fprintf(stderr, "runtime: no option %s\n", argument);
	exit(2);
}

/* Runs where a callback ends its thread. */
static void thread_leaves(void *session)
{
	struct session *s = session;

	s->busy = 0;
	emit("%s left", s->id);
}

static sfsistat in_callback(SMFICTX *ctx, int which)
{
	struct session *s = smfi_getpriv(ctx);
	sfsistat result = SMFIS_CONTINUE;

	if (s == NULL) {
		if (trace)
			emit("nobody %s", names[which]);
		return result;
	}
	if (s->busy)
		emit("ERROR callbacks of %s overlap", s->id);
	if (option("own") && !pthread_equal(s->thread, pthread_self()))
		emit("ERROR %s of %s is on another thread", names[which], s->id);
	s->busy = 1;
	s->calls++;
	if (trace)
		emit("%s %s", s->id, names[which]);
	if (option("closed"))
		(void)!write(1, "noise", 5);
	if (s->tasks[which][0] != '\0') {
		pthread_cleanup_push(thread_leaves, s);
		result = perform(ctx, s->id, s->tasks[which]);
		pthread_cleanup_pop(0);
	}
	s->busy = 0;
	return result;
}

/* Data by thread: the session that the thread has served. */
static pthread_key_t served;

static void thread_ended(void *id)
{
	emit("thread ended of %s", (char *)id);
	free(id);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	struct session *s = calloc(1, sizeof *s);

	(void)address;
	if (s == NULL)
		return SMFIS_TEMPFAIL;
	snprintf(s->id, sizeof s->id, "%s", host);
	s->calls = 1;
	s->thread = pthread_self();
	if (option("own")) {
		if (pthread_getspecific(served) != NULL)
			emit("ERROR %s has a thread that had %s", s->id, (char *)pthread_getspecific(served));
		pthread_setspecific(served, strdup(s->id));
	}
	if (trace)
		emit("%s connect", s->id);
	if (smfi_setpriv(ctx, s) != MI_SUCCESS)
		emit("ERROR smfi_setpriv failed");
	return SMFIS_CONTINUE;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	struct session *s = smfi_getpriv(ctx);
	int i;

	for (i = 0; s != NULL && i < CALLBACKS; i++) {
		size_t n = strlen(names[i]);

		if (strncmp(name, names[i], n) == 0 && name[n] == ' ')
			snprintf(s->tasks[i], sizeof s->tasks[i], "%s", name + n + 1);
	}
	return in_callback(ctx, HELO);
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv) { (void)argv; return in_callback(ctx, ENVFROM); }
static sfsistat on_envrcpt(SMFICTX *ctx, char **argv) { (void)argv; return in_callback(ctx, ENVRCPT); }
static sfsistat on_data(SMFICTX *ctx) { return in_callback(ctx, DATA); }
static sfsistat on_header(SMFICTX *ctx, char *n, char *v) { (void)n; (void)v; return in_callback(ctx, HEADER); }
static sfsistat on_eoh(SMFICTX *ctx) { return in_callback(ctx, EOH); }
static sfsistat on_body(SMFICTX *ctx, unsigned char *p, size_t n) { (void)p; (void)n; return in_callback(ctx, BODY); }
static sfsistat on_eom(SMFICTX *ctx) { return in_callback(ctx, EOM); }
static sfsistat on_unknown(SMFICTX *ctx, const char *text) { (void)text; return in_callback(ctx, UNKNOWN); }

static sfsistat on_abort(SMFICTX *ctx)
{
	struct session *s = smfi_getpriv(ctx);

	if (s != NULL && !trace)
		emit("%s abort", s->id);
	return in_callback(ctx, ABORT);
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct session *s = smfi_getpriv(ctx);

	(void)in_callback(ctx, CLOSE);
	if (s != NULL)
		emit("%s closed after %ld", s->id, s->calls);
	smfi_setpriv(ctx, NULL);
	free(s);
	return SMFIS_CONTINUE;
}

/* USR1 stops the filter, USR2 lifts the limits that tasks have set. */
static void on_signal(int number)
{
	if (number == SIGUSR1)
		(void)smfi_stop();
	else
		set_soft_limit(RLIMIT_NPROC, -1);
}

/* Whether a thread of this process has not begun to end: one that has been joined may have its entry yet. */
static int is_alive(const char *thread)
{
	enum { EXITING = 4 }; /* a flag in proc(5), /proc/pid/stat */
	char path[64], line[512] = "", *name_end;
	unsigned flags = 0;
	int fd;

	snprintf(path, sizeof path, "/proc/self/task/%s/stat", thread);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno != ENOENT;
	if (read(fd, line, sizeof line - 1) <= 0 || (name_end = strrchr(line, ')')) == NULL
	    || sscanf(name_end, ") %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		flags = EXITING;
	close(fd);
	return !(flags & EXITING);
}

/* Emits how the process looks: threads, descriptors but that of the events, blocked stop signals. */
static void describe(const char *moment)
{
	char fds[512] = "";
	int threads = 0;
	struct dirent *entry;
	sigset_t mask;
	DIR *dir = opendir("/proc/self/task");

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		threads += entry->d_name[0] != '.' && is_alive(entry->d_name);
	closedir(dir);
	dir = opendir("/proc/self/fd");
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);
		size_t n = strlen(fds);

		if (entry->d_name[0] != '.' && fd != dirfd(dir) && fd != events)
			snprintf(fds + n, sizeof fds - n, "%s%d%s", n ? "," : "", fd,
				 fcntl(fd, F_GETFD) & FD_CLOEXEC ? "" : "!");
	}
	closedir(dir);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	emit("%s threads=%d fds=%s blocked=%d", moment, threads, fds,
	     sigismember(&mask, SIGTERM) || sigismember(&mask, SIGINT) || sigismember(&mask, SIGHUP));
}

static void set_limit(int resource, long value)
{
	struct rlimit limit = {(rlim_t)value, (rlim_t)value};

	if (value > 0 && setrlimit(resource, &limit) != 0)
		emit("ERROR setrlimit: %s", strerror(errno));
}

/* Goes on in a child, as daemons do; the parent ends with it. */
static void become_child(void)
{
	int status = 0;
	pid_t child = fork();

	if (child > 0) {
		waitpid(child, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	emit("child %ld", (long)getpid());
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;
	long run;
	char byte;

	for (run = 2; run < argc; run++)
		parse(argv[run]);
	trace = (int)option("trace");
	events = fcntl(1, F_DUPFD_CLOEXEC, 100);
	describe("start");
	pthread_key_create(&served, thread_ended);
	pthread_key_create(&last_pipe, wait_at_end);
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "runtime";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGBODY;
	filter.xxfi_connect = on_connect;
	filter.xxfi_helo = on_helo;
	filter.xxfi_envfrom = on_envfrom;
	filter.xxfi_envrcpt = on_envrcpt;
	filter.xxfi_data = on_data;
	filter.xxfi_header = on_header;
	filter.xxfi_eoh = on_eoh;
	filter.xxfi_body = on_body;
	filter.xxfi_eom = on_eom;
	filter.xxfi_abort = on_abort;
	filter.xxfi_close = on_close;
	filter.xxfi_unknown = on_unknown;
	if (smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 2;
	if (option("debug") != 0)
		smfi_setdbg((int)option("debug"));
	if (option("timeout") != -2)
		smfi_settimeout((int)option("timeout"));
	if (option("backlog") != 0)
		smfi_setbacklog((int)option("backlog"));
	if (option("closed"))
		for (run = 0; run < 3; run++)
			close((int)run);
	for (run = 0; run < option("runs"); run++) {
		int result;

		if (!option("unopened") && smfi_opensocket(1) != MI_SUCCESS)
			emit("ERROR smfi_opensocket failed");
		set_limit(RLIMIT_NOFILE, option("nofile"));
		if (option("fork"))
			become_child();
		describe("ready");
		set_limit(RLIMIT_NPROC, option("nproc"));
		if (option("user") && setuid((uid_t)option("user")) != 0)
			emit("ERROR setuid: %s", strerror(errno));
		if (option("hold")) {
			sigset_t term;

			sigemptyset(&term);
			sigaddset(&term, SIGTERM);
			pthread_sigmask(SIG_BLOCK, &term, NULL);
		}
		if (option("close"))
			close((int)option("close"));
		if (option("early"))
			smfi_stop();
		result = smfi_main();
		emit("main returned %d", result);
		describe("after");
	}
	while (!option("closed") && read(0, &byte, 1) > 0)
		;
	return 0;
}
