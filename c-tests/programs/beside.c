/* Uses libmilter and another static library in Rust. */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <string.h>

extern int beside_answer(int);

int main(void)
{
	unsigned int major, minor, level;
	struct smfiDesc filter;

	memset(&filter, 0, sizeof filter);
	filter.xxfi_version = SMFI_VERSION;
	printf("%d\n", beside_answer(3));
	smfi_version(&major, &minor, &level);
	printf("%u.%u.%u %d %d\n", major, minor, level, smfi_register(filter), smfi_main());
	printf("%d\n", beside_answer(1));
	return 0;
}
