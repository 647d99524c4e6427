/* SPDX-License-Identifier: Apache-2.0 */
/* How do the programs of sensor.bpf.c get into the kernel, and which of them did it take? */
#ifndef SENSOR_HOOKS_H
#define SENSOR_HOOKS_H

#include "sensor.skel.h"
#include "settings.h"

#define MOST_HOOKS 32
#define REASON_BYTES 160

struct absent_hook {
	const char *name;
	char reason[REASON_BYTES];
};

struct hooks {
	struct sensor_bpf *programs;
	const char *attached[MOST_HOOKS];
	int attached_count;
	struct absent_hook absent[MOST_HOOKS];
	int absent_count;
	int cgroup; /* a descriptor, or -1 */
	bool outlive; /* what denies stays when this process ends without `release_hooks` */
};

/* Ends the process with a sentence where the kernel refuses what cannot be done without. */
struct hooks attach_hooks(const struct settings *settings);

/* Takes away what outlives the process. The rest goes with it. */
void release_hooks(struct hooks *hooks);

#endif
