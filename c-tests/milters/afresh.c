/* Runs a program as from a login: afresh PROGRAM ARGUMENT... */
#include "afresh.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	(void)argc;
	begin_afresh();
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
