/** What the stores are given to keep of sessions. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { noUsage } from '#src/rats/runtime-usage.ts'
import type { SessionAnswer } from '#src/rats/session-message.ts'
import type { RecordedAttestation, Store } from '#src/service/ports.ts'
import type { Ban, SessionChange, SessionRecord, SessionStep } from '#src/service/session-ports.ts'
import type { TokenRecord } from '#src/service/token-ports.ts'
import { AT, attestation, leaf, record, token } from './store-records.ts'

export const later = (ms: number) => new Date(AT.getTime() + ms)

/** What a machine that somebody owns may write into its events. */
export const hostile = 'nul \0 lone \ud800 "\\ {} $1 \u2028'

const hex = (text: string) => createHash('sha384').update(text).digest('hex')

export const sessionIdOf = (name: string) =>
  createHash('sha256').update(name).digest().subarray(0, 16).toString('base64url')

export function agentSession(name: string, change: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: sessionIdOf(name),
    tenant: 'acme',
    environment: 'prod',
    agent: 'invoice-bot',
    subject: `spiffe://verifier.example/${hostile}`,
    issuer: 'https://verifier.example',
    jwk: { kty: 'EC', crv: 'P-256', x: 'x'.repeat(43), y: 'y'.repeat(43) },
    jkt: 'thumbprint',
    encryptionJwk: undefined,
    platforms: ['ab'.repeat(64)],
    boot: '01234567-89ab-cdef-0123-456789abcdef',
    collector: `sha256:${'c'.repeat(64)}`,
    modes: 'files memory-text',
    openedAt: AT,
    standing: 'open',
    reason: '',
    by: '',
    changedAt: AT,
    heardAt: AT,
    quotedAt: AT,
    appraisal: randomUUID(),
    heartbeatSeconds: 10,
    attestEverySeconds: 300,
    demanded: undefined,
    seq: 0,
    dropped: 0,
    uptimeMs: 123_456,
    statement: hex('statement'),
    checkpoint: {
      measurement: { count: 2, head: hex('m') },
      behaviour: { count: 0, head: hex('b') },
      register: hex('r'),
    },
    usage: noUsage,
    quotedMeasurements: 2,
    nonce: 'bm9uY2U',
    lastMessage: undefined,
    policyDigest: '00'.repeat(32),
    revision: 1,
    ...change,
  }
}

export function answer(session: SessionRecord): SessionAnswer {
  return {
    id: session.id,
    state: 'ACTIVE',
    seq: session.seq,
    nonce: session.nonce,
    leaseUntil: AT.toISOString(),
    heartbeatSeconds: 10,
    quote: { dueAt: AT.toISOString(), demanded: null },
    policy: { commit: '1'.repeat(40), digest: '00'.repeat(32) },
  }
}

export const delta = (seq: number, measurement: readonly string[] = [`{"event":${seq}}`]) => ({
  seq,
  measurement,
})

/** Opens it by an attestation of its own, which measured something. */
export async function open(
  store: Store,
  session: SessionRecord,
  change: Partial<RecordedAttestation> = {},
) {
  return await store.openSession(attestation(record(session.appraisal), change), session, delta(0))
}

/** One heartbeat later, with everything changed that a heartbeat may change. */
export function heartbeat(
  session: SessionRecord,
  change: Partial<SessionRecord> = {},
): SessionStep {
  const seq = session.seq + 1
  const next: SessionRecord = {
    ...session,
    seq,
    heardAt: new Date(session.heardAt.getTime() + 10_000),
    demanded: 'growth',
    dropped: session.dropped + 3,
    uptimeMs: session.uptimeMs + 10_000,
    statement: hex(`statement ${seq}`),
    checkpoint: {
      measurement: { count: 2 + seq, head: hex(`m${seq}`) },
      behaviour: { count: seq, head: hex(`b${seq}`) },
      register: hex(`r${seq}`),
    },
    usage: {
      day: '2026-06-01',
      modelMicroUsd: 7,
      modelTokensPerMinute: 1,
      cpuMillis: 2,
      memoryMiB: 3,
    },
    nonce: randomBytes(32).toString('base64url'),
    policyDigest: '11'.repeat(32),
    ...change,
  }
  const lastMessage = { digest: hex(`message ${seq}`), answer: answer(next) }
  return { session: { ...next, lastMessage }, delta: delta(seq) }
}

/** As the store has it after it took the step. */
export const taken = ({ session }: SessionStep): SessionRecord => ({
  ...session,
  revision: session.revision + 1,
})

/** A quote in it, which makes it open again, whatever it was. */
export function quote(session: SessionRecord, change: Partial<SessionRecord> = {}): SessionStep {
  const { session: heard, delta: measured } = heartbeat(session)
  const appraisal = randomUUID()
  const quoted: Partial<SessionRecord> = {
    standing: 'open',
    appraisal,
    quotedAt: heard.heardAt,
    quotedMeasurements: heard.checkpoint.measurement.count,
    heartbeatSeconds: 5,
    attestEverySeconds: 60,
    demanded: undefined,
  }
  return { session: { ...heard, ...quoted, ...change }, delta: measured }
}

export const attestationOf = (
  { session }: SessionStep,
  change: Partial<RecordedAttestation> = {},
): RecordedAttestation => attestation(record(session.appraisal), change)

export const quarantine = {
  at: later(1000),
  reason: 'policy',
  detail: 'read é',
  by: 'runtime',
} as const

/** Quarantined, with its tokens revoked. */
export function change(session: SessionRecord, rest: Partial<SessionChange> = {}): SessionChange {
  return {
    session: {
      ...session,
      standing: 'quarantined',
      reason: `read /etc/${hostile}`,
      by: 'runtime',
      changedAt: later(1000),
    },
    leaf: leaf({ kind: 'session', subject: session.id }),
    revocation: quarantine,
    leafOf: ({ jti }) => leaf({ kind: 'revocation', subject: jti }),
    by: 'runtime',
    ...rest,
  }
}

export function tokensOf(
  session: Pick<SessionRecord, 'id' | 'appraisal'>,
  jtis: readonly string[],
  rest: Partial<TokenRecord> = {},
) {
  const tokens = jtis.map((jti) =>
    token(session.appraisal, { jti, session: session.id, expiresAt: later(120_000), ...rest }),
  )
  return { session: session.id, tokens, leaf: leaf({ subject: jtis.join() }) }
}

export function ban(change: Partial<Ban> = {}): Ban {
  return {
    tenant: 'acme',
    platform: 'ab'.repeat(64),
    environment: undefined,
    agent: undefined,
    reason: `bought second-hand ${hostile}`,
    by: 'alice',
    at: AT,
    ...change,
  }
}
