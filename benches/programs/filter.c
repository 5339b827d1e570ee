/*
 * The filter that is measured: looks at macros, headers and body as filters do, adds two headers
 * and changes one at the end of each message.
 *
 * Prints "sessions N messages N closed N" when smfi_main returns.
 */

#include <stdatomic.h>
#include <strings.h>
#include <time.h>

#include "options.h"
#include "libmilter/mfapi.h"

static struct options options;
static atomic_long sessions, messages, closed;
/* Keeps what callbacks compute alive. */
static atomic_ulong sink;

struct session {
	unsigned long seen;	/* of macros, headers and body */
	int headers;
	int signatures;
	int slow;
};

static sfsistat go_on(void)
{
	return options.no_reply ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

/* The length of a macro's value; what a filter does with it is not measured. */
static void look_at(SMFICTX *ctx, struct session *s, const char *name)
{
	const char *value = smfi_getsymval(ctx, (char *)name);

	if (value != NULL)
		s->seen += strlen(value);
}

#define MACROS_MAX 10000
static char macro_names[MACROS_MAX][8];

static void name_macros(void)
{
	if (options.macros < 0 || options.macros > MACROS_MAX)
		usage("filter");
	for (int i = 0; i < options.macros; i++)
		snprintf(macro_names[i], sizeof macro_names[i], "{m%d}", i);
}

/* CPU time of this thread, ns. */
static long long cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Looks up all macros, neighbours far apart, and says how long that took. */
static void look_at_many(SMFICTX *ctx)
{
	/* A prime that divides no number of macros in use. */
	static const int stride = 7919;
	const int begin_at = options.macros / 2;
	long long begin = cpu_ns(), first = 0;
	int found = 0;

	for (int i = 0; i < options.macros; i++) {
		char *name = macro_names[(begin_at + (long)i * stride) % options.macros];

		found += smfi_getsymval(ctx, name) != NULL;
		if (i == 0)
			first = cpu_ns();
	}
	fprintf(stderr, "%d look-ups: first %lld ns, others %lld ns\n", found, first - begin,
		cpu_ns() - first);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	struct session *s = calloc(1, sizeof *s);

	if (s == NULL)
		return SMFIS_TEMPFAIL;
	smfi_setpriv(ctx, s);
	atomic_fetch_add_explicit(&sessions, 1, memory_order_relaxed);
	s->seen = strlen(host) + (address != NULL);
	look_at(ctx, s, "j");
	look_at(ctx, s, "{daemon_name}");
	return go_on();
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	struct session *s = smfi_getpriv(ctx);

	s->slow = strncmp(name, "slow", 4) == 0;
	look_at(ctx, s, "{tls_version}");
	return go_on();
}

static sfsistat on_envfrom(SMFICTX *ctx, char **arguments)
{
	struct session *s = smfi_getpriv(ctx);

	s->headers = s->signatures = 0;
	for (; *arguments != NULL; arguments++)
		s->seen += strlen(*arguments);
	look_at(ctx, s, "{auth_authen}");
	look_at(ctx, s, "{mail_addr}");
	return go_on();
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **arguments)
{
	struct session *s = smfi_getpriv(ctx);

	for (; *arguments != NULL; arguments++)
		s->seen += strlen(*arguments);
	look_at(ctx, s, "{rcpt_addr}");
	return go_on();
}

static sfsistat on_data(SMFICTX *ctx)
{
	look_at(ctx, smfi_getpriv(ctx), "i");
	return go_on();
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct session *s = smfi_getpriv(ctx);

	s->headers++;
	s->signatures += strcasecmp(name, "DKIM-Signature") == 0;
	s->seen += strlen(value);
	return go_on();
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	look_at(ctx, smfi_getpriv(ctx), "i");
	return go_on();
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *chunk, size_t size)
{
	struct session *s = smfi_getpriv(ctx);

	s->seen += read_bytes(chunk, size);
	return go_on();
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct session *s = smfi_getpriv(ctx);

	block_for(s->slow ? options.slow_ms : options.eom_ms);
	look_at(ctx, s, "i");
	if (options.macros > 0)
		look_at_many(ctx);
	if (smfi_addheader(ctx, ADDED_NAME_1, ADDED_VALUE_1) != MI_SUCCESS ||
	    smfi_addheader(ctx, ADDED_NAME_2, ADDED_VALUE_2) != MI_SUCCESS ||
	    smfi_chgheader(ctx, CHANGED_NAME, 1, CHANGED_VALUE) != MI_SUCCESS)
		return SMFIS_TEMPFAIL;
	atomic_fetch_add_explicit(&messages, 1, memory_order_relaxed);
	return SMFIS_CONTINUE;
}

static sfsistat on_abort(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct session *s = smfi_getpriv(ctx);

	/* Connections that ended before xxfi_connect have none. */
	if (s != NULL) {
		atomic_fetch_add_explicit(&sink, s->seen, memory_order_relaxed);
		atomic_fetch_add_explicit(&closed, 1, memory_order_relaxed);
		free(s);
		smfi_setpriv(ctx, NULL);
	}
	return SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
	unsigned long f3, unsigned long *pf0, unsigned long *pf1, unsigned long *pf2,
	unsigned long *pf3)
{
	(void)ctx, (void)f0, (void)f1, (void)f2, (void)f3;
	*pf0 = SMFIF_ADDHDRS | SMFIF_CHGHDRS;
	*pf1 = SMFIP_NOUNKNOWN;
	if (options.no_reply)
		*pf1 |= SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT |
			SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY;
	*pf2 = *pf3 = 0;
	return SMFIS_CONTINUE;
}

/* The same callbacks, of a filter that only wants to be asked. */
static sfsistat idle(SMFICTX *ctx)
{
	(void)ctx;
	return go_on();
}

static sfsistat idle_eom(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_CONTINUE;
}

static sfsistat idle_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)host, (void)address;
	return idle(ctx);
}

static sfsistat idle_helo(SMFICTX *ctx, char *name)
{
	(void)name;
	return idle(ctx);
}

static sfsistat idle_envelope(SMFICTX *ctx, char **arguments)
{
	(void)arguments;
	return idle(ctx);
}

static sfsistat idle_header(SMFICTX *ctx, char *name, char *value)
{
	(void)name, (void)value;
	return idle(ctx);
}

static sfsistat idle_body(SMFICTX *ctx, unsigned char *chunk, size_t size)
{
	(void)chunk, (void)size;
	return idle(ctx);
}

static void make_idle(struct smfiDesc *filter)
{
	filter->xxfi_connect = idle_connect;
	filter->xxfi_helo = idle_helo;
	filter->xxfi_envfrom = filter->xxfi_envrcpt = idle_envelope;
	filter->xxfi_data = filter->xxfi_eoh = idle;
	filter->xxfi_eom = idle_eom;
	filter->xxfi_abort = filter->xxfi_close = idle;
	filter->xxfi_header = idle_header;
	filter->xxfi_body = idle_body;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = {
		.xxfi_name = "bench",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_envfrom,
		.xxfi_envrcpt = on_envrcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_eoh,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};

	options = parse_options(argc, argv);
	name_macros();
	if (options.idle)
		make_idle(&filter);
	if (options.timeout_s > 0)
		smfi_settimeout(options.timeout_s);
	if (smfi_setbacklog(4096) != MI_SUCCESS || smfi_setconn(options.conn) != MI_SUCCESS ||
	    smfi_register(filter) != MI_SUCCESS || smfi_opensocket(1) != MI_SUCCESS ||
	    smfi_main() != MI_SUCCESS) {
		fprintf(stderr, "bench: cannot serve %s: %s\n", options.conn, strerror(errno));
		return 1;
	}
	printf("sessions %ld messages %ld closed %ld\n", sessions, messages, closed);
	return 0;
}
