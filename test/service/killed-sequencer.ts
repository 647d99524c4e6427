/** A replica that decides and sequences until it is killed: started by log-killed.test.ts, to which it says on lines of JSON what it has made durable. */
import { writeSync } from 'node:fs'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { toHex } from '#src/bytes/encoding.ts'
import { decide, openedLog } from './log-scene.ts'

export interface Said {
  readonly leaf?: string
  readonly checkpoint?: string
  readonly fault?: string
}

const say = (said: Said) => writeSync(1, `${JSON.stringify(said)}\n`)

if (process.argv[2] === 'run') await run(process.argv[3] ?? '')

async function run(data: string): Promise<void> {
  const store = await openPgliteStore(data)
  const { sequence, log } = await openedLog(store)
  for (;;) {
    const burst = 1 + Math.floor(Math.random() * 20)
    for (let n = 0; n < burst; n++) {
      const { leafHash } = await decide(store, n % 5 === 4 ? 'refused' : 'issued')
      say({ leaf: toHex(leafHash) })
    }
    await sequence()
    const { checkpoint } = (await store.logHead()) ?? {}
    const fault = log.fault()
    say({ ...(checkpoint !== undefined && { checkpoint }), ...(fault !== undefined && { fault }) })
  }
}
