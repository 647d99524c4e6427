/*
 * Which files were opened and mapped? Each inode once per access, and again after its content changed; further opens are
 * only counted: a path costs a walk, and a running agent opens the same files for ever.
 */

#define PROC_MAGIC 0x9fa0
#define SYSFS_MAGIC 0x62656572
#define CGROUP_MAGIC 0x27e0eb
#define CGROUP2_MAGIC 0x63677270
#define VM_EXECUTABLE 0x4
#define AUXILIARY_END 0
#define AUXILIARY_BASE 7 /* AT_BASE: where the program's interpreter (ld.so) was mapped */
#define MOST_AUXILIARY 24

/* Forgets what was not used for long: that is reported as first again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct opened_inode);
	__type(value, struct change);
} seen_inodes SEC(".maps");

/* Opens again, since the loader emptied it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct opened_inode);
	__type(value, __u64);
} opens_again SEC(".maps");

/* Read by the loader. */
__u64 other_opens = 0, anonymous_executable = 0;

/* Set by the loader before the programs are loaded. */
const volatile bool watch_opens = true;

/* Files of the kernel change with each look. */
static __always_inline bool is_of_kernel(__u32 magic)
{
	return magic == PROC_MAGIC || magic == SYSFS_MAGIC || magic == CGROUP_MAGIC ||
	       magic == CGROUP2_MAGIC;
}

/* Whether this is new. What is written is new once: who writes a file changes it. */
static __always_inline bool is_first(const struct opened_inode *key, struct change now)
{
	struct change *seen = bpf_map_lookup_elem(&seen_inodes, key);
	if (seen && seen->seconds == now.seconds && seen->nanoseconds == now.nanoseconds)
		return false;
	bpf_map_update_elem(&seen_inodes, key, &now, BPF_ANY);
	return true;
}

static __always_inline void count_open(const struct opened_inode *key)
{
	__u64 one = 1, *count = bpf_map_lookup_elem(&opens_again, key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else if (bpf_map_update_elem(&opens_again, key, &one, BPF_NOEXIST))
		__sync_fetch_and_add(&other_opens, 1);
}

/* Whoever writes here moves processes, or thaws what was frozen. */
static __always_inline bool is_cgroup_write(__u32 magic, __u32 mode)
{
	return (mode & MODE_WRITE) && (magic == CGROUP_MAGIC || magic == CGROUP2_MAGIC);
}

static __always_inline void report_cgroup_write(struct file *file)
{
	struct scratch *scratch = scratch_of_current();
	if (!scratch) {
		lose();
		return;
	}
	describe_current(&scratch->record, RECORD_SENSITIVE);
	scratch->record.call = CALL_CGROUP_WRITE;
	describe_path(scratch, file);
	emit_with_text(scratch);
}

/* `first`, `second`: the record's arguments. */
static __always_inline void report_file(struct file *file, __u32 kind, __u64 first, __u64 second)
{
	struct scratch *scratch = scratch_of_current();
	if (!scratch) {
		lose();
		return;
	}
	describe_current(&scratch->record, kind);
	scratch->record.arguments[0] = first;
	scratch->record.arguments[1] = second;
	describe_file(scratch, file);
	emit_with_text(scratch);
}

/* Nearly all files are opened again and again: for those, nothing is read that is not compared. */
static __always_inline void report_opened(struct file *address)
{
	struct file *file = KNOWN_AS(struct file, address);
	struct inode *inode = file->f_inode;
	struct super_block *system = inode->i_sb;
	__u32 mode = file->f_mode, magic = system->s_magic;
	struct change now = {};
	if (mode & MODE_PATH_ONLY)
		return;
	if (is_cgroup_write(magic, mode)) {
		report_cgroup_write(file);
		return;
	}
	if (!watch_opens)
		return;
	struct opened_inode key = {
		.inode = inode->i_ino,
		.device = system->s_dev,
		.access = (mode & MODE_WRITE) ? ACCESS_WRITE : ACCESS_READ,
	};
	if (key.access == ACCESS_READ && !is_of_kernel(magic))
		now = change_of(inode);
	if (is_first(&key, now))
		report_file(file, RECORD_OPEN, key.access, 0);
	else
		count_open(&key);
}

static __always_inline void report_mapped(struct file *file, __u64 start, __u64 bytes)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct opened_inode key = {
		.inode = BPF_CORE_READ(inode, i_ino),
		.device = BPF_CORE_READ(inode, i_sb, s_dev),
		.access = ACCESS_MAP,
	};
	if (is_first(&key, change_of(inode)))
		report_file(file, RECORD_MAP, start, bytes);
}

static __always_inline void report_open(struct task_struct *task, long descriptor)
{
	struct file *file = file_of(task, descriptor);
	if (file)
		report_opened(file);
}

/* `found`: 0 as long as the area was not looked at. */
struct mapping {
	bool found;
};

static long report_area(struct task_struct *task, struct vm_area_struct *area,
			struct mapping *mapping)
{
	struct file *file = area->vm_file;
	mapping->found = true;
	if (file)
		report_mapped(file, area->vm_start, area->vm_end - area->vm_start);
	else
		__sync_fetch_and_add(&anonymous_executable, 1);
	return 0;
}

/* The kernel gives the memory map away only if nobody changes it at that moment: a few tries. */
static __always_inline bool report_area_at(struct task_struct *task, __u64 address)
{
	struct mapping mapping = {};
	for (int tries = 0; tries < 4 && !mapping.found; tries++)
		bpf_find_vma(task, address, report_area, &mapping, 0);
	return mapping.found;
}

/* ld.so is mapped by the kernel during exec, and no system call shows it. */
static __always_inline void report_interpreter(struct task_struct *task)
{
	unsigned long entries[MOST_AUXILIARY * 2] = {};
	struct mm_struct *memory = task->mm;
	bpf_core_read(entries, sizeof(entries), &memory->saved_auxv);
	for (int entry = 0; entry < MOST_AUXILIARY; entry++) {
		if (entries[entry * 2] == AUXILIARY_END)
			return;
		if (entries[entry * 2] != AUXILIARY_BASE)
			continue;
		if (entries[entry * 2 + 1])
			report_area_at(task, entries[entry * 2 + 1]);
		return;
	}
}
