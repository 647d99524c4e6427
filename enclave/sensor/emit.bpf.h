/* How does an event reach the loader, and how is one counted that does not? */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 * 1024 * 1024); /* the loader may ask for more */
} ring SEC(".maps");

/* Bytes of `text`: a name may begin at the last byte before PATH_BYTES. */
#define TEXT_BYTES (PATH_BYTES + NAME_BYTES)

struct scratch {
	struct record record;
	char text[TEXT_BYTES];
};

/*
 * Records with a path are put together here, because a BPF stack has 512 bytes. It belongs to the task and not to the CPU:
 * another task may run in between, and would write into the same.
 */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Read by the loader. */
__u64 numbered = 0, lost = 0;

static __always_inline struct scratch *scratch_of_current(void)
{
	struct scratch *scratch = bpf_task_storage_get(&scratches, bpf_get_current_task_btf(), 0,
						       BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (scratch)
		__builtin_memset(&scratch->record, 0, sizeof(scratch->record));
	return scratch;
}

/* An event for which there was no memory: it has its number too, so that the gap shows. */
static __always_inline int lose(void)
{
	__sync_fetch_and_add(&numbered, 1);
	__sync_fetch_and_add(&lost, 1);
	return 0;
}

static __always_inline void describe_current(struct record *record, __u32 kind)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 ids = bpf_get_current_pid_tgid();
	record->at = bpf_ktime_get_boot_ns();
	record->pid = ids >> 32;
	record->tid = (__u32)ids;
	record->parent = BPF_CORE_READ(task, real_parent, tgid);
	record->uid = (__u32)bpf_get_current_uid_gid();
	record->kind = kind;
	record->call = -1;
	bpf_get_current_comm(record->program, sizeof(record->program));
}

static __always_inline void emit(struct record *record)
{
	record->seq = __sync_fetch_and_add(&numbered, 1);
	if (bpf_ringbuf_output(&ring, record, sizeof(*record), 0))
		__sync_fetch_and_add(&lost, 1);
}

static __always_inline void emit_with_text(struct scratch *scratch)
{
	__u64 bytes = scratch->record.path_bytes;
	/* Read back from memory, it has no bounds that the verifier knows. */
	if (bytes > TEXT_BYTES)
		bytes = TEXT_BYTES;
	scratch->record.seq = __sync_fetch_and_add(&numbered, 1);
	if (bpf_ringbuf_output(&ring, scratch, sizeof(struct record) + bytes, 0))
		__sync_fetch_and_add(&lost, 1);
}
