/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What passes from the kernel side (sensor.bpf.c) to the loader (sensor.c): one record per event, through one ring buffer,
 * in the machine's own byte order. The loader writes it as a line of sensor-event.ts.
 */
#ifndef SENSOR_RECORD_H
#define SENSOR_RECORD_H

#define PROGRAM_NAME_BYTES 16 /* TASK_COMM_LEN */
#define NAME_BYTES 256	      /* NAME_MAX and its NUL */
#define PATH_BYTES 4096	      /* PATH_MAX */
#define MOST_CALLS 512
#define MOST_PORTS 16
#define MOST_PIDS (4 * 1024 * 1024) /* PID_MAX_LIMIT */

enum record_kind {
	RECORD_FORK = 1,
	RECORD_EXEC,
	RECORD_EXIT,
	RECORD_MAP,
	RECORD_OPEN,
	RECORD_CONNECT,
	RECORD_SEND,
	RECORD_SENSITIVE,
};

/* Not system calls, but of the same kind: what has no number has one above MOST_CALLS. */
enum further_call {
	CALL_FOREIGN_ABI = MOST_CALLS, /* a system call by another ABI's numbers: 32-bit code */
	CALL_CGROUP_WRITE,	       /* a file of a cgroup was opened for writing */
	CALL_CGROUP_LEAVE,	       /* moved out of the watched cgroup */
	CALL_RING_OPERATION,	       /* asked of a ring (io_uring), where no system call shows it */
	CALL_UNSEEN_MAPPING,	       /* executable memory whose file could not be read */
	ALL_CALLS,
};

enum file_flag { FILE_TRUNCATED = 1, FILE_ANONYMOUS = 2 };
enum open_access { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_MAP = 3 };
enum taken_action { ACTION_NONE = 0, ACTION_DENIED = 1, ACTION_KILLED = 2 };

/* Bits of sensitive_calls[]. */
enum call_policy { CALL_REPORT = 1, CALL_KILL = 2, CALL_NAMED_ARGUMENT = 4 };

/* What is looked at when a system call has returned. */
enum call_effect { EFFECT_NONE, EFFECT_OPENED, EFFECT_MAPPED, EFFECT_PROTECTED };

struct record {
	unsigned long long seq; /* of every event, lost ones too */
	unsigned long long at;	/* nanoseconds since boot, sleep included */
	unsigned int pid, tid, parent, uid;
	char program[PROGRAM_NAME_BYTES];
	unsigned int kind;
	int call;
	/* fork: child. exit: status. map: start, bytes. open: access. sensitive: its arguments. */
	unsigned long long arguments[4];
	/* Of a file. */
	unsigned long long inode, size, changed_seconds;
	unsigned int changed_nanoseconds, device, file_flags;
	/* Bytes after the record: names from the file upwards, each with its NUL; of `sensitive`, one text. */
	unsigned int path_bytes;
	/* Of a connection; network byte order, IPv4 in the first four bytes. */
	unsigned char address[16];
	unsigned short family, port;
	unsigned char protocol, action;
	unsigned short unused;
};

/* Where connections may go: the longest prefix decides. No ports: all of them. */
struct prefix4 {
	unsigned int bits;
	unsigned char address[4];
};
struct prefix6 {
	unsigned int bits;
	unsigned char address[16];
};
struct allowed_ports {
	unsigned int count;
	unsigned short ports[MOST_PORTS];
};

struct flow {
	unsigned char address[16];
	unsigned short family, port;
	unsigned int protocol;
};
struct flow_bytes {
	unsigned long long sent, received;
};

struct opened_inode {
	unsigned long long inode;
	unsigned int device, access;
};

#endif
