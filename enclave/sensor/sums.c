// SPDX-License-Identifier: Apache-2.0
/* What did the kernel side count since the last time? One line of JSON. */
#include "sums.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "lines.h"
#include "record.h"

#define MOST_PER_MAP 4096 /* of `flows` and of `opens_again`: max_entries */
#define MOST_LISTED 256
#define MOST_CPUS 1024
#define BATCH 256

static unsigned long long microseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000ULL + now.tv_nsec / 1000;
}

static void put_calls(const struct sensor_bpf *programs)
{
	static unsigned long long before[MOST_CALLS], counts[MOST_CPUS];
	int cpus = libbpf_num_possible_cpus(), map = bpf_map__fd(programs->maps.call_counts);
	const char *separator = "";
	put(",\"systemCalls\":{");
	for (unsigned int call = 0; call < MOST_CALLS && cpus > 0 && cpus <= MOST_CPUS; call++) {
		unsigned long long sum = 0;
		if (bpf_map_lookup_elem(map, &call, counts))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			sum += counts[cpu];
		if (sum == before[call])
			continue;
		put("%s", separator);
		put_call(call);
		put(":%llu", sum - before[call]);
		separator = ",";
		before[call] = sum;
	}
	put("}");
}

/* Empties the map. How many there were. */
static unsigned int take_all(int map, void *keys, size_t key_bytes, void *values, size_t value_bytes)
{
	unsigned int taken = 0;
	__u64 position = 0;
	int ended = 0;
	while (!ended && taken < MOST_PER_MAP) {
		__u32 count = MOST_PER_MAP - taken < BATCH ? MOST_PER_MAP - taken : BATCH;
		ended = bpf_map_lookup_and_delete_batch(map, taken ? &position : NULL, &position,
							(char *)keys + taken * key_bytes,
							(char *)values + taken * value_bytes, &count, NULL);
		/* ENOENT: these were the last ones. */
		taken += count;
		if (!count)
			break;
	}
	return taken;
}

struct sorted {
	unsigned int at;
	unsigned long long weight;
};

static int more_first(const void *one, const void *other)
{
	unsigned long long a = ((const struct sorted *)one)->weight, b = ((const struct sorted *)other)->weight;
	return a < b ? 1 : a > b ? -1 : 0;
}

static void put_destinations(const struct sensor_bpf *programs)
{
	static struct flow keys[MOST_PER_MAP];
	static struct flow_bytes sums[MOST_PER_MAP];
	static struct sorted order[MOST_PER_MAP];
	unsigned int count = take_all(bpf_map__fd(programs->maps.flows), keys, sizeof(*keys), sums, sizeof(*sums));
	for (unsigned int at = 0; at < count; at++)
		order[at] = (struct sorted){at, sums[at].sent + sums[at].received};
	qsort(order, count, sizeof(*order), more_first);
	put(",\"destinations\":[");
	for (unsigned int place = 0; place < count && place < MOST_LISTED; place++) {
		unsigned int at = order[place].at;
		put("%s{\"address\":", place ? "," : "");
		put_address(keys[at].family, keys[at].address);
		put(",\"port\":%u,\"protocol\":", keys[at].port);
		put_protocol(keys[at].protocol);
		put(",\"sent\":%llu,\"received\":%llu}", sums[at].sent, sums[at].received);
	}
	put("]");
}

static void put_opens(const struct sensor_bpf *programs)
{
	static struct opened_inode keys[MOST_PER_MAP];
	static unsigned long long sums[MOST_PER_MAP], others_before;
	static struct sorted order[MOST_PER_MAP];
	unsigned long long others = programs->bss->other_opens - others_before;
	unsigned int count =
		take_all(bpf_map__fd(programs->maps.opens_again), keys, sizeof(*keys), sums, sizeof(*sums));
	others_before += others;
	for (unsigned int at = 0; at < count; at++)
		order[at] = (struct sorted){at, sums[at]};
	qsort(order, count, sizeof(*order), more_first);
	put(",\"opens\":[");
	for (unsigned int place = 0; place < count; place++) {
		unsigned int at = order[place].at;
		if (place >= MOST_LISTED) {
			others += sums[at];
			continue;
		}
		put("%s{\"inode\":", place ? "," : "");
		put_inode(keys[at].device, keys[at].inode);
		put(",\"access\":\"%s\",\"count\":%llu}", keys[at].access == ACCESS_WRITE ? "write" : "read", sums[at]);
	}
	put("],\"otherOpens\":%llu", others);
}

/* A program is not run again on a CPU where it runs: the kernel counts how often. */
static unsigned long long missed(const struct sensor_bpf *programs)
{
	unsigned long long all = 0;
	struct bpf_program *program;
	bpf_object__for_each_program(program, programs->obj) {
		struct bpf_prog_info info = {};
		__u32 bytes = sizeof(info);
		if (bpf_program__fd(program) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &bytes))
			all += info.recursion_misses;
	}
	return all;
}

/* Since the last call, of a counter that only rises. */
static unsigned long long since(unsigned long long now, unsigned long long *before)
{
	unsigned long long difference = now - *before;
	*before = now;
	return difference;
}

void put_interval(struct sensor_bpf *programs, unsigned int request)
{
	static unsigned long long last_at, sent, received, anonymous;
	unsigned long long at = microseconds();
	if (!last_at)
		last_at = at;
	put("{\"kind\":\"interval\",\"at\":%llu,\"request\":%u,\"milliseconds\":%llu", at, request,
	    (at - last_at) / 1000);
	last_at = at;
	put_calls(programs);
	put(",\"bytesSent\":%llu,\"bytesReceived\":%llu", since(programs->bss->bytes_sent, &sent),
	    since(programs->bss->bytes_received, &received));
	put_destinations(programs);
	put_opens(programs);
	put(",\"anonymousExecutable\":%llu,\"processes\":%llu,\"numbered\":%llu,\"lost\":%llu,\"missed\":%llu}\n",
	    since(programs->bss->anonymous_executable, &anonymous), programs->bss->followed_count, programs->bss->numbered,
	    programs->bss->lost, missed(programs));
}
