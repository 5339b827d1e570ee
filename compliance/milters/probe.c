/*
 * probe - writes down every callback with its arguments and macros, and does what it is told.
 *
 *   probe SOCKET TRACE [SETTING...]
 *
 *   flags=HEX              actions to register with and to ask for; 1ff by default
 *   steps=HEX              protocol flags to ask for, as far as the MTA offers them; none by default
 *   symbols=NUMBER~NAMES   macros to ask for at a stage (SMFIM_*)
 *   timeout=SECONDS        for smfi_settimeout
 *   STAGE[:TEXT]=VERB[~ARGUMENT...]
 *                          at this callback, if TEXT is in its first argument, the value of a header,
 *                          or the sender where there is none of these. All that fit are done in turn;
 *                          the last verdict counts.
 *
 * Verbs: see act(). TRACE gets one line per callback and per call: "N STAGE ...", N counts the sessions.
 */
#include "probe.h"

static char *settings[256];
static int n_settings;
static unsigned long want_actions = 0x1ff, want_steps;
static int sessions;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *sender(SMFICTX *ctx)
{
	return smfi_getsymval(ctx, "{mail_addr}");
}

/* One call of the library that a rule asks for, or a verdict; negative: no verdict. */
static int act(SMFICTX *ctx, int session, char **word, int n)
{
	char *verb = word[0], *a = n > 1 ? word[1] : NULL, *b = n > 2 ? word[2] : NULL;
	char *c = n > 3 ? word[3] : NULL, *d = n > 4 ? word[4] : NULL;
	int result;

	if (strcmp(verb, "continue") == 0)
		return SMFIS_CONTINUE;
	if (strcmp(verb, "reject") == 0)
		return SMFIS_REJECT;
	if (strcmp(verb, "discard") == 0)
		return SMFIS_DISCARD;
	if (strcmp(verb, "accept") == 0)
		return SMFIS_ACCEPT;
	if (strcmp(verb, "tempfail") == 0)
		return SMFIS_TEMPFAIL;
	if (strcmp(verb, "skip") == 0)
		return SMFIS_SKIP;
	if (strcmp(verb, "noreply") == 0)
		return SMFIS_NOREPLY;
	if (strcmp(verb, "die") == 0)
		_exit(3);
	if (strcmp(verb, "reply") == 0) /* code, enhanced code, text */
		result = smfi_setreply(ctx, a, b, c);
	else if (strcmp(verb, "mlreply") == 0) /* code, enhanced code, two lines */
		result = smfi_setmlreply(ctx, a, b, c, d, "third and last", (char *)NULL);
	else if (strcmp(verb, "add") == 0)
		result = smfi_addheader(ctx, a, unescape(b));
	else if (strcmp(verb, "insert") == 0)
		result = smfi_insheader(ctx, atoi(a), b, unescape(c));
	else if (strcmp(verb, "change") == 0)
		result = smfi_chgheader(ctx, b, atoi(a), c == NULL ? NULL : unescape(c));
	else if (strcmp(verb, "from") == 0)
		result = smfi_chgfrom(ctx, a, b);
	else if (strcmp(verb, "addrcpt") == 0)
		result = b == NULL ? smfi_addrcpt(ctx, a) : smfi_addrcpt_par(ctx, a, b);
	else if (strcmp(verb, "delrcpt") == 0)
		result = smfi_delrcpt(ctx, a);
	else if (strcmp(verb, "body") == 0) /* text, and how many times it is repeated */
		result = replace_body(ctx, unescape(a), b == NULL ? 1 : atoi(b));
	else if (strcmp(verb, "quarantine") == 0)
		result = smfi_quarantine(ctx, a);
	else if (strcmp(verb, "progress") == 0)
		result = smfi_progress(ctx);
	else {
		fprintf(stderr, "probe: no verb %s\n", verb);
		_exit(2);
	}
	if (a == NULL || strcmp(verb, "body") == 0)
		a = "";
	trace(session, "  %s %s -> %s", verb, a, result == MI_SUCCESS ? "success" : "failure");
	return -1;
}

/* Traces a callback and does what the settings say. */
static sfsistat at(SMFICTX *ctx, const char *stage, const char *first)
{
	int session = session_of(ctx), i, verdict = SMFIS_CONTINUE;
	size_t len = strlen(stage);

	for (i = 0; i < n_settings; i++) {
		char *rule = settings[i], *equals = strchr(rule, '='), copy[4096], *word[8], *next;
		int n = 0, did;

		if (strncmp(rule, stage, len) != 0 || (rule[len] != '=' && rule[len] != ':'))
			continue;
		if (rule[len] == ':') {
			char text[256];

			snprintf(text, sizeof text, "%.*s", (int)(equals - rule - (int)len - 1), rule + len + 1);
			if (first == NULL || strstr(first, text) == NULL)
				continue;
		}
		snprintf(copy, sizeof copy, "%s", equals + 1);
		next = copy;
		while (n < 8 && next != NULL)
			word[n++] = strsep(&next, "~");
		did = act(ctx, session, word, n);
		if (did >= 0)
			verdict = did;
	}
	return verdict;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
                             unsigned long f3, unsigned long *p0, unsigned long *p1,
                             unsigned long *p2, unsigned long *p3)
{
	int *number = malloc(sizeof *number), i;

	(void)f2, (void)f3;
	if (number == NULL)
		return SMFIS_TEMPFAIL;
	pthread_mutex_lock(&lock);
	*number = ++sessions;
	pthread_mutex_unlock(&lock);
	smfi_setpriv(ctx, number);
	*p0 = f0 & want_actions;
	*p1 = f1 & want_steps;
	*p2 = *p3 = 0;
	trace(*number, "negotiate %lx %lx", f0, f1);
	for (i = 0; i < n_settings; i++) {
		char *list = strchr(settings[i], '~');

		if (strncmp(settings[i], "symbols=", 8) == 0 && list != NULL)
			trace(*number, "  symbols %s -> %d", settings[i] + 8,
			      smfi_setsymlist(ctx, atoi(settings[i] + 8), list + 1));
	}
	return at(ctx, "negotiate", NULL);
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	trace_connect(ctx, host, address);
	return at(ctx, "connect", host);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	trace_strings(ctx, "helo", name, NULL);
	return at(ctx, "helo", name);
}

static sfsistat on_envfrom(SMFICTX *ctx, char **argv)
{
	trace_list(ctx, "envfrom", argv);
	return at(ctx, "envfrom", argv[0]);
}

static sfsistat on_envrcpt(SMFICTX *ctx, char **argv)
{
	trace_list(ctx, "envrcpt", argv);
	return at(ctx, "envrcpt", argv[0]);
}

static sfsistat on_data(SMFICTX *ctx)
{
	trace_strings(ctx, "data", NULL, NULL);
	return at(ctx, "data", sender(ctx));
}

static sfsistat on_unknown(SMFICTX *ctx, const char *command)
{
	trace_strings(ctx, "unknown", command, NULL);
	return at(ctx, "unknown", command);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	trace_strings(ctx, "header", name, value);
	return at(ctx, "header", value);
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	trace_strings(ctx, "eoh", NULL, NULL);
	return at(ctx, "eoh", sender(ctx));
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *text, size_t size)
{
	char start[128];

	trace_body(ctx, text, size);
	snprintf(start, sizeof start, "%.*s", (int)(size < 120 ? size : 120), (char *)text);
	return at(ctx, "body", start);
}

static sfsistat on_eom(SMFICTX *ctx)
{
	trace_strings(ctx, "eom", NULL, NULL);
	return at(ctx, "eom", sender(ctx));
}

static sfsistat on_abort(SMFICTX *ctx)
{
	trace(session_of(ctx), "abort");
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	int *number = smfi_getpriv(ctx);

	if (number != NULL)
		trace(*number, "close");
	free(number);
	smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc desc = {
	    .xxfi_name = "probe", .xxfi_version = SMFI_VERSION, .xxfi_flags = 0x1ff,
	    .xxfi_connect = on_connect, .xxfi_helo = on_helo, .xxfi_envfrom = on_envfrom,
	    .xxfi_envrcpt = on_envrcpt, .xxfi_header = on_header, .xxfi_eoh = on_eoh,
	    .xxfi_body = on_body, .xxfi_eom = on_eom, .xxfi_abort = on_abort, .xxfi_close = on_close,
	    .xxfi_unknown = on_unknown, .xxfi_data = on_data, .xxfi_negotiate = on_negotiate,
	};
	int i;

	if (argc < 3 || open_trace(argv[2]) < 0) {
		fprintf(stderr, "usage: %s SOCKET TRACE [SETTING...]\n", argv[0]);
		return 2;
	}
	for (i = 3; i < argc && n_settings < 256; i++) {
		if (strchr(argv[i], '=') == NULL) {
			fprintf(stderr, "%s: no setting: %s\n", argv[0], argv[i]);
			return 2;
		}
		settings[n_settings++] = argv[i];
		if (strncmp(argv[i], "flags=", 6) == 0)
			desc.xxfi_flags = want_actions = strtoul(argv[i] + 6, NULL, 16);
		else if (strncmp(argv[i], "steps=", 6) == 0)
			want_steps = strtoul(argv[i] + 6, NULL, 16);
		else if (strncmp(argv[i], "timeout=", 8) == 0)
			smfi_settimeout(atoi(argv[i] + 8));
	}
	umask(0); /* the MTA may be another user */
	if (smfi_setconn(argv[1]) == MI_FAILURE || smfi_register(desc) == MI_FAILURE
	    || smfi_opensocket(1) == MI_FAILURE)
		return 1;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
