/** A log on a store, with leaves of made-up decisions, for tests that look at the log and not at decisions. */
import { randomBytes, randomUUID } from 'node:crypto'
import { keyEncryptionBySecret } from '#src/adapters/key-encryption-secret.ts'
import { parseCheckpoint } from '#src/log/checkpoint.ts'
import { attestationLeaf } from '#src/service/log-leaves.ts'
import type { PendingLeaf } from '#src/service/log-ports.ts'
import { type LogParts, openLog } from '#src/service/open-log.ts'
import type { JournalEntry, Store, Verdict } from '#src/service/ports.ts'
import type { Chore } from '#src/service/verifier.ts'
import { attestation, evidence, record } from '../adapters/store-records.ts'

export const AT = new Date('2026-06-01T12:00:30.500Z')

export const random = { bytes: (size: number) => new Uint8Array(randomBytes(size)) }

/** A decision in the database, with its leaf waiting. */
export async function decide(
  store: Store,
  verdict: Verdict = 'issued',
  change: Partial<PendingLeaf> = {},
): Promise<PendingLeaf> {
  const id = randomUUID()
  const appraisal = record(id, { verdict, at: AT })
  const judged = { ...appraisal, evidence }
  const leaf = { ...attestationLeaf({ record: judged, tokens: [] }, random), ...change }
  const challenge = { id, expiresAt: AT }
  const kept = await store.recordAttestation(attestation(appraisal, { leaf, challenge }))
  if (kept !== 'recorded') throw new Error(kept)
  return leaf
}

export interface OpenedLog extends Awaited<ReturnType<typeof openLog>> {
  readonly clock: { at: Date }
  readonly journal: readonly JournalEntry[]
  /** One turn of the sequencer. */
  readonly sequence: () => Promise<void>
  readonly chore: (name: string) => Chore
}

/** As a replica does when it starts. All open each other's keys. */
export async function openedLog(store: Store, change: Partial<LogParts> = {}): Promise<OpenedLog> {
  const clock = { at: AT }
  const journal: JournalEntry[] = []
  const opened = await openLog({
    store,
    publicUrl: 'https://verifier.example',
    random,
    clock: { now: () => clock.at },
    journal: { record: (entry) => void journal.push(entry) },
    keyEncryption: [keyEncryptionBySecret('file', new Uint8Array(32).fill(3))],
    pause: async () => {},
    ...change,
  })
  const chore = (name: string) => {
    const found = opened.chores.find((each) => each.name === name)
    if (!found) throw new Error(`no chore ${name}`)
    return found
  }
  return { ...opened, clock, journal, chore, sequence: () => chore('log').run() }
}

export async function checkpointOf(store: Pick<Store, 'logHead'>) {
  const head = await store.logHead()
  if (!head) throw new Error('the log has no checkpoint')
  return { ...parseCheckpoint(head.checkpoint), note: head.checkpoint, head }
}
