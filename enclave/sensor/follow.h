/* SPDX-License-Identifier: Apache-2.0 */
/* Who was there before the sensor? From then on the kernel side follows by itself, so these are called when it is attached. */
#ifndef SENSOR_FOLLOW_H
#define SENSOR_FOLLOW_H

#include "sensor.skel.h"

/* The process, and all that it had started. */
void follow_tree(struct sensor_bpf *programs, unsigned int pid);

/* All processes in the folder of a cgroup, and in those below. */
void follow_cgroup(struct sensor_bpf *programs, const char *folder);

#endif
