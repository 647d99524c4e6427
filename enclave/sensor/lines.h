/* SPDX-License-Identifier: Apache-2.0 */
/* How does a record become a line of JSON? sensor-event.ts says what a line may be. */
#ifndef SENSOR_LINES_H
#define SENSOR_LINES_H

#include <stddef.h>
#include "record.h"

/* Appends to what waits to be written; `flush_lines` writes it to standard output, and ends the process if nobody reads. */
void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
void put_text(const char *text, size_t most_bytes);
void flush_lines(void);

void put_record(const struct record *record, const char *text);
void put_address(unsigned short family, const unsigned char *address);
void put_protocol(unsigned int protocol);
void put_inode(unsigned int kernel_device, unsigned long long inode);
/* The name, or the number where there is no name. */
void put_call(int number);

#endif
