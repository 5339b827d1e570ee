/* A program that is linked with the library, and ends at once. */
#include <libmilter/mfapi.h>

int main(int argc, char **argv)
{
	unsigned int major, minor, patch;

	(void)argv;
	return argc > 1 ? smfi_version(&major, &minor, &patch) : 0;
}
