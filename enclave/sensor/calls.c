// SPDX-License-Identifier: Apache-2.0
/* Which system calls are worth a line each, and how are all of them called? */
#include "calls.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

static const char *const names[ALL_CALLS] = {
#include "call-names.h" /* made by build.sh from this machine's headers */
	[CALL_FOREIGN_ABI] = "foreign-abi",
	[CALL_CGROUP_WRITE] = "cgroup-write",
	[CALL_CGROUP_LEAVE] = "cgroup-leave",
	[CALL_RING_OPERATION] = "io-uring-operation",
	[CALL_UNSEEN_MAPPING] = "unseen-mapping",
};

/* So many of its arguments are numbers that say what it is about, and no pointers or handles that differ each time. */
#define REPORTED(name, shown) {SYS_##name, CALL_REPORT, shown}
/* Its first argument is a text. */
#define REPORTED_WITH_NAME(name) {SYS_##name, CALL_REPORT | CALL_NAMED_ARGUMENT, 0}

const struct sensitive_call sensitive[] = {
	/* Other processes' memory and descriptors. */
	REPORTED(ptrace, 2),
	REPORTED(process_vm_readv, 1),
	REPORTED(process_vm_writev, 1),
	REPORTED(pidfd_getfd, 2),
	REPORTED(process_madvise, 1),
	/* Code from nowhere. */
	REPORTED_WITH_NAME(memfd_create),
	REPORTED(memfd_secret, 1),
	REPORTED(userfaultfd, 1),
	REPORTED(personality, 1),
	/* The kernel itself. */
	REPORTED(bpf, 1),
	REPORTED(perf_event_open, 0),
	REPORTED(init_module, 0),
	REPORTED(finit_module, 1),
	REPORTED_WITH_NAME(delete_module),
	REPORTED(kexec_load, 0),
#ifdef SYS_kexec_file_load
	REPORTED(kexec_file_load, 0),
#endif
	REPORTED(reboot, 3),
#ifdef SYS_iopl
	REPORTED(iopl, 1),
	REPORTED(ioperm, 3),
	REPORTED(modify_ldt, 1),
#endif
	/* Work that the kernel does without system calls: it would not be seen. */
	REPORTED(io_uring_setup, 1),
	/* Who one is. */
	REPORTED(setuid, 1),
	REPORTED(setgid, 1),
	REPORTED(setreuid, 2),
	REPORTED(setregid, 2),
	REPORTED(setresuid, 3),
	REPORTED(setresgid, 3),
	REPORTED(setfsuid, 1),
	REPORTED(setfsgid, 1),
	REPORTED(setgroups, 1),
	REPORTED(capset, 0),
	/* What one sees; clone and clone3 with new namespaces only. */
	REPORTED(setns, 2),
	REPORTED(unshare, 1),
	REPORTED(clone, 1),
	REPORTED(clone3, 0),
	REPORTED_WITH_NAME(mount),
	REPORTED_WITH_NAME(umount2),
	REPORTED_WITH_NAME(pivot_root),
	REPORTED_WITH_NAME(chroot),
	REPORTED(move_mount, 0),
	REPORTED(open_tree, 1),
	REPORTED_WITH_NAME(fsopen),
	REPORTED(mount_setattr, 0),
	REPORTED(open_by_handle_at, 1),
	/* Time. */
	REPORTED(clock_settime, 1),
	REPORTED(settimeofday, 0),
	REPORTED(adjtimex, 0),
	REPORTED(clock_adjtime, 1),
	/* Raw sockets, and families other than Unix, Internet and netlink: vsock leads to the host. */
	REPORTED(socket, 3),
	{CALL_FOREIGN_ABI, CALL_REPORT, 1},
	{CALL_RING_OPERATION, CALL_REPORT, 1},
};
const int sensitive_count = sizeof(sensitive) / sizeof(sensitive[0]);

const char *call_name(int number)
{
	return number >= 0 && number < ALL_CALLS ? names[number] : NULL;
}

int shown_arguments(int number)
{
	for (int at = 0; at < sensitive_count; at++)
		if (sensitive[at].number == number)
			return sensitive[at].shown;
	return 0;
}

int sensitive_number(const char *name)
{
	for (int at = 0; at < sensitive_count; at++) {
		const char *known = call_name(sensitive[at].number);
		if (known && !strcmp(known, name))
			return sensitive[at].number;
	}
	return -1;
}
