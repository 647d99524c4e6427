/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls are worth a line each, and how are all of them called? */
#ifndef SENSOR_CALLS_H
#define SENSOR_CALLS_H

#include "record.h"

struct sensitive_call {
	int number;
	unsigned char policy; /* enum call_policy */
	unsigned char shown;  /* so many arguments stand in `detail` */
};

extern const struct sensitive_call sensitive[];
extern const int sensitive_count;

/* Also of what is no system call (enum further_call). Null: this machine's headers know none of this number. */
const char *call_name(int number);

/* 0 for what is not on the list. */
int shown_arguments(int number);

/* -1: nothing on the list is called so. */
int sensitive_number(const char *name);

#endif
