/* Which system calls were made, and which of them are worth a line? Their numbers come from the loader, which is C for this machine. */

#define PROTECTION_EXECUTE 0x4
#define READ_IMPLIES_EXECUTE 0x0400000 /* a personality */
#define NEW_NAMESPACES 0x7e020080      /* CLONE_NEW* of clone(2) */
#define SOCKET_RAW 3
#define FAMILY_UNIX 1
#define FAMILY_INET 2
#define FAMILY_INET6 10
#define FAMILY_NETLINK 16
#define SIGNAL_KILL 9

const volatile __u8 sensitive_calls[MOST_CALLS + 16] = {};
const volatile bool watch_calls = true;

/* enum call_effect */
const volatile __u8 call_effects[MOST_CALLS] = {};
const volatile long call_clone = -1, call_clone3 = -1, call_socket = -1, call_personality = -1;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MOST_CALLS);
	__type(key, __u32);
	__type(value, __u64);
} call_counts SEC(".maps");

#if defined(__TARGET_ARCH_x86)
static __always_inline long call_number(struct pt_regs *registers)
{
	return registers->orig_ax;
}
/* TS_COMPAT. Their numbers mean other calls: nothing that is compared by number may be. */
static __always_inline bool is_foreign_abi(struct task_struct *task)
{
	return task->thread_info.status & 0x2;
}
#elif defined(__TARGET_ARCH_arm64)
static __always_inline long call_number(struct pt_regs *registers)
{
	return registers->syscallno;
}
/* _TIF_32BIT */
static __always_inline bool is_foreign_abi(struct task_struct *task)
{
	return task->thread_info.flags & (1 << 22);
}
#else
#error "the sensor knows x86-64 and arm64"
#endif

static __always_inline void count_call(__u32 call)
{
	__u64 *count = watch_calls ? bpf_map_lookup_elem(&call_counts, &call) : 0;
	if (count)
		(*count)++;
}

static __always_inline void kill_if_asked(struct record *record, __u32 policy)
{
	if ((policy & CALL_KILL) && bpf_send_signal(SIGNAL_KILL) == 0)
		record->action = ACTION_KILLED;
}

/* Calls that are everyday ones but for an argument. */
static __always_inline bool is_harmless(__u32 call, struct pt_regs *registers)
{
	__u64 first = PT_REGS_PARM1_CORE_SYSCALL(registers);
	if (call == call_clone)
		return !(first & NEW_NAMESPACES);
	if (call == call_clone3) {
		__u64 flags = 0;
		return bpf_probe_read_user(&flags, sizeof(flags), (void *)first) == 0 &&
		       !(flags & NEW_NAMESPACES);
	}
	if (call == call_socket) {
		__u64 type = PT_REGS_PARM2_CORE_SYSCALL(registers) & 0xf;
		return type != SOCKET_RAW && (first == FAMILY_UNIX || first == FAMILY_INET ||
					      first == FAMILY_INET6 || first == FAMILY_NETLINK);
	}
	if (call == call_personality) /* 0xffffffff only asks */
		return (__u32)first == 0xffffffff || !(first & READ_IMPLIES_EXECUTE);
	return false;
}

static __always_inline void report_call(struct pt_regs *registers, __u32 call)
{
	if (is_harmless(call, registers))
		return;
	struct scratch *scratch = scratch_of_current();
	if (!scratch) {
		lose();
		return;
	}
	__u32 policy = sensitive_calls[call & (MOST_CALLS - 1)];
	struct record *record = &scratch->record;
	describe_current(record, RECORD_SENSITIVE);
	record->call = call;
	record->arguments[0] = PT_REGS_PARM1_CORE_SYSCALL(registers);
	record->arguments[1] = PT_REGS_PARM2_CORE_SYSCALL(registers);
	record->arguments[2] = PT_REGS_PARM3_CORE_SYSCALL(registers);
	record->arguments[3] = PT_REGS_PARM4_CORE_SYSCALL(registers);
	if (policy & CALL_NAMED_ARGUMENT) {
		/* Memory of the caller, who may still change it, and where it must be there already: for people only. */
		long bytes = bpf_probe_read_user_str(scratch->text, NAME_BYTES,
						     (void *)record->arguments[0]);
		record->path_bytes = bytes > 0 ? bytes : 0;
	}
	kill_if_asked(record, policy);
	emit_with_text(scratch);
}

/* Once per process: what follows is not understood anyway. */
static __always_inline int report_foreign_abi(__u32 pid, long number)
{
	if (!is_first_foreign_call(pid))
		return 0;
	struct record record = {};
	describe_current(&record, RECORD_SENSITIVE);
	record.call = CALL_FOREIGN_ABI;
	record.arguments[0] = number;
	kill_if_asked(&record, sensitive_calls[CALL_FOREIGN_ABI]);
	emit(&record);
	return 0;
}

/*
 * What a ring may be asked for without a line: reading, writing, polling, waiting, closing, and changing what epoll waits for
 * (libuv does). Bits by enum io_uring_op. Whatever else there is, opens and renames first of all, and what the kernel learns
 * later, is told: such an open is seen by no hook of system calls.
 */
#define EVERYDAY_OPERATIONS                                                                                              \
	(BIT(IORING_OP_NOP) | BIT(IORING_OP_READV) | BIT(IORING_OP_WRITEV) | BIT(IORING_OP_FSYNC) |                      \
	 BIT(IORING_OP_READ_FIXED) | BIT(IORING_OP_WRITE_FIXED) | BIT(IORING_OP_POLL_ADD) |                              \
	 BIT(IORING_OP_POLL_REMOVE) | BIT(IORING_OP_TIMEOUT) | BIT(IORING_OP_TIMEOUT_REMOVE) |                           \
	 BIT(IORING_OP_ASYNC_CANCEL) | BIT(IORING_OP_LINK_TIMEOUT) | BIT(IORING_OP_CLOSE) | BIT(IORING_OP_READ) |        \
	 BIT(IORING_OP_WRITE) | BIT(IORING_OP_EPOLL_CTL))
#define BIT(number) (1ULL << (number))

static __always_inline void report_ring_operation(__u32 operation)
{
	if (operation < 64 && (EVERYDAY_OPERATIONS & BIT(operation)))
		return;
	struct record record = {};
	describe_current(&record, RECORD_SENSITIVE);
	record.call = CALL_RING_OPERATION;
	record.arguments[0] = operation;
	kill_if_asked(&record, sensitive_calls[CALL_RING_OPERATION]);
	emit(&record);
}

static __always_inline void report_unseen_mapping(__u64 address)
{
	struct record record = {};
	describe_current(&record, RECORD_SENSITIVE);
	record.call = CALL_UNSEEN_MAPPING;
	record.arguments[0] = address;
	emit(&record);
}

/* `mapped`: where mmap put it; 0 for the calls whose first argument says where. */
static __always_inline void report_mapping(struct task_struct *task, struct pt_regs *registers,
					   __u64 mapped)
{
	bool is_readable_text = task->personality & READ_IMPLIES_EXECUTE;
	__u64 address = mapped ? mapped : PT_REGS_PARM1_CORE_SYSCALL(registers);
	if (!(PT_REGS_PARM3_CORE_SYSCALL(registers) & PROTECTION_EXECUTE) && !is_readable_text)
		return;
	if (report_area_at(task, address))
		return;
	/* Somebody holds the memory map. The descriptor is second best: it may mean another file by now. */
	struct file *file = mapped ? file_of(task, (int)PT_REGS_PARM5_CORE_SYSCALL(registers)) : 0;
	if (file)
		report_mapped(file, address, PT_REGS_PARM2_CORE_SYSCALL(registers));
	else
		report_unseen_mapping(address);
}
