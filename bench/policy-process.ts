/** Starts replicas to be measured, tells them to look, and ends them. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LookCost, ReplicaRequest } from './policy-replica.ts'

export interface Replica {
  readonly look: () => Promise<LookCost>
  readonly close: () => Promise<void>
}

/** Resolves when it is there with its database open, and has not looked yet. */
export async function startReplica(request: ReplicaRequest): Promise<Replica> {
  const child = fork(new URL('./policy-replica.ts', import.meta.url), [JSON.stringify(request)])
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`a replica ended with ${code} before it answered`)
  })
  // Whoever waits for it meanwhile hears of it.
  gone.catch(() => {})
  const answer = async () => (await Promise.race([once(child, 'message'), gone]))[0]
  await answer()
  return {
    async look() {
      child.send('look')
      const cost: LookCost = await answer()
      const wrong = cost.conditions.find((condition) => !condition.startsWith('Synced'))
      if (wrong !== undefined) throw new Error(`the measured policy is not in force: ${wrong}`)
      return cost
    },
    async close() {
      child.send('close')
      await gone.catch(() => {})
    },
  }
}

export interface Folder {
  readonly path: string
  readonly remove: () => void
}

export function scratchFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'vouchsafe-bench-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}
