/**
 * What a runtime event may say. Events come from a machine that an attacker may own by then: whatever is not exactly one of
 * these is `undefined`, and a history that holds such a thing is refused.
 */
import { z } from 'zod'

/** Each distinct (kind, path, digest) once per boot: what the kernel saw the agent open or map, by inode and not by a configured path. */
export const measurementKinds = [
  /** Source and data files of the agent's own tree. */
  'code',
  /** A program that was started. */
  'executable',
  /** A shared library that was mapped executable. */
  'library',
  /** `path` is the model's name; `digest` the root of its OpenSSF Model Signing manifest. */
  'model',
  'plugin',
  'configuration',
  /** Prompts, tool registries, adapters, memory stores: what the agent may change itself, where the manifest names it. */
  'state',
  /** `path` is `environment`; `digest` over the allowed variables. */
  'environment',
] as const
export type MeasurementKind = (typeof measurementKinds)[number]

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/)
const path = z.string().min(1).max(1024)
const count = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const short = z.string().min(1).max(128)
const actor = { pid: count, comm: z.string().max(64) }

/** By hand: zod's record takes most of the time that a heartbeat costs, whose interval has dozens of these. */
function counts({ most, longest }: { readonly most: number; readonly longest: number }) {
  return z.custom<Readonly<Record<string, number>>>((value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
    const entries = Object.entries(value)
    return (
      entries.length <= most &&
      entries.every(
        ([name, times]) =>
          name.length >= 1 && name.length <= longest && Number.isSafeInteger(times) && times >= 0,
      )
    )
  })
}

const measurement = z.strictObject({ kind: z.enum(measurementKinds), path, digest })
export type Measurement = z.output<typeof measurement>

/** `truncated`: the path was longer than the sensor could take; it is then judged as unknown. */
const behaviour = z.discriminatedUnion('kind', [
  /** Sums since the interval before. */
  z.strictObject({
    kind: z.literal('interval'),
    milliseconds: count,
    cpuMillis: count,
    memoryMiB: count,
    processes: count,
    bytesSent: count,
    bytesReceived: count,
    /** Tokens and money that the agent's model calls cost, in whole tokens and millionths of a US dollar. */
    modelTokens: count,
    modelMicroUsd: count,
    /** Name (or number) of the system call, and how often. */
    systemCalls: counts({ most: 512, longest: 128 }),
    /** Opens outside what is measured: path prefix and mode, and how often. */
    opens: counts({ most: 256, longest: 1024 }),
  }),
  /** To where, and whether it was let through. `host`: the allowed name that it was resolved from; empty where there is none. */
  z.strictObject({
    kind: z.literal('connection'),
    ...actor,
    address: short,
    port: z.int().min(0).max(65_535),
    host: z.string().max(253),
    verdict: z.enum(['allowed', 'denied']),
  }),
  /** A sensitive system call: ptrace, process_vm_writev, memfd_create, bpf, init_module, setns ... */
  z.strictObject({
    kind: z.literal('sensitive'),
    ...actor,
    call: short,
    detail: z.string().max(256),
  }),
  /** A program was started; its file's digest is a measurement. `truncated` paths and deleted or anonymous files have no digest. */
  z.strictObject({ kind: z.literal('exec'), ...actor, path, isAnonymous: z.boolean() }),
  /** Executable memory that is not what its file says. */
  z.strictObject({ kind: z.literal('text-mismatch'), ...actor, path, offset: count }),
  /** Memory that is executable and belongs to no file, beyond what the runtime (V8's JIT) is known to make. */
  z.strictObject({ kind: z.literal('anonymous-text'), ...actor, bytes: count }),
  /** What was approved once and is not any more: a measured file whose content changed under the running agent. */
  z.strictObject({ kind: z.literal('changed'), path, from: digest, to: digest }),
  /** A plugin's call in the sandbox. */
  z.strictObject({
    kind: z.literal('plugin-call'),
    plugin: short,
    digest,
    outcome: z.enum(['returned', 'refused', 'timeout', 'trapped']),
    milliseconds: count,
  }),
  /** The sensor ended, or could not see for a while. */
  z.strictObject({ kind: z.literal('blind'), reason: z.string().max(256) }),
  /** What was done on the spot. */
  z.strictObject({
    kind: z.literal('reaction'),
    action: z.enum(['freeze', 'kill', 'deny', 'signal']),
    reason: z.string().max(256),
    microseconds: count,
  }),
])
export type Behaviour = z.output<typeof behaviour>

/** No event is longer: characters of its text. */
export const LONGEST_EVENT = 16 * 1024

/** Of a measurement, which is kept as long as its session: room for the longest path, and none for what JSON lets be put between. */
export const LONGEST_MEASUREMENT = 2 * 1024

export function decodeMeasurement(event: string): Measurement | undefined {
  return event.length > LONGEST_MEASUREMENT ? undefined : decode(measurement, event)
}

export function decodeBehaviour(event: string): Behaviour | undefined {
  return decode(behaviour, event)
}

function decode<T>(schema: z.ZodType<T>, event: string): T | undefined {
  // Text that UTF-8 cannot hold would share its hash with other text.
  if (event.length > LONGEST_EVENT || !event.isWellFormed()) return undefined
  try {
    return schema.safeParse(JSON.parse(event)).data
  } catch {
    return undefined
  }
}
