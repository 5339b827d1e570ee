/*
 * other_user SOCKET UID - logs a line as whoever starts it, becomes another user, and only then opens its
 * socket, as daemons do that are told a user; logs another line in each session.
 */
#include <grp.h>
#include <libmilter/mfapi.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	(void)smfi_addheader(ctx, "X-Helo", name);
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;
	uid_t user;

	if (argc != 3)
		return 2;
	memset(&filter, 0, sizeof filter);
	filter.xxfi_name = "other_user";
	filter.xxfi_version = SMFI_VERSION;
	filter.xxfi_flags = SMFIF_ADDHDRS;
	filter.xxfi_helo = on_helo;
	user = (uid_t)atoi(argv[2]);
	if (smfi_register(filter) != MI_SUCCESS)
		return 3;
	/* Fails, and is logged. */
	(void)smfi_setconn("nothing:at all");
	(void)smfi_opensocket(0);
	if (setgroups(0, NULL) != 0 || setgid(user) != 0 || setuid(user) != 0)
		return 4;
	return smfi_setconn(argv[1]) == MI_SUCCESS && smfi_main() == MI_SUCCESS ? 0 : 1;
}
