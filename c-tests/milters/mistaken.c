/* A filter that changes a message where it may not, in each session. argv[1] is the connection spec. */
#include <libmilter/mfapi.h>
#include <string.h>

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	return smfi_addheader(ctx, "X-Helo", name) == MI_SUCCESS ? SMFIS_ACCEPT : SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "mistaken";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = SMFIF_ADDHDRS;
	filter.xxfi_helo = on_helo;
	if (argc != 2 || smfi_register(filter) == MI_FAILURE || smfi_setconn(argv[1]) == MI_FAILURE)
		return 2;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
