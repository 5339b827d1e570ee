/* A filter in C as of 1989: what runtime_cxx.cc does. */
#include <libmilter/mfapi.h>
#include <stdlib.h>
#include <string.h>

struct session {
	char names[1000];
};

static sfsistat on_envfrom(SMFICTX *ctx, char **arguments)
{
	struct session *session = (struct session *)smfi_getpriv(ctx);

	(void)arguments;
	if (session == NULL)
		session = (struct session *)malloc(sizeof *session);
	if (session == NULL || smfi_setpriv(ctx, session) != MI_SUCCESS)
		return SMFIS_TEMPFAIL;
	session->names[0] = '\0';
	return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct session *session = (struct session *)smfi_getpriv(ctx);

	if (strcmp(name, "X-Throw") == 0) {
		smfi_setreply(ctx, "554", "5.7.1", value);
		return SMFIS_REJECT;
	}
	if (strlen(session->names) + strlen(name) + 2 > sizeof session->names)
		return SMFIS_TEMPFAIL;
	if (session->names[0] != '\0')
		strcat(session->names, " ");
	strcat(session->names, name);
	return SMFIS_CONTINUE;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct session *session = (struct session *)smfi_getpriv(ctx);

	return smfi_addheader(ctx, "X-Seen", session->names) == MI_SUCCESS ? SMFIS_ACCEPT : SMFIS_TEMPFAIL;
}

static sfsistat on_close(SMFICTX *ctx)
{
	free(smfi_getpriv(ctx));
	smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "c89";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = SMFIF_ADDHDRS;
	filter.xxfi_envfrom = on_envfrom;
	filter.xxfi_header = on_header;
	filter.xxfi_eom = on_eom;
	filter.xxfi_close = on_close;
	if (argc < 2 || smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 2;
	return smfi_opensocket(1) == MI_SUCCESS && smfi_main() == MI_SUCCESS ? 0 : 1;
}
