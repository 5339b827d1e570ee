/* A filter whose end-of-message callback waits until nobody has a named pipe open for writing any more, or
 * the pipe is gone: blocked SOCKET PIPE */
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <string.h>
#include <unistd.h>

static const char *path;

static sfsistat on_eom(SMFICTX *ctx)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		while (read(fd, &byte, 1) > 0)
			;
		close(fd);
	}
	smfi_addheader(ctx, "X-Seen", "late");
	return SMFIS_ACCEPT;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "blocked";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = SMFIF_ADDHDRS;
	filter.xxfi_eom = on_eom;
	if (argc != 3)
		return 2;
	path = argv[2];
	return smfi_setconn(argv[1]) || smfi_register(filter) || smfi_main();
}
