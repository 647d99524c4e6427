/** Releases until it is killed: started by releases-lost.test.ts, to which it says on lines of JSON what was acknowledged. */
import { writeSync } from 'node:fs'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { toHex } from '#src/bytes/encoding.ts'
import { issue, put, release } from './release-records.ts'
import { AT, DAY } from './store-records.ts'

export interface Acknowledged {
  readonly id: string
  readonly proof: string
  /** Hex. */
  readonly leaf: string
}

if (process.argv[2] !== undefined) await run(process.argv[2])

async function run(directory: string): Promise<void> {
  const store = await openPgliteStore(directory)
  if (!(await store.findResource('acme', 'secret:killed'))) {
    await put(store, 'secret:killed')
    await issue(store, ['killed'], { expiresAt: new Date(AT.getTime() + DAY) })
  }
  const releaseOn = async () => {
    for (let n = 0; ; n += 1) {
      const proof = { id: `${process.pid}-${Math.random()}-${n}`, expiresAt: AT }
      const made = release({ resource: 'secret:killed', jti: 'killed' }, { proof })
      const outcome = await store.recordRelease(made)
      if (outcome !== 'recorded') throw new Error(outcome)
      const { id } = made.release
      const said: Acknowledged = { id, proof: proof.id, leaf: toHex(made.leaf.leafHash) }
      writeSync(1, `${JSON.stringify(said)}\n`)
    }
  }
  await Promise.all(Array.from({ length: 20 }, releaseOn))
}
