/* Calls every exported function, with success and with failure, and prints what each leaves in errno.
 *
 *   run GOOD BAD       all functions in the course of a run; connection specifications
 *   debug GOOD BAD     the same, with debug output that cannot be written
 *   main SPEC          smfi_main opens the socket, and finds SIGTERM waiting
 *   refused SPEC...    smfi_opensocket with specifications that it refuses */
#include "surroundings.h"
#include "daemon.h"
#include "mta.h"
#include <sys/wait.h>

/* No error's number. */
#define MARK 4242

/* In no header. */
extern int mi_stop(void);

static void show(const char *call, long result, int left)
{
	char text[64] = "kept";

	if (left != MARK)
		snprintf(text, sizeof text, "%s", left == 0 ? "0" : strerrorname_np(left) ? strerrorname_np(left) : "?");
	say("%s = %ld: errno %s", call, result, text);
}

#define CALL(call)                                                                                         \
	do {                                                                                               \
		long result;                                                                               \
		errno = MARK;                                                                              \
		result = (long)(call);                                                                     \
		show(#call, result, errno);                                                                \
	} while (0)

/* The result is a pointer. */
#define POINTER(call) CALL((call) != NULL)

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2, unsigned long f3,
			     unsigned long *p0, unsigned long *p1, unsigned long *p2, unsigned long *p3)
{
	*p0 = f0, *p1 = f1 & ~0x1fffffUL, *p2 = f2, *p3 = f3;
	CALL(smfi_setsymlist(ctx, SMFIM_CONNECT, "j {daemon_name}"));
	CALL(smfi_setsymlist(ctx, SMFIM_CONNECT, "j"));
	CALL(smfi_setsymlist(ctx, 99, "j"));
	CALL(smfi_setsymlist(ctx, SMFIM_HELO, NULL));
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *from)
{
	static char *name = "value";

	(void)host, (void)from;
	CALL(smfi_setpriv(ctx, name));
	POINTER(smfi_getpriv(ctx));
	CALL(smfi_setpriv(ctx, NULL));
	POINTER(smfi_getpriv(ctx));
	CALL(smfi_setpriv(NULL, name));
	POINTER(smfi_getpriv(NULL));
	POINTER(smfi_getsymval(ctx, "j"));
	POINTER(smfi_getsymval(ctx, "{missing}"));
	CALL(smfi_setreply(ctx, "550", "5.7.1", "no"));
	CALL(smfi_setreply(ctx, "550", NULL, NULL));
	CALL(smfi_setreply(ctx, "999", "5.7.1", "no"));
	CALL(smfi_setmlreply(ctx, "450", "4.7.1", "one", "two", (char *)NULL));
	CALL(smfi_setmlreply(ctx, "450", NULL, "one", (char *)NULL));
	CALL(smfi_setmlreply(ctx, "999", "4.7.1", "one", (char *)NULL));
	CALL(smfi_progress(ctx));
	CALL(smfi_progress(NULL));
	/* Too early. */
	CALL(smfi_addheader(ctx, "X-One", "1"));
	return SMFIS_CONTINUE;
}

static sfsistat on_envelope(SMFICTX *ctx, char **argv)
{
	(void)ctx, (void)argv;
	return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	unsigned char body[] = "body\r\n";

	CALL(smfi_addheader(ctx, "X-One", "1"));
	CALL(smfi_addheader(ctx, NULL, "1"));
	CALL(smfi_chgheader(ctx, "X-One", 1, "2"));
	CALL(smfi_chgheader(ctx, "X-One", -1, "2"));
	CALL(smfi_insheader(ctx, 0, "X-Two", "2"));
	CALL(smfi_insheader(ctx, -1, "X-Two", "2"));
	CALL(smfi_chgfrom(ctx, "<g@h>", "SIZE=1"));
	CALL(smfi_chgfrom(ctx, NULL, NULL));
	CALL(smfi_addrcpt(ctx, "<i@j>"));
	CALL(smfi_addrcpt(ctx, NULL));
	CALL(smfi_addrcpt_par(ctx, "<i@j>", "NOTIFY=NEVER"));
	CALL(smfi_addrcpt_par(ctx, NULL, NULL));
	CALL(smfi_delrcpt(ctx, "<c@d>"));
	CALL(smfi_delrcpt(ctx, NULL));
	CALL(smfi_replacebody(ctx, body, sizeof body - 1));
	CALL(smfi_replacebody(ctx, NULL, 5));
	CALL(smfi_progress(ctx));
	CALL(smfi_quarantine(ctx, "look"));
	CALL(smfi_quarantine(ctx, NULL));
	CALL(smfi_setmaxdatasize(100000) > 0);
	CALL(smfi_version(NULL, NULL, NULL));
	CALL(smfi_setdbg(0));
	return SMFIS_ACCEPT;
}

/* Reads answers as far as they come; what they are is the business of other tests. */
static void play(pid_t filter)
{
	static char seen[20000];
	int fd = new_connection(0), i;
	static const struct {
		const char *bytes;
		size_t size;
	} packets[] = {
		PACKET("\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"), PACKET("\0\0\0\x0c" "DCj\0mx.test\0"),
		PACKET("\0\0\0\x05" "Ch\0U\0"), PACKET("\0\0\0\x07M<a@b>\0"),
		PACKET("\0\0\0\x07R<c@d>\0"), PACKET("\0\0\0\x01" "E"),
	};

	for (i = 0; i < 6; i++) {
		(void)!send(fd, packets[i].bytes, packets[i].size, MSG_NOSIGNAL);
		if (i != 1)
			read_answer(fd, seen, sizeof seen);
	}
	/* The answers to the changes come before the verdict. */
	while (strstr(seen, " a") == NULL && strstr(seen, " end") == NULL)
		read_answer(fd, seen, sizeof seen);
	(void)!send(fd, "\0\0\0\1Q", 5, MSG_NOSIGNAL);
	read_answer(fd, seen, sizeof seen);
	close(fd);
	kill(filter, SIGTERM);
}

static void do_register(int version)
{
	struct smfiDesc filter;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "errno";
	filter.xxfi_version = version;
	filter.xxfi_flags = SMFI_CURR_ACTS;
	filter.xxfi_negotiate = on_negotiate;
	filter.xxfi_connect = on_connect;
	filter.xxfi_envfrom = filter.xxfi_envrcpt = on_envelope;
	filter.xxfi_eom = on_eom;
	CALL(smfi_register(filter));
}

static void before(char *good, char *bad)
{
	CALL(smfi_main());
	CALL(smfi_setconn(NULL));
	CALL(smfi_setconn(bad));
	CALL(smfi_opensocket(0));
	CALL(smfi_opensocket(1));
	CALL(smfi_main());
	CALL(smfi_setconn(good));
	CALL(smfi_setbacklog(0));
	CALL(smfi_setbacklog(7));
	CALL(smfi_settimeout(60));
	CALL(smfi_setmaxdatasize(65535));
	CALL(smfi_version(NULL, NULL, NULL));
	CALL(smfi_opensocket(1));
	CALL(smfi_opensocket(0));
}

static void run(char *good, char *bad)
{
	pid_t filter = getpid(), mta;

	before(good, bad);
	remember_address();
	mta = fork();
	if (mta == 0) {
		play(filter);
		_exit(0);
	}
	CALL(smfi_main());
	waitpid(mta, NULL, 0);
	CALL(smfi_stop());
	CALL(mi_stop() > 0);
}

int main(int argc, char **argv)
{
	sigset_t set;
	int i;

	if (argc < 3)
		return 2;
	out = fcntl(1, F_DUPFD_CLOEXEC, 30);
	if (strcmp(argv[1], "debug") == 0) {
		close(1);
		CALL(smfi_setdbg(6));
	}
	do_register(5);
	CALL(smfi_opensocket(0));
	do_register(SMFI_VERSION);
	if (strcmp(argv[1], "refused") == 0) {
		for (i = 2; i < argc; i++) {
			smfi_setconn(argv[i]);
			say("%s", argv[i]);
			CALL(smfi_opensocket(1));
		}
	} else if (strcmp(argv[1], "main") == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		kill(getpid(), SIGTERM);
		CALL(smfi_setconn(argv[2]));
		CALL(smfi_main());
	} else
		run(argv[2], argv[3]);
	return 0;
}
