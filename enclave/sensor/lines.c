// SPDX-License-Identifier: Apache-2.0
/* How does a record become a line of JSON? sensor-event.ts says what a line may be. */
#include "lines.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "calls.h"

#define WAITING_BYTES (256 * 1024)
#define FLUSH_AT (64 * 1024) /* as much as a pipe holds */
#define MOST_NAMES (PATH_BYTES + NAME_BYTES)
#define TEXT_SPACE (2 * (PATH_BYTES + NAME_BYTES)) /* a slash before each name */

#define LARGEST_EXACT ((1ULL << 53) - 1) /* Number.MAX_SAFE_INTEGER: sparse files can claim more */

static char waiting[WAITING_BYTES];
static size_t waiting_bytes;

void flush_lines(void)
{
	size_t written = 0;
	while (written < waiting_bytes) {
		ssize_t part = write(STDOUT_FILENO, waiting + written, waiting_bytes - written);
		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			exit(1); /* whoever reads is gone */
		written += part;
	}
	waiting_bytes = 0;
}

void put(const char *format, ...)
{
	va_list values;
	va_start(values, format);
	int bytes = vsnprintf(waiting + waiting_bytes, WAITING_BYTES - waiting_bytes, format, values);
	va_end(values);
	if (bytes < 0 || waiting_bytes + bytes >= WAITING_BYTES)
		abort(); /* a line is far shorter than what is left after FLUSH_AT */
	waiting_bytes += bytes;
}

/* Bytes of the UTF-8 sequence at `text` (RFC 3629: no overlong forms, no surrogates), 0 if there is none. */
static int sequence_bytes(const unsigned char *text, size_t left)
{
	unsigned char first = text[0];
	if (first < 0x80)
		return 1;
	int bytes = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
	if (!bytes || left < (size_t)bytes)
		return 0;
	for (int at = 1; at < bytes; at++)
		if ((text[at] & 0xc0) != 0x80)
			return 0;
	if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
	    (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
		return 0;
	return bytes;
}

static bool is_utf8(const char *text, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		int part = sequence_bytes((const unsigned char *)text + at, bytes - at);
		if (!part)
			return false;
		at += part;
	}
	return true;
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static void append(const char *text, size_t bytes)
{
	if (waiting_bytes + bytes >= WAITING_BYTES)
		abort(); /* a line is far shorter than what is left after FLUSH_AT */
	memcpy(waiting + waiting_bytes, text, bytes);
	waiting_bytes += bytes;
}

/* What stands between quotes. A byte that is no UTF-8 becomes U+FFFD. */
static void put_bytes(const char *text, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		size_t plain = 0;
		while (at + plain < bytes && is_plain(text[at + plain]))
			plain++;
		append(text + at, plain);
		at += plain;
		if (at >= bytes)
			return;
		unsigned char byte = text[at];
		int part = sequence_bytes((const unsigned char *)text + at, bytes - at);
		if (!part)
			put("\\ufffd");
		else if (byte == '"' || byte == '\\')
			put("\\%c", byte);
		else if (byte < 0x20 || byte == 0x7f)
			put("\\u%04x", byte);
		else
			append(text + at, part);
		at += part ? part : 1;
	}
}

void put_text(const char *text, size_t most_bytes)
{
	put("\"");
	put_bytes(text, strnlen(text, most_bytes));
	put("\"");
}

void put_address(unsigned short family, const unsigned char *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	inet_ntop(family, address, text, sizeof(text));
	put("\"%s\"", text);
}

void put_protocol(unsigned int protocol)
{
	if (protocol == IPPROTO_TCP)
		put("\"tcp\"");
	else if (protocol == IPPROTO_UDP)
		put("\"udp\"");
	else
		put("\"%u\"", protocol);
}

/* The kernel's dev_t has 20 bits of minor number; stat's has another layout. */
void put_inode(unsigned int kernel_device, unsigned long long inode)
{
	unsigned long long device = makedev(kernel_device >> 20, kernel_device & 0xfffff);
	put("\"%llu:%llu\"", device, inode);
}

void put_call(int number)
{
	const char *name = call_name(number);
	if (name)
		put("\"%s\"", name);
	else
		put("\"%d\"", number);
}

/* Names come from the file upwards. A memfd and the root itself have a name that is no component. Bytes of the path. */
static size_t path_of(const struct record *record, const char *text, char path[TEXT_SPACE])
{
	static const char *names[MOST_NAMES];
	int count = 0;
	for (size_t at = 0; at < record->path_bytes && count < MOST_NAMES; at += strlen(text + at) + 1)
		names[count++] = text + at;
	size_t length = 0;
	while (count-- > 0) {
		size_t bytes = strlen(names[count]);
		if (names[count][0] != '/')
			path[length++] = '/';
		memcpy(path + length, names[count], bytes);
		length += bytes;
	}
	if (length == 0)
		path[length++] = '/';
	return length;
}

/* Of a path that is too long its end, which says more. */
static void put_path(const char *path, size_t bytes)
{
	size_t cut = bytes < PATH_BYTES ? 0 : bytes - PATH_BYTES + 1;
	put_bytes(path + cut, bytes - cut);
}

static void put_file(const struct record *record, const char *text)
{
	char path[TEXT_SPACE];
	size_t bytes = path_of(record, text, path);
	bool is_truncated = (record->file_flags & FILE_TRUNCATED) || bytes >= PATH_BYTES || !is_utf8(path, bytes);
	put(",\"file\":{\"path\":\"");
	put_path(path, bytes);
	put("\",\"isTruncated\":%s,\"isAnonymous\":%s,\"inode\":", is_truncated ? "true" : "false",
	    record->file_flags & FILE_ANONYMOUS ? "true" : "false");
	put_inode(record->device, record->inode);
	put(",\"changedAt\":\"%llu\",\"size\":%llu}", record->changed_seconds * 1000000000ULL + record->changed_nanoseconds,
	    record->size < LARGEST_EXACT ? record->size : LARGEST_EXACT);
}

static void put_head(const char *kind, const struct record *record)
{
	put("{\"kind\":\"%s\",\"seq\":%llu,\"at\":%llu,\"pid\":%u,\"tid\":%u,\"parent\":%u,\"uid\":%u,\"comm\":", kind,
	    record->seq, record->at / 1000, record->pid, record->tid, record->parent, record->uid);
	put_text(record->program, PROGRAM_NAME_BYTES);
}

static void put_connection(const struct record *record)
{
	put_head("connection", record);
	put(",\"address\":");
	put_address(record->family, record->address);
	put(",\"port\":%u,\"protocol\":", record->port);
	put_protocol(record->protocol);
	put(",\"how\":\"%s\",\"verdict\":\"%s\"", record->kind == RECORD_CONNECT ? "connect" : "send",
	    record->action == ACTION_DENIED ? "denied" : "allowed");
}

static void put_sensitive(const struct record *record, const char *text)
{
	char path[TEXT_SPACE];
	put_head("sensitive", record);
	put(",\"call\":");
	put_call(record->call);
	put(",\"arguments\":[");
	for (int at = 0; at < 4; at++)
		put("%s\"%llx\"", at ? "," : "", record->arguments[at]);
	put("],\"detail\":\"");
	if (record->call == CALL_CGROUP_WRITE) {
		put_path(path, path_of(record, text, path));
	} else if (record->path_bytes) {
		put_bytes(text, strnlen(text, record->path_bytes));
	} else {
		for (int at = 0; at < shown_arguments(record->call); at++)
			put("%s%lld", at ? " " : "", (long long)record->arguments[at]);
	}
	put("\",\"action\":\"%s\"", record->action == ACTION_KILLED ? "killed" : "seen");
}

void put_record(const struct record *record, const char *text)
{
	switch (record->kind) {
	case RECORD_FORK:
		put_head("fork", record);
		put(",\"child\":%llu", record->arguments[0]);
		break;
	case RECORD_EXEC:
		put_head("exec", record);
		put_file(record, text);
		break;
	case RECORD_EXIT:
		put_head("exit", record);
		put(",\"status\":%llu", record->arguments[0]);
		break;
	case RECORD_MAP:
		put_head("map", record);
		put_file(record, text);
		put(",\"start\":\"%llx\",\"bytes\":%llu", record->arguments[0], record->arguments[1]);
		break;
	case RECORD_OPEN:
		put_head("open", record);
		put_file(record, text);
		put(",\"access\":\"%s\"", record->arguments[0] == ACCESS_WRITE ? "write" : "read");
		break;
	case RECORD_CONNECT:
	case RECORD_SEND:
		put_connection(record);
		break;
	case RECORD_SENSITIVE:
		put_sensitive(record, text);
		break;
	default:
		abort(); /* both sides are built from one record.h */
	}
	put("}\n");
	if (waiting_bytes > FLUSH_AT)
		flush_lines();
}
