/*
 * The command line that the benchmark filter and the floor programs share.
 */

#ifndef OPTIONS_H
#define OPTIONS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct options {
	char *conn;	/* connection spec: unix:/path or inet:port@127.0.0.1 */
	int no_reply;	/* commands before the end of a message get no reply */
	int idle;	/* callbacks do nothing */
	int eom_ms;	/* how long the end-of-message callback blocks, ms */
	int slow_ms;	/* the same, for clients whose HELO name begins with "slow" */
	int timeout_s;	/* smfi_settimeout; 0: leave the default */
	int macros;	/* look up {m0}, {m1} and so on, so many, at the end of each message */
};

static inline void usage(const char *program)
{
	fprintf(stderr,
		"usage: %s -p CONN [-n] [-i] [-e MS] [-S MS] [-t SECONDS] [-m N]\n"
		"  -p CONN     unix:/path or inet:port@127.0.0.1\n"
		"  -n          no replies but to the end of a message\n"
		"  -i          look at nothing, change nothing (of the filters only)\n"
		"  -e MS       block that long at the end of each message\n"
		"  -S MS       the same, for HELO names that begin with \"slow\" only\n"
		"  -t SECONDS  timeout for the MTA\n"
		"  -m N        look up macros {m0} to {mN-1} at the end of each message, and say how long\n"
		"              that took (of the filters only)\n",
		program);
	exit(2);
}

static inline struct options parse_options(int argc, char **argv)
{
	struct options o = {0};
	int letter;

	while ((letter = getopt(argc, argv, "p:nie:S:t:m:")) != -1) {
		switch (letter) {
		case 'p': o.conn = optarg; break;
		case 'n': o.no_reply = 1; break;
		case 'i': o.idle = 1; break;
		case 'e': o.eom_ms = atoi(optarg); break;
		case 'S': o.slow_ms = atoi(optarg); break;
		case 't': o.timeout_s = atoi(optarg); break;
		case 'm': o.macros = atoi(optarg); break;
		default: usage(argv[0]);
		}
	}
	if (o.conn == NULL || optind != argc)
		usage(argv[0]);
	return o;
}

/* Blocks as a callback does that waits for DNS or a scanner. */
static inline void block_for(int ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000L};

	if (ms > 0)
		while (nanosleep(&left, &left) == -1 && errno == EINTR)
			;
}

/* Reads every byte of a body, as any scanner does at least once. */
static inline unsigned long read_bytes(const unsigned char *bytes, size_t size)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += bytes[i];
	return sum;
}

/* What the filter makes of each message. */
#define ADDED_NAME_1 "X-Bench-Checked"
#define ADDED_VALUE_1 "yes, by a filter that is measured"
#define ADDED_NAME_2 "X-Bench-Score"
#define ADDED_VALUE_2 "0.5 of 10.0 (DKIM_VALID=-0.1, HTML_MESSAGE=0.6)"
#define CHANGED_NAME "Subject"
#define CHANGED_VALUE "[checked] the subject, changed at the end"

#endif
