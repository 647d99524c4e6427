// SPDX-License-Identifier: Apache-2.0
/* How do the programs of sensor.bpf.c get into the kernel, and which of them did it take? */
#include "hooks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "calls.h"

#define MOST_OF_OTHERS 64

static void fail(const char *format, ...)
{
	va_list values;
	va_start(values, format);
	fprintf(stderr, "sensor: ");
	vfprintf(stderr, format, values);
	fprintf(stderr, "\n");
	va_end(values);
	exit(1);
}

static int print_warnings(enum libbpf_print_level level, const char *format, va_list values)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, values) : 0;
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list values)
{
	return 0;
}

static int open_cgroup(const char *folder)
{
	struct statfs system;
	int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || fstatfs(directory, &system))
		fail("%s: %s", folder, strerror(errno));
	if (system.f_type != CGROUP2_SUPER_MAGIC)
		fail("%s: this is no folder of cgroup v2 (on systems with both it is below /sys/fs/cgroup/unified)",
		     folder);
	return directory;
}

static void set_call_numbers(struct sensor_bpf *programs)
{
	unsigned char *effects = (unsigned char *)programs->rodata->call_effects;
#ifdef SYS_open
	effects[SYS_open] = EFFECT_OPENED;
	effects[SYS_creat] = EFFECT_OPENED;
#endif
	effects[SYS_openat] = EFFECT_OPENED;
	effects[SYS_openat2] = EFFECT_OPENED;
	effects[SYS_open_by_handle_at] = EFFECT_OPENED;
	effects[SYS_mmap] = EFFECT_MAPPED;
	effects[SYS_mprotect] = EFFECT_PROTECTED;
	effects[SYS_pkey_mprotect] = EFFECT_PROTECTED;
	programs->rodata->call_clone = SYS_clone;
	programs->rodata->call_clone3 = SYS_clone3;
	programs->rodata->call_socket = SYS_socket;
	programs->rodata->call_personality = SYS_personality;
	for (int at = 0; at < sensitive_count; at++)
		programs->rodata->sensitive_calls[sensitive[at].number] = sensitive[at].policy;
}

static void set_killed(struct sensor_bpf *programs, const struct settings *settings)
{
	for (int at = 0; at < settings->killed_count; at++) {
		int number = sensitive_number(settings->killed[at]);
		if (number < 0)
			fail("--kill %s: this is none of the calls that are reported (calls.c)", settings->killed[at]);
		programs->rodata->sensitive_calls[number] |= CALL_KILL;
	}
}

/* What the kernel's verifier is to see as constants: before the programs are loaded. */
static void set_constants(struct hooks *hooks, const struct settings *settings)
{
	struct sensor_bpf *programs = hooks->programs;
	struct stat folder;
	set_call_numbers(programs);
	set_killed(programs, settings);
	programs->rodata->watch_opens = settings->watch_opens;
	programs->rodata->watch_calls = settings->watch_calls;
	programs->rodata->watch_bytes = settings->watch_bytes;
	programs->rodata->only_allowed = settings->only_allowed;
	if (hooks->cgroup >= 0 && fstat(hooks->cgroup, &folder) == 0)
		programs->rodata->scope_cgroup = folder.st_ino; /* on 64 bits the id of a cgroup */
	if (settings->ring_bytes && bpf_map__set_max_entries(programs->maps.ring, settings->ring_bytes))
		fail("--ring %u: must be a power of two, and no less than a page", settings->ring_bytes);
}

static bool is_lsm(const struct bpf_program *program)
{
	return bpf_program__type(program) == BPF_PROG_TYPE_LSM;
}

static bool is_of_cgroup(const struct bpf_program *program)
{
	return !strncmp(bpf_program__section_name(program), "cgroup", 6);
}

/* Absent before Linux 6.4, and where the kernel has no io_uring. */
static bool has_ring_tracepoint(void)
{
	return libbpf_find_vmlinux_btf_id("io_uring_submit_req", BPF_TRACE_RAW_TP) > 0;
}

static bool is_wanted(const struct hooks *hooks, const struct bpf_program *program, bool with_lsm)
{
	if (is_lsm(program))
		return with_lsm;
	if (!strcmp(bpf_program__name(program), "on_ring"))
		return has_ring_tracepoint();
	return !is_of_cgroup(program) || hooks->cgroup >= 0;
}

/* Needs a kernel with BPF LSM, and a machine that allows it. */
static bool takes_lsm(char reason[REASON_BYTES])
{
	int taken = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_LSM, NULL);
	if (taken > 0)
		return true;
	snprintf(reason, REASON_BYTES, "the kernel takes no LSM program%s%s", taken < 0 ? ": " : "",
		 taken < 0 ? strerror(-taken) : "");
	return false;
}

static struct sensor_bpf *opened(struct hooks *hooks, const struct settings *settings, bool with_lsm)
{
	struct bpf_program *program;
	hooks->programs = sensor_bpf__open();
	if (!hooks->programs)
		fail("the programs cannot be read: %s", strerror(errno));
	set_constants(hooks, settings);
	bpf_object__for_each_program(program, hooks->programs->obj) {
		bpf_program__set_autoload(program, is_wanted(hooks, program, with_lsm));
	}
	return hooks->programs;
}

static void note_absent(struct hooks *hooks, const char *name, const char *reason)
{
	struct absent_hook *absent = &hooks->absent[hooks->absent_count++];
	absent->name = name;
	snprintf(absent->reason, sizeof(absent->reason), "%s", reason);
}

/* With the LSM programs, or, where the kernel refuses one of them, without. */
static void load(struct hooks *hooks, const struct settings *settings)
{
	char reason[REASON_BYTES] = "";
	bool has_lsm = takes_lsm(reason);
	libbpf_set_print(print_nothing);
	if (has_lsm && sensor_bpf__load(opened(hooks, settings, true))) {
		snprintf(reason, sizeof(reason), "the kernel refused it: %s", strerror(errno));
		sensor_bpf__destroy(hooks->programs);
		has_lsm = false;
	}
	libbpf_set_print(print_warnings);
	if (!has_ring_tracepoint())
		note_absent(hooks, "on_ring", "the kernel has no tracepoint io_uring_submit_req");
	if (has_lsm)
		return;
	if (sensor_bpf__load(opened(hooks, settings, false)))
		fail("the kernel refused the programs: %s. They need root (CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, "
		     "CAP_SYS_ADMIN), Linux 6.1 and BTF",
		     strerror(errno));
	note_absent(hooks, "lsm_open", reason);
	note_absent(hooks, "lsm_map", reason);
}

/* Of the loaded program; its name as the kernel keeps it. */
static __u32 id_of(int program, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {};
	__u32 bytes = sizeof(info);
	if (bpf_obj_get_info_by_fd(program, &info, &bytes))
		return 0;
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	return info.id;
}

/* Programs of this name that a sensor before this one left at the cgroup, when it was killed. */
static void detach_older(int cgroup, const struct bpf_program *program)
{
	char own_name[BPF_OBJ_NAME_LEN], name[BPF_OBJ_NAME_LEN];
	__u32 ids[MOST_OF_OTHERS], count = MOST_OF_OTHERS, flags = 0;
	enum bpf_attach_type type = bpf_program__expected_attach_type(program);
	__u32 own = id_of(bpf_program__fd(program), own_name);
	if (bpf_prog_query(cgroup, type, 0, &flags, ids, &count))
		return;
	for (__u32 at = 0; at < count; at++) {
		int other = bpf_prog_get_fd_by_id(ids[at]);
		if (other < 0)
			continue;
		if (ids[at] != own && id_of(other, name) && !strncmp(name, own_name, BPF_OBJ_NAME_LEN))
			bpf_prog_detach2(other, cgroup, type);
		close(other);
	}
}

/*
 * A link goes with the process that made it. What denies must not: whoever kills the sensor would open the network. So such
 * programs are attached without one, and stay until they are detached, or the cgroup is removed.
 */
static int attach_to_cgroup(struct hooks *hooks, struct bpf_program *program)
{
	if (!hooks->outlive)
		return bpf_program__attach_cgroup(program, hooks->cgroup) ? 0 : -errno;
	int refused = bpf_prog_attach(bpf_program__fd(program), hooks->cgroup,
				      bpf_program__expected_attach_type(program), BPF_F_ALLOW_MULTI);
	return refused ? -errno : 0;
}

static void attach(struct hooks *hooks, struct bpf_program *program)
{
	const char *name = bpf_program__name(program);
	int refused;
	if (is_of_cgroup(program))
		refused = attach_to_cgroup(hooks, program);
	else
		refused = bpf_program__attach(program) ? 0 : -errno;
	if (!refused)
		hooks->attached[hooks->attached_count++] = name;
	else if (is_lsm(program))
		note_absent(hooks, name, strerror(-refused));
	else
		fail("%s cannot be attached: %s", name, strerror(-refused));
	if (is_of_cgroup(program))
		detach_older(hooks->cgroup, program);
}

static void allow(const struct sensor_bpf *programs, const struct destination *to)
{
	struct prefix6 key = {.bits = to->bits}; /* of IPv4 it begins with a prefix4 */
	struct allowed_ports ports = {};
	int map = bpf_map__fd(to->family == 2 ? programs->maps.allowed4 : programs->maps.allowed6);
	memcpy(key.address, to->address, sizeof(key.address));
	bool is_known = bpf_map_lookup_elem(map, &key, &ports) == 0;
	if (!to->port || (is_known && ports.count == 0))
		ports = (struct allowed_ports){};
	else if (ports.count < MOST_PORTS)
		ports.ports[ports.count++] = to->port;
	else
		fail("more than %d ports of one address are allowed: name it without a port", MOST_PORTS);
	if (bpf_map_update_elem(map, &key, &ports, BPF_ANY))
		fail("a destination does not fit: %s", strerror(errno));
}

struct hooks attach_hooks(const struct settings *settings)
{
	struct hooks hooks = {.cgroup = -1, .outlive = settings->only_allowed};
	struct bpf_program *program;
	if (settings->cgroup)
		hooks.cgroup = open_cgroup(settings->cgroup);
	load(&hooks, settings);
	for (int at = 0; at < settings->destination_count; at++)
		allow(hooks.programs, &settings->destinations[at]);
	bpf_object__for_each_program(program, hooks.programs->obj)
		if (bpf_program__autoload(program))
			attach(&hooks, program);
	return hooks;
}

void release_hooks(struct hooks *hooks)
{
	struct bpf_program *program;
	if (!hooks->outlive)
		return;
	bpf_object__for_each_program(program, hooks->programs->obj)
		if (is_of_cgroup(program) && bpf_program__autoload(program))
			bpf_prog_detach2(bpf_program__fd(program), hooks->cgroup,
					 bpf_program__expected_attach_type(program));
}
