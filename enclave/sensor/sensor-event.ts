/**
 * What may a line of the sensor say? One JSON object per line, from the loader (sensor.c) that reads the kernel's ring buffer.
 * The loader is ours, but names in it (paths, program names, memfd names) are written by whoever is watched: whatever is not
 * exactly one of these is `undefined`, and a sensor that says such a thing is taken for blind.
 */
import { z } from 'zod'

const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
/** PATH_MAX is 4096 bytes; the kernel side never writes more. */
const path = z.string().max(4096)
/** TASK_COMM_LEN is 16 with its NUL; bytes that are not UTF-8 come as U+FFFD. */
const process = { pid: count, tid: count, parent: count, uid: count, comm: z.string().max(16) }
/** Assigned in the kernel, to lost events too: a gap is a loss. `at`: microseconds since the machine started. */
const numbered = { seq: count, at: count }

const file = z.strictObject({
  /** As the mount namespace of the process names it, from its topmost mount; not from its chroot. */
  path,
  /** The path was deeper than the sensor could follow, or is no UTF-8: it names nothing then. */
  isTruncated: z.boolean(),
  /** Has no name any more, or never had one: a memfd, O_TMPFILE, a deleted file. */
  isAnonymous: z.boolean(),
  /** `<st_dev>:<st_ino>`, decimal, as stat says them. */
  inode: z.string().regex(/^\d{1,20}:\d{1,20}$/),
  /** Nanoseconds since 1970, decimal: st_ctime at that moment. A file whose ctime is still this holds what it held. */
  changedAt: z.string().regex(/^\d{1,20}$/),
  /** Bytes. */
  size: count,
})
export type SeenFile = z.output<typeof file>

const destination = {
  address: z.union([z.ipv4(), z.ipv6()]),
  port: z.int().min(0).max(65_535),
  /** `tcp`, `udp`, or the number of another. */
  protocol: z.string().regex(/^(tcp|udp|\d{1,3})$/),
}

const line = z.discriminatedUnion('kind', [
  /** The first line: what is attached, and what this kernel refused. */
  z.strictObject({
    kind: z.literal('ready'),
    programs: z.array(z.string().max(64)).max(64),
    absent: z
      .array(z.strictObject({ program: z.string().max(64), reason: z.string().max(200) }))
      .max(64),
  }),
  z.strictObject({ kind: z.literal('fork'), ...numbered, ...process, child: count }),
  z.strictObject({ kind: z.literal('exec'), ...numbered, ...process, file }),
  z.strictObject({ kind: z.literal('exit'), ...numbered, ...process, status: count }),
  /** Executable memory of a file: mmap, mprotect, or what the loader of a program mapped. `start`: hex address. */
  z.strictObject({
    kind: z.literal('map'),
    ...numbered,
    ...process,
    file,
    start: z.string().regex(/^[0-9a-f]{1,16}$/),
    bytes: count,
  }),
  /** The first time that an inode is opened in this way; later opens are in `opens` of the interval. */
  z.strictObject({
    kind: z.literal('open'),
    ...numbered,
    ...process,
    file,
    access: z.enum(['read', 'write']),
  }),
  /** `how`: connect, or a datagram to an address of its own. `denied`: the caller got EPERM. */
  z.strictObject({
    kind: z.literal('connection'),
    ...numbered,
    ...process,
    ...destination,
    how: z.enum(['connect', 'send']),
    verdict: z.enum(['allowed', 'denied']),
  }),
  /** A system call on the list, before it runs. `killed`: the caller got SIGKILL; the call itself may still have happened. */
  z.strictObject({
    kind: z.literal('sensitive'),
    ...numbered,
    ...process,
    call: z.string().min(1).max(64),
    /** The first four, in hex. */
    arguments: z.array(z.string().regex(/^[0-9a-f]{1,16}$/)).max(4),
    /** For people, what it is about: a name that the caller gave (empty where it could not be read), a cgroup's file, or arguments that are no pointers, decimal. */
    detail: z.string().max(4096),
    action: z.enum(['seen', 'killed']),
  }),
  /** Sums since the interval before. */
  z.strictObject({
    kind: z.literal('interval'),
    at: count,
    /** Which request this answers; 0 where the time had come. */
    request: count,
    milliseconds: count,
    systemCalls: z.record(z.string().min(1).max(64), count),
    bytesSent: count,
    bytesReceived: count,
    /** At most 256, those with most bytes first; the totals above have all. */
    destinations: z
      .array(z.strictObject({ ...destination, sent: count, received: count }))
      .max(256),
    /** Opens again of what an `open` event has named: at most 256 inodes, the most often opened first. */
    opens: z
      .array(z.strictObject({ inode: file.shape.inode, access: z.enum(['read', 'write']), count }))
      .max(256),
    /** Opens that are in none of these. */
    otherOpens: count,
    /** mmap and mprotect of executable memory that belongs to no file (a JIT makes them). */
    anonymousExecutable: count,
    /** Processes followed now. */
    processes: count,
    /** Since the sensor started: events numbered, and events of these that found no room. */
    numbered: count,
    lost: count,
    /** Since the sensor started: moments when the kernel could not run a program of ours. */
    missed: count,
  }),
])
export type SensorEvent = z.output<typeof line>
export type SensorEventOf<Kind extends SensorEvent['kind']> = Extract<SensorEvent, { kind: Kind }>

/** Bytes. A path of 4096 bytes is at most six times as long in JSON; an interval has at most 512 + 512 entries. */
export const LONGEST_LINE = 128 * 1024

export function decodeSensorEvent(text: string): SensorEvent | undefined {
  if (text.length > LONGEST_LINE) return undefined
  try {
    return line.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
