/* The MTA that calls.c plays against itself. */
#ifndef MTA_H
#define MTA_H

#include "surroundings.h"
#include "daemon.h"
#include "signals.h"
#include <poll.h>

/* Sends one packet and reads the reply: its letter, or why there is none. */
static char exchange(int fd, const char *packet, size_t n)
{
	unsigned char reply[64];
	struct pollfd wait = {fd, POLLIN, 0};

	(void)!send(fd, packet, n, MSG_NOSIGNAL);
	/* Where no reply ever comes this is the only way to find out. */
	if (poll(&wait, 1, 3000) != 1)
		return '?';
	return recv(fd, reply, sizeof reply, 0) > 4 ? (char)reply[4] : '!';
}
#define SEND(fd, s) exchange(fd, s, sizeof s - 1)

/* Comma-separated actions while the filter is in smfi_main. */
static void play_mta(const char *actions, pid_t filter)
{
	char *text = strdup(actions), *save, *word;
	char seen[64] = "";
	int fd = -1, tries;

	for (word = strtok_r(text, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
		char letter[2] = "";

		if (strcmp(word, "connect") == 0)
			fd = new_connection(0);
		else if (strcmp(word, "negotiate") == 0)
			letter[0] = SEND(fd, "\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff");
		else if (strcmp(word, "host") == 0)
			letter[0] = SEND(fd, "\0\0\0\x05" "Ch\0U\0");
		else if (strcmp(word, "mail") == 0)
			letter[0] = SEND(fd, "\0\0\0\x07M<a@b>\0");
		else if (strcmp(word, "eom") == 0)
			letter[0] = SEND(fd, "\0\0\0\1E");
		else if (strcmp(word, "hangup") == 0)
			close(fd);
		else if (strcmp(word, "sessions") == 0)
			play_sessions();
		else if (strcmp(word, "either-hup") == 0)
			hang_up_either(filter);
		else if (signal_number(word) != 0)
			letter[0] = send_and_wait(filter, signal_number(word));
		else if (strcmp(word, "term") == 0)
			kill(filter, SIGTERM);
		else if (strcmp(word, "hup") == 0)
			kill(filter, SIGHUP);
		else if (strcmp(word, "int") == 0)
			kill(filter, SIGINT);
		else if (strcmp(word, "replace") == 0) {
			/* Another process puts its own socket there. */
			unlink(path);
			bound_socket(path);
		} else if (strcmp(word, "until-refused") == 0) {
			/* This copy of the listener would keep the address open. */
			close(listener());
			for (tries = 0; tries < 10000; tries++) {
				int probe_fd = new_connection(0);

				if (probe_fd < 0)
					break;
				close(probe_fd);
				usleep(2000);
			}
		}
		strcat(seen, letter);
	}
	say("MTA: %s", seen);
}

#endif
