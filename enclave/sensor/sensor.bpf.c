// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The kernel side of the sensor: which hooks there are. What each of them needs is in a file of its own.
 *
 * Only tp_btf and cgroup programs are needed. LSM programs see the same things without a race and are loaded where the
 * kernel takes them; what both report is one event, because an inode is reported once.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "record.h"

/* Helpers that read kernel memory demand a licence that is compatible with the GPL. */
char LICENSE[] SEC("license") = "Dual BSD/GPL";

#include "emit.bpf.h"
#include "scope.bpf.h"
#include "file.bpf.h"
#include "seen.bpf.h"
#include "calls.bpf.h"
#include "network.bpf.h"

/* clone3 can start a child in the cgroup from outside. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (parent->tgid == child->tgid)
		return 0;
	if (!is_followed(parent->tgid)) {
		if (scope_cgroup && is_in_scope(BPF_CORE_READ(child, cgroups, dfl_cgrp)))
			follow(child->tgid);
		return 0;
	}
	follow(child->tgid);
	struct record record = {};
	describe_current(&record, RECORD_FORK);
	record.arguments[0] = child->tgid;
	emit(&record);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *program)
{
	if (!is_followed(task->tgid))
		return 0;
	struct scratch *scratch = scratch_of_current();
	if (!scratch)
		return lose();
	describe_current(&scratch->record, RECORD_EXEC);
	describe_file(scratch, program->file);
	emit_with_text(scratch);
	report_interpreter(task);
	return 0;
}

/* A process ends with its last thread, which need not be its first. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 pid = task->tgid;
	if (BPF_CORE_READ(task, signal, live.counter) != 0 || !is_followed(pid))
		return 0;
	struct record record = {};
	describe_current(&record, RECORD_EXIT);
	record.arguments[0] = BPF_CORE_READ(task, exit_code) & 0xffff;
	emit(&record);
	unfollow(pid);
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *registers, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (!is_followed(task->tgid))
		return 0;
	if (is_foreign_abi(task))
		return report_foreign_abi(task->tgid, number);
	__u32 call = number;
	if (call >= MOST_CALLS)
		return 0;
	count_call(call);
	if (sensitive_calls[call] & CALL_REPORT)
		report_call(registers, call);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_return, struct pt_regs *registers, long result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (!is_followed(task->tgid))
		return 0;
	__u64 call = call_number(registers);
	__u8 effect = call < MOST_CALLS ? call_effects[call] : EFFECT_NONE;
	if (effect == EFFECT_NONE || (result < 0 && result > -4096) || is_foreign_abi(task))
		return 0;
	if (effect == EFFECT_OPENED)
		report_open(task, result);
	else
		report_mapping(task, registers, effect == EFFECT_MAPPED ? result : 0);
	return 0;
}

/* Whoever is moved into the cgroup is watched from then on; whoever leaves it, still. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(on_move, struct cgroup *target, const char *path, struct task_struct *task)
{
	if (!scope_cgroup || !is_unified(target))
		return 0;
	if (is_in_scope(target)) {
		follow(task->tgid);
		return 0;
	}
	if (!is_followed(task->tgid))
		return 0;
	struct scratch *scratch = scratch_of_current();
	if (!scratch)
		return lose();
	describe_current(&scratch->record, RECORD_SENSITIVE);
	scratch->record.pid = task->tgid;
	scratch->record.tid = task->pid;
	scratch->record.call = CALL_CGROUP_LEAVE;
	long bytes = bpf_probe_read_kernel_str(scratch->text, NAME_BYTES, path);
	scratch->record.path_bytes = bytes > 0 ? bytes : 0;
	emit_with_text(scratch);
	return 0;
}

/* Also of the kernel's thread that serves a ring: it belongs to the process. */
SEC("?tp_btf/io_uring_submit_req")
int BPF_PROG(on_ring, struct io_kiocb *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (is_followed(task->tgid))
		report_ring_operation(request->opcode);
	return 0;
}

/* Sees what the exits of system calls see, with the very file that the kernel is about to use. */
SEC("?lsm/file_open")
int BPF_PROG(lsm_open, struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (is_followed(task->tgid))
		report_opened(file);
	return 0;
}

SEC("?lsm/mmap_file")
int BPF_PROG(lsm_map, struct file *file, unsigned long asked, unsigned long granted)
{
	struct task_struct *task = bpf_get_current_task_btf();
	if (file && (granted & PROTECTION_EXECUTE) && is_followed(task->tgid))
		report_mapped(file, 0, 0);
	return 0;
}

SEC("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *to)
{
	return judge4(to, RECORD_CONNECT);
}

SEC("cgroup/sendmsg4")
int on_send4(struct bpf_sock_addr *to)
{
	return judge4(to, RECORD_SEND);
}

SEC("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *to)
{
	return judge6(to, RECORD_CONNECT);
}

SEC("cgroup/sendmsg6")
int on_send6(struct bpf_sock_addr *to)
{
	return judge6(to, RECORD_SEND);
}

/* A raw socket writes its own headers, which no hook above reads. */
SEC("cgroup/sock_create")
int on_socket(struct bpf_sock *socket)
{
	return !only_allowed || socket->type != SOCKET_RAW;
}

SEC("cgroup_skb/egress")
int on_sent(struct __sk_buff *packet)
{
	return count_packet(packet, true);
}

SEC("cgroup_skb/ingress")
int on_received(struct __sk_buff *packet)
{
	return count_packet(packet, false);
}
