/* SPDX-License-Identifier: Apache-2.0 */
/* What did the kernel side count since the last time? One line of JSON. */
#ifndef SENSOR_SUMS_H
#define SENSOR_SUMS_H

#include "sensor.skel.h"

/* `request`: the number that came with the command; 0 where the time had come. */
void put_interval(struct sensor_bpf *programs, unsigned int request);

#endif
