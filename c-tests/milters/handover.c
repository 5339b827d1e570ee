/* A correct filter whose sessions go from thread to thread: the data behind smfi_getpriv belong to one
 * session, and need no lock. argv[1] is the connection specification; with argv[2] all sessions share a
 * counter without a lock, which is a race. */
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct session {
	pthread_t last;
	int calls, moves;
	char *text;
};

static int shared, racing;

static struct session *used(SMFICTX *ctx)
{
	struct session *s = smfi_getpriv(ctx);

	s->calls++;
	if (!pthread_equal(s->last, pthread_self()))
		s->moves++;
	s->last = pthread_self();
	free(s->text);
	s->text = strdup("said in this callback");
	if (racing)
		shared++;
	return s;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *from)
{
	struct session *s = calloc(1, sizeof *s);

	(void)host, (void)from;
	s->last = pthread_self();
	smfi_setpriv(ctx, s);
	used(ctx);
	return SMFIS_CONTINUE;
}

/* Blocks, so that the session leaves its thread. */
static sfsistat on_envelope(SMFICTX *ctx, char **argv)
{
	(void)argv;
	used(ctx);
	usleep(3000);
	used(ctx);
	return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct session *s = used(ctx);
	char text[64];

	snprintf(text, sizeof text, "%d calls, %d threads", s->calls, s->moves > 0 ? 2 : 1);
	return smfi_addheader(ctx, "X-Seen", text) == MI_SUCCESS ? SMFIS_ACCEPT : SMFIS_TEMPFAIL;
}

static sfsistat on_close(SMFICTX *ctx)
{
	struct session *s = smfi_getpriv(ctx);

	if (s != NULL) {
		free(s->text);
		free(s);
	}
	smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "handover";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = SMFIF_ADDHDRS;
	filter.xxfi_connect = on_connect;
	filter.xxfi_envfrom = filter.xxfi_envrcpt = on_envelope;
	filter.xxfi_eom = on_eom;
	filter.xxfi_close = on_close;
	racing = argc > 2;
	if (argc < 2 || smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 2;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
