// SPDX-License-Identifier: Apache-2.0
/* Who was there before the sensor? From then on the kernel side follows by itself, so these are called when it is attached. */
#include "follow.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "record.h"

static bool is_followed(const struct sensor_bpf *programs, unsigned int pid)
{
	return programs->bss->followed[pid % MOST_PIDS / 64] & (1ULL << (pid % 64));
}

/* The kernel side sets bits of the same words at the same time. Whether it was not set yet. */
static bool follow(struct sensor_bpf *programs, unsigned int pid)
{
	unsigned long long bit = 1ULL << (pid % 64);
	if (__sync_fetch_and_or(&programs->bss->followed[pid % MOST_PIDS / 64], bit) & bit)
		return false;
	__sync_fetch_and_add(&programs->bss->followed_count, 1);
	return true;
}

/* 0: no such process. */
static unsigned int parent_of(unsigned int pid)
{
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	FILE *file = fopen(path, "re");
	char *read = file ? fgets(line, sizeof(line), file) : NULL;
	if (file)
		fclose(file);
	/* The name stands in brackets and may hold any: the last one ends it. */
	char *end = read ? strrchr(line, ')') : NULL;
	unsigned int parent = 0;
	return end && sscanf(end + 1, " %*c %u", &parent) == 1 ? parent : 0;
}

/* One look at all processes. Whether a child of a followed one was found that was not followed yet. */
static bool follow_children(struct sensor_bpf *programs)
{
	bool found = false;
	DIR *processes = opendir("/proc");
	struct dirent *entry;
	while (processes && (entry = readdir(processes))) {
		unsigned int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
		unsigned int parent = pid ? parent_of(pid) : 0;
		if (parent && is_followed(programs, parent) && follow(programs, pid))
			found = true;
	}
	if (processes)
		closedir(processes);
	return found;
}

void follow_tree(struct sensor_bpf *programs, unsigned int pid)
{
	follow(programs, pid);
	while (follow_children(programs))
		;
}

void follow_cgroup(struct sensor_bpf *programs, const char *folder)
{
	char path[PATH_MAX];
	unsigned int pid;
	snprintf(path, sizeof(path), "%s/cgroup.procs", folder);
	FILE *processes = fopen(path, "re");
	while (processes && fscanf(processes, "%u", &pid) == 1)
		follow(programs, pid);
	if (processes)
		fclose(processes);
	DIR *inner = opendir(folder);
	struct dirent *entry;
	while (inner && (entry = readdir(inner))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		follow_cgroup(programs, path);
	}
	if (inner)
		closedir(inner);
}
