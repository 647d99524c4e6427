// SPDX-License-Identifier: Apache-2.0
/*
 * The loader: puts the programs of sensor.bpf.c into the kernel and writes what they see to standard output, a JSON object per
 * line (sensor-event.ts). It obeys lines on standard input: `interval NUMBER`, `follow PID`, `close`. It ends when that is closed;
 * only after `close` does it take away what denies connections.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "follow.h"
#include "hooks.h"
#include "lines.h"
#include "sums.h"

#define RECORDS_AT_ONCE 4096
#define MOST_COMMAND 64

static int records_in_turn;

/* Whoever floods the ring must not keep the loader from its other work: after so many it is told to look around. */
static int on_record(void *unused, void *memory, size_t bytes)
{
	const struct record *record = memory;
	if (bytes < sizeof(*record) || record->path_bytes > bytes - sizeof(*record))
		abort();
	put_record(record, (const char *)(record + 1));
	return ++records_in_turn % RECORDS_AT_ONCE ? 0 : -EAGAIN;
}

static void put_ready(const struct hooks *hooks)
{
	put("{\"kind\":\"ready\",\"programs\":[");
	for (int at = 0; at < hooks->attached_count; at++)
		put("%s\"%s\"", at ? "," : "", hooks->attached[at]);
	put("],\"absent\":[");
	for (int at = 0; at < hooks->absent_count; at++) {
		put("%s{\"program\":\"%s\",\"reason\":", at ? "," : "", hooks->absent[at].name);
		put_text(hooks->absent[at].reason, REASON_BYTES);
		put("}");
	}
	put("]}\n");
	flush_lines();
}

/* False: end. */
static bool obey(struct hooks *hooks, const char *command)
{
	unsigned int request;
	int pid;
	if (!strcmp(command, "close")) {
		release_hooks(hooks);
		return false;
	}
	if (sscanf(command, "interval %u", &request) == 1)
		put_interval(hooks->programs, request);
	else if (sscanf(command, "follow %d", &pid) == 1 && pid > 0)
		follow_tree(hooks->programs, pid);
	return true;
}

static bool read_commands(struct hooks *hooks)
{
	static char pending[MOST_COMMAND];
	static size_t bytes;
	ssize_t part = read(STDIN_FILENO, pending + bytes, sizeof(pending) - bytes);
	if (part <= 0)
		return part < 0 && errno == EINTR;
	bytes += part;
	char *end;
	while ((end = memchr(pending, '\n', bytes))) {
		size_t used = end + 1 - pending;
		*end = 0;
		if (!obey(hooks, pending))
			return false;
		memmove(pending, pending + used, bytes - used);
		bytes -= used;
	}
	return bytes < sizeof(pending);
}

static long long milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void watch(struct hooks *hooks, struct ring_buffer *ring, int interval_ms)
{
	struct pollfd sources[] = {{ring_buffer__epoll_fd(ring), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
	long long next = milliseconds() + interval_ms;
	bool goes_on = true;
	while (goes_on) {
		long long left = next - milliseconds();
		bool has_more = records_in_turn > 0 && records_in_turn % RECORDS_AT_ONCE == 0;
		if (poll(sources, 2, has_more || left < 0 ? 0 : left) < 0 && errno != EINTR)
			break;
		records_in_turn = 0;
		ring_buffer__consume(ring);
		if (sources[1].revents)
			goes_on = read_commands(hooks);
		if (milliseconds() >= next) {
			put_interval(hooks->programs, 0);
			next = milliseconds() + interval_ms;
		}
		flush_lines();
	}
}

int main(int count, char **words)
{
	static struct settings settings;
	settings = settings_of(count, words);
	signal(SIGPIPE, SIG_IGN);
	/* No agent of the same user may read or trace this process. */
	prctl(PR_SET_DUMPABLE, 0);
	struct hooks hooks = attach_hooks(&settings);
	struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(hooks.programs->maps.ring), on_record, NULL, NULL);
	if (!ring) {
		fprintf(stderr, "sensor: the ring buffer cannot be read: %s\n", strerror(errno));
		return 1;
	}
	if (settings.pid)
		follow_tree(hooks.programs, settings.pid);
	if (settings.cgroup)
		follow_cgroup(hooks.programs, settings.cgroup);
	put_ready(&hooks);
	watch(&hooks, ring, settings.interval_ms);
	ring_buffer__consume(ring);
	put_interval(hooks.programs, 0);
	flush_lines();
	return 0;
}
