/* The smallest filter: accepts every message. argv[1] is the connection spec, optional. */
#include <libmilter/mfapi.h>
#include <string.h>

static sfsistat on_eom(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_ACCEPT;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "accept";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_eom = on_eom;
	if (smfi_register(filter) == MI_FAILURE)
		return 2;
	if (argc > 1 && smfi_setconn(argv[1]) == MI_FAILURE)
		return 3;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
