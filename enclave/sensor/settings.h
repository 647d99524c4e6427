/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be watched, and what to be denied: the command line, read. */
#ifndef SENSOR_SETTINGS_H
#define SENSOR_SETTINGS_H

#include <stdbool.h>
#include "record.h"

#define MOST_DESTINATIONS 1024
#define MOST_KILLED 64

/* Family AF_INET or AF_INET6. Port 0: all of them. */
struct destination {
	int family;
	unsigned char address[16];
	unsigned int bits;
	unsigned short port;
};

struct settings {
	int pid;
	const char *cgroup;
	bool only_allowed, watch_opens, watch_calls, watch_bytes;
	int interval_ms;
	unsigned int ring_bytes;
	struct destination destinations[MOST_DESTINATIONS];
	int destination_count;
	const char *killed[MOST_KILLED];
	int killed_count;
};

/* Ends the process with a sentence and the usage where the command line is wrong. */
struct settings settings_of(int count, char **words);

#endif
