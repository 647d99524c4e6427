/*
 * Who is watched? The processes of one tree and of one cgroup v2, whichever they joined first. Membership stays until a
 * process ends: whoever leaves the cgroup, or loses its parent, is watched still.
 *
 * A bit per process, in memory that the loader maps: it is asked for at every system call of the whole machine, and a hash
 * table would cost ten times as much.
 */

#define MOST_LEVELS 32

/* By process id, as the first pid namespace has them. The loader sets those that are there when it starts. */
__u64 followed[MOST_PIDS / 64] = {};
__u64 used_foreign_abi[MOST_PIDS / 64] = {};
__u64 followed_count = 0;

/* Set by the loader before the programs are loaded. 0: no cgroup. */
const volatile __u64 scope_cgroup = 0;

static __always_inline __u64 bit_of(__u32 pid)
{
	return 1ULL << (pid & 63);
}

static __always_inline bool is_followed(__u32 pid)
{
	return followed[(pid & (MOST_PIDS - 1)) / 64] & bit_of(pid);
}

static __always_inline void follow(__u32 pid)
{
	__u64 before = __sync_fetch_and_or(&followed[(pid & (MOST_PIDS - 1)) / 64], bit_of(pid));
	if (!(before & bit_of(pid)))
		__sync_fetch_and_add(&followed_count, 1);
}

/* Whoever gets this number next is another process. */
static __always_inline void unfollow(__u32 pid)
{
	__sync_fetch_and_and(&followed[(pid & (MOST_PIDS - 1)) / 64], ~bit_of(pid));
	__sync_fetch_and_and(&used_foreign_abi[(pid & (MOST_PIDS - 1)) / 64], ~bit_of(pid));
	__sync_fetch_and_add(&followed_count, -1);
}

/* Once per process. */
static __always_inline bool is_first_foreign_call(__u32 pid)
{
	__u64 before = __sync_fetch_and_or(&used_foreign_abi[(pid & (MOST_PIDS - 1)) / 64], bit_of(pid));
	return !(before & bit_of(pid));
}

/* The hierarchy of cgroup v2 is the first that the kernel makes. */
static __always_inline bool is_unified(struct cgroup *group)
{
	return BPF_CORE_READ(group, root, hierarchy_id) == 0;
}

static __always_inline bool is_in_scope(struct cgroup *group)
{
	int depth = BPF_CORE_READ(group, level);
	for (int level = 0; level < MOST_LEVELS && level <= depth; level++) {
		struct cgroup *ancestor = 0;
		bpf_core_read(&ancestor, sizeof(ancestor), &group->ancestors[level]);
		if (BPF_CORE_READ(ancestor, kn, id) == scope_cgroup)
			return true;
	}
	return false;
}
