/* Opens a socket at argv[1] where one is left over: fails unless the argument, a bool of whatever kind,
 * arrives as it was meant. */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

/* Kept from the optimiser, so that the caller's code has to pass a bool of its own. */
static bool choose(volatile int *number)
{
	return *number != 0;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter;
	struct sockaddr_un un;
	volatile int no = 0, yes = 2;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_version = SMFI_VERSION;
	memset(&un, 0, sizeof un);
	un.sun_family = AF_UNIX;
	if (argc != 2)
		return 2;
	strncpy(un.sun_path, argv[1], sizeof un.sun_path - 1);
	if (bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&un, sizeof un) != 0)
		return 3;
	if (smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 4;
	printf("false %d\n", smfi_opensocket(choose(&no)));
	printf("true %d\n", smfi_opensocket(choose(&yes)));
	return 0;
}
