/* At the end of a message, threads send progress while the callback adds headers; argv[1] is the
 * connection specification. */
#include <libmilter/mfapi.h>
#include <pthread.h>
#include <string.h>

#define THREADS 4
#define TIMES 500

static void *send_progress(void *ctx)
{
	int i;

	for (i = 0; i < TIMES; i++)
		if (smfi_progress(ctx) != MI_SUCCESS)
			return ctx;
	return NULL;
}

static sfsistat on_eom(SMFICTX *ctx)
{
	pthread_t threads[THREADS];
	sfsistat result = SMFIS_ACCEPT;
	void *failed;
	int i;

	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, send_progress, ctx);
	for (i = 0; i < TIMES; i++)
		if (smfi_addheader(ctx, "X-Between", "progress packets") != MI_SUCCESS)
			result = SMFIS_TEMPFAIL;
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failed);
		if (failed != NULL)
			result = SMFIS_TEMPFAIL;
	}
	return result;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "progress";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = SMFIF_ADDHDRS;
	filter.xxfi_eom = on_eom;
	if (argc != 2 || smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 2;
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
