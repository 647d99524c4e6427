/** What may stand in the section `runtime` of an AgentRelease manifest: what a running agent may load and do. */
import { z } from 'zod'
import { measurementKinds } from '../../rats/runtime-event.ts'
import { watches } from '../../rats/transcript.ts'
import { sha256Text } from './byte-strings.ts'
import { duration, line, unique } from './document-fields.ts'

/** Models are approved by spec.models, and what an agent changes itself by `state`. */
export const listedKinds = measurementKinds.filter((kind) => kind !== 'model' && kind !== 'state')

const path = z
  .string()
  .min(1)
  .max(1024)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u, 'must be a path without control characters')

const measurement = z.strictObject({
  kind: z.enum(listedKinds),
  path: path.describe('Where it must lie; anywhere when it is absent.').exactOptional(),
  digest: sha256Text,
})

const state = z
  .strictObject({
    path: path.describe(
      'As the agent’s machine names it; everything below a folder as /folder/**.',
    ),
    digests: unique(z.array(sha256Text).min(1).max(256)).exactOptional(),
    any: z.literal(true).describe('Whatever it becomes is approved.').exactOptional(),
    reason: line(200).describe('Why anything may stand there.').exactOptional(),
  })
  .refine(({ digests, any }) => (digests === undefined) !== (any === undefined), {
    message: 'must have either digests or any: true',
  })
  .refine(({ any, reason }) => (any === undefined) === (reason === undefined), {
    path: ['reason'],
    message: 'belongs to any: true, and any: true needs one',
  })
  .refine(({ path }) => !path.replace(/\/\*\*$/, '').includes('*'), {
    path: ['path'],
    message: 'must be a path, or a folder followed by /**',
  })

/** No patterns: `*.example.com` would approve whatever name somebody registers there. */
const host = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
    'must be a host name in lower case, or an IPv4 address',
  )

const destination = z.strictObject({
  host,
  ports: unique(z.array(z.int().min(1).max(65_535)).min(1).max(64)),
})

const call = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be the name of a system call such as memfd_create')

const limit = z.int().min(0).max(1_000_000_000).exactOptional()

export const runtimeSchema = z.strictObject({
  session: z
    .enum(['optional', 'required'])
    .default('optional')
    .describe(
      'required: tokens only inside of a session, which is watched. optional: for one attestation alone as well.',
    ),
  attestEvery: duration({ least: '5s', most: '24h' })
    .describe('How often the running agent must attest again, from 5s to 24h.')
    .exactOptional(),
  heartbeatEvery: duration({ least: '2s', most: '60s' })
    .describe(
      'How often a session says that it is there, from 2s to 60s. After two that are missing it gets no secrets, after four nothing.',
    )
    .prefault('10s'),
  collectors: unique(z.array(sha256Text).max(64))
    .default([])
    .describe('Which programs may watch the agent, by digest; no session opens without one.'),
  watch: unique(z.array(z.enum(watches)).max(watches.length))
    .default(['files'])
    .describe('What must be watched.'),
  mostDropped: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(0)
    .describe('How many events the collector may lose since its machine started.'),
  measurements: unique(z.array(measurement).max(1024))
    .default([])
    .describe('What the agent may load, besides what the lists name.'),
  lists: unique(z.array(sha256Text).max(64))
    .default([])
    .describe(
      'Files measurements/<hex>.list of this repository: `vouchsafe measure tree` makes them.',
    ),
  state: unique(z.array(state).max(256), 'path')
    .default([])
    .describe('What the agent changes itself: prompts, tool registries, adapters, memory stores.'),
  sensitiveCalls: unique(z.array(call).max(64))
    .default([])
    .describe('Sensitive system calls that it may make; none when it is absent or empty.'),
  anonymousTextKiB: z
    .int()
    .min(0)
    .max(1024 * 1024)
    .default(0)
    .describe(
      'Executable memory that belongs to no file, per process, beyond what its runtime is known to make.',
    ),
  egress: unique(z.array(destination).max(256), 'host')
    .default([])
    .describe('Everything that the agent may reach; nothing when it is absent or empty.'),
  budget: z
    .strictObject({
      tokensPerMinute: limit,
      usdPerDay: limit,
      cpuMillis: limit,
      memoryMiB: limit,
    })
    .default({})
    .describe('Model tokens, US dollars, thousandths of a core and mebibytes.'),
})

export type RuntimeSection = z.output<typeof runtimeSchema>
