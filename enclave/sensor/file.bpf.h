/* Which file is this? Its inode says it exactly; its path is for people and for the manifest. */

#define MOST_COMPONENTS 2048 /* PATH_MAX / 2: "/a/a/a" */
#define MODE_READ 0x1
#define MODE_WRITE 0x2
#define MODE_PATH_ONLY 0x4000
#define MODE_CREATED 0x100000
#define CHANGED_QUERIED 0x80000000u /* a flag in i_ctime_nsec, since Linux 6.13 */

/* Names of members before Linux 6.11 and before 6.6. */
struct inode___6_10 {
	struct timespec64 __i_ctime;
} __attribute__((preserve_access_index));
struct inode___6_5 {
	struct timespec64 i_ctime;
} __attribute__((preserve_access_index));

/* Reads through such a pointer are plain loads, where BPF_CORE_READ calls a helper for each. Since Linux 6.2. */
extern void *bpf_rdonly_cast(const void *address, __u32 type) __ksym;
#define KNOWN_AS(type, address) ((type *)bpf_rdonly_cast(address, bpf_core_type_id_kernel(type)))

struct path_walk {
	struct scratch *scratch;
	struct dentry *name;
	struct vfsmount *mount;
	__u32 bytes;
	bool is_truncated;
};

static __always_inline struct mount *mount_around(struct vfsmount *mount)
{
	return (void *)mount - bpf_core_field_offset(struct mount, mnt);
}

static __always_inline bool add_name(struct path_walk *walk, struct dentry *entry)
{
	__u32 at = walk->bytes;
	const unsigned char *name = BPF_CORE_READ(entry, d_name.name);
	long read = -1;
	if (at < PATH_BYTES)
		read = bpf_probe_read_kernel_str(&walk->scratch->text[at & (PATH_BYTES - 1)],
						 NAME_BYTES, name);
	if (read <= 0) {
		walk->is_truncated = true;
		return false;
	}
	walk->bytes = at + read;
	return true;
}

/* One step towards the root: bpf_loop ends with the first 1. */
static long walk_up(__u32 step, struct path_walk *walk)
{
	/* Copies: BPF_CORE_READ would look for `struct path_walk` in the kernel. */
	struct dentry *current = walk->name;
	struct vfsmount *mount = walk->mount;
	struct dentry *parent = BPF_CORE_READ(current, d_parent);
	if (current == BPF_CORE_READ(mount, mnt_root) || current == parent) {
		struct mount *below = mount_around(mount);
		struct mount *above = BPF_CORE_READ(below, mnt_parent);
		if (above == below) {
			/* A memfd has no folder, only a name. */
			if (walk->bytes == 0)
				add_name(walk, current);
			return 1;
		}
		walk->name = BPF_CORE_READ(below, mnt_mountpoint);
		walk->mount = (void *)above + bpf_core_field_offset(struct mount, mnt);
		return 0;
	}
	if (!add_name(walk, current))
		return 1;
	walk->name = parent;
	return 0;
}

static __always_inline void describe_path(struct scratch *scratch, struct file *file)
{
	struct path_walk walk = {
		.scratch = scratch,
		.name = BPF_CORE_READ(file, f_path.dentry),
		.mount = BPF_CORE_READ(file, f_path.mnt),
	};
	long steps = bpf_loop(MOST_COMPONENTS, walk_up, &walk, 0);
	if (walk.is_truncated || steps < 0 || steps >= MOST_COMPONENTS)
		scratch->record.file_flags |= FILE_TRUNCATED;
	scratch->record.path_bytes = walk.bytes;
}

/* When the inode last changed: its content, its name count, its mode. */
struct change {
	__u64 seconds;
	__u64 nanoseconds;
};

static __always_inline struct change change_of(struct inode *address)
{
	struct inode *inode = KNOWN_AS(struct inode, address);
	struct inode___6_10 *older = (void *)address;
	struct inode___6_5 *oldest = (void *)address;
	struct change change = {};
	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		change.seconds = inode->i_ctime_sec;
		change.nanoseconds = inode->i_ctime_nsec & ~CHANGED_QUERIED;
	} else if (bpf_core_field_exists(older->__i_ctime)) {
		change.seconds = BPF_CORE_READ(older, __i_ctime.tv_sec);
		change.nanoseconds = BPF_CORE_READ(older, __i_ctime.tv_nsec);
	} else {
		change.seconds = BPF_CORE_READ(oldest, i_ctime.tv_sec);
		change.nanoseconds = BPF_CORE_READ(oldest, i_ctime.tv_nsec);
	}
	return change;
}

static __always_inline void describe_inode(struct record *record, struct inode *inode)
{
	struct change change = change_of(inode);
	record->inode = BPF_CORE_READ(inode, i_ino);
	record->device = BPF_CORE_READ(inode, i_sb, s_dev);
	record->size = BPF_CORE_READ(inode, i_size);
	record->changed_seconds = change.seconds;
	record->changed_nanoseconds = change.nanoseconds;
	if (BPF_CORE_READ(inode, i_nlink) == 0)
		record->file_flags |= FILE_ANONYMOUS;
}

static __always_inline void describe_file(struct scratch *scratch, struct file *file)
{
	describe_inode(&scratch->record, BPF_CORE_READ(file, f_inode));
	describe_path(scratch, file);
}

/* Null: no such descriptor. Another thread may have closed it by now: only the LSM hook has no such gap. */
static __always_inline struct file *file_of(struct task_struct *task, long descriptor)
{
	struct fdtable *table = task->files->fdt;
	struct file *file = 0;
	if (descriptor < 0 || descriptor >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), (struct file **)table->fd + descriptor);
	return file;
}
