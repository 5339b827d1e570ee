/* A filter that does in each callback what a script tells it and reports every call it sees.
 *
 * Scripts and reports use standard input, a seqpacket socket of the runner. A script holds lines
 * "<callback> <n or *> <operation> <tokens>"; lines for the n-th call win over lines for all calls;
 * "return" among the operations sets the result (default SMFIS_CONTINUE). One session at a time.
 *
 * usage: trace <connection spec> <version> <flags> <name> [callback...] */
#include "trace.h"
#include "trace_ops.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>

static const char *const names[] = {"connect", "helo", "envfrom", "envrcpt", "header", "eoh", "body", "eom",
	"abort", "close", "unknown", "data", "negotiate"};
enum { CONNECT, HELO, ENVFROM, ENVRCPT, HEADER, EOH, BODY, EOM, ABORT, CLOSE, UNKNOWN, DATA, NEGOTIATE, COUNT };

static int calls[COUNT];
static SMFICTX *session;

/* Takes the newest script; its arrival starts a new session. */
static void look_for_script(void)
{
	ssize_t n;

	while ((n = recv(control, script, sizeof script - 1, MSG_DONTWAIT)) >= 0) {
		if (n == 0)
			_exit(0); /* the runner is gone */
		script[n] = '\0';
		memset(calls, 0, sizeof calls);
		session = NULL;
		kept = NULL;
	}
	if (errno != EAGAIN && errno != EINTR)
		_exit(98);
}

/* Calls `act` for each script line of this callback and number ("*" or "3"). */
static int each_line(int callback, const char *number, SMFICTX *ctx, int *result)
{
	static char work[MAX_SCRIPT];
	const char *line = script;
	int found = 0;

	while (*line != '\0') {
		size_t n = strcspn(line, "\n");
		char *save, *word;

		memcpy(work, line, n);
		work[n] = '\0';
		line += n + (line[n] == '\n');
		word = strtok_r(work, " ", &save);
		if (word == NULL || strcmp(word, names[callback]) != 0)
			continue;
		word = strtok_r(NULL, " ", &save);
		if (strcmp(word, number) != 0)
			continue;
		found = 1;
		if (strncmp(save, "return ", 7) == 0)
			*result = (int)decode(save + 7).i;
		else
			perform(save, ctx);
	}
	return found;
}

/* Starts the report of a call. */
static struct line begin(int callback, SMFICTX *ctx)
{
	struct line l = {"", 0};

	look_for_script();
	calls[callback]++;
	put(&l, names[callback]);
	if (session != NULL && session != ctx)
		put(&l, " (another context)");
	session = ctx;
	return l;
}

/* Reports the call, does what the script says, reports and returns the result. */
static sfsistat finish(int callback, SMFICTX *ctx, const struct line *report)
{
	struct line l = {"", 0};
	char number[16];
	int result = SMFIS_CONTINUE, i;

	emit(report);
	snprintf(number, sizeof number, "%d", calls[callback]);
	if (!each_line(callback, number, ctx, &result))
		each_line(callback, "*", ctx, &result);
	put_number(&l, "  -> %ld", result);
	for (i = 0; callback == NEGOTIATE && i < 4; i++)
		put_number(&l, " 0x%lx", (long)*negotiated[i]);
	emit(&l);
	return result;
}

static void put_address(struct line *l, const _SOCK_ADDR *address)
{
	union {
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
		unsigned char bytes[sizeof(struct sockaddr_un)];
	} a;
	char text[INET6_ADDRSTRLEN] = "?";
	size_t used = 0;

	/* Filters may copy as much as the largest of these: all of it has to be there. */
	memcpy(&a, address, sizeof a);
	put_number(l, " family %ld", a.in.sin_family);
	if (a.in.sin_family == AF_INET) {
		put_number(l, " port %ld ", ntohs(a.in.sin_port));
		put(l, inet_ntop(AF_INET, &a.in.sin_addr, text, sizeof text));
		used = 8;
	} else if (a.in.sin_family == AF_INET6) {
		put_number(l, " port %ld ", ntohs(a.in6.sin6_port));
		put(l, inet_ntop(AF_INET6, &a.in6.sin6_addr, text, sizeof text));
		used = sizeof a.in6;
	} else {
		put(l, " ");
		put_bytes(l, a.un.sun_path, strnlen(a.un.sun_path, sizeof a.un.sun_path));
		used = sizeof a.un;
	}
	for (; used < sizeof a; used++)
		if (a.bytes[used] != 0)
			put(l, " (rest not zero)");
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	struct line l = begin(CONNECT, ctx);

	put(&l, " ");
	put_string(&l, host);
	if (address == NULL)
		put(&l, " NULL");
	else
		put_address(&l, address);
	/* All argument buffers belong to the callback: write to them, as filters do. */
	memset(host, '#', strlen(host));
	return finish(CONNECT, ctx, &l);
}

static sfsistat one_string(int callback, SMFICTX *ctx, char *s)
{
	struct line l = begin(callback, ctx);

	put(&l, " ");
	put_string(&l, s);
	memset(s, '#', strlen(s));
	return finish(callback, ctx, &l);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	return one_string(HELO, ctx, name);
}

static sfsistat on_unknown(SMFICTX *ctx, const char *text)
{
	return one_string(UNKNOWN, ctx, (char *)text);
}

static sfsistat arguments(int callback, SMFICTX *ctx, char **argv)
{
	struct line l = begin(callback, ctx);
	int i;

	for (i = 0; argv[i] != NULL; i++) {
		put(&l, " ");
		put_string(&l, argv[i]);
		memset(argv[i], '#', strlen(argv[i]));
	}
	argv[0] = NULL;
	return finish(callback, ctx, &l);
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
	return arguments(ENVFROM, ctx, argv);
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **argv)
{
	return arguments(ENVRCPT, ctx, argv);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct line l = begin(HEADER, ctx);

	put(&l, " ");
	put_string(&l, name);
	put(&l, " ");
	put_string(&l, value);
	memset(name, '#', strlen(name));
	memset(value, '#', strlen(value));
	return finish(HEADER, ctx, &l);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *data, size_t n)
{
	struct line l = begin(BODY, ctx);

	put(&l, " ");
	put_bytes(&l, data, n);
	memset(data, '#', n);
	return finish(BODY, ctx, &l);
}

#define PLAIN(function, callback) \
	static sfsistat function(SMFICTX *ctx) \
	{ \
		struct line l = begin(callback, ctx); \
		return finish(callback, ctx, &l); \
	}

PLAIN(on_eoh, EOH)
PLAIN(on_eom, EOM)
PLAIN(on_abort, ABORT)
PLAIN(on_close, CLOSE)
PLAIN(on_data, DATA)

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
	unsigned long f3, unsigned long *pf0, unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
	struct line l = begin(NEGOTIATE, ctx);
	unsigned long *const out[4] = {pf0, pf1, pf2, pf3};
	const unsigned long in[8] = {f0, f1, f2, f3, *pf0, *pf1, *pf2, *pf3};
	sfsistat result;
	int i;

	memcpy(negotiated, out, sizeof out);
	for (i = 0; i < 8; i++)
		put_number(&l, i == 4 ? " | 0x%lx" : " 0x%lx", (long)in[i]);
	result = finish(NEGOTIATE, ctx, &l);
	memset(negotiated, 0, sizeof negotiated);
	return result;
}

static int wanted(int callback, int argc, char **argv)
{
	int i;

	for (i = 5; i < argc; i++)
		if (strcmp(argv[i], names[callback]) == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;
	struct line ready = {"ready", 5}, ended = {"", 0};

	if (argc < 5)
		return 2;
	memset(&filter, 0, sizeof filter);
	filter.xxfi_version = (int)strtoul(argv[2], NULL, 0);
	filter.xxfi_flags = strtoul(argv[3], NULL, 0);
	filter.xxfi_name = argv[4];
#define SET(callback, function) filter.xxfi_##function = wanted(callback, argc, argv) ? on_##function : NULL
	SET(CONNECT, connect);
	SET(HELO, helo);
	SET(ENVFROM, envfrom);
	SET(ENVRCPT, envrcpt);
	SET(HEADER, header);
	SET(EOH, eoh);
	SET(BODY, body);
	SET(EOM, eom);
	SET(ABORT, abort);
	SET(CLOSE, close);
	SET(UNKNOWN, unknown);
	SET(DATA, data);
	SET(NEGOTIATE, negotiate);
	if (smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 3;
	if (smfi_opensocket(1) != MI_SUCCESS)
		return 4;
	emit(&ready);
	put_number(&ended, "main = %ld", smfi_main());
	emit(&ended);
	return 0;
}
