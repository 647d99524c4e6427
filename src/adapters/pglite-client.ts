/**
 * PGlite that outlives its own end. PostgreSQL ends itself (PANIC) when it cannot write its log, on a full disk above all.
 * What is left of it in this process answers wrongly, or never, in a loop that holds the whole program: seen. So nothing is
 * asked of it any more, and another is opened on the same files, which recovers them as after a crash.
 */
import { PGlite } from '@electric-sql/pglite'
import { type NamedStatement, preparedRows } from './pglite-prepared.ts'
import type { Row } from './sql-engine.ts'

export interface PgliteClient {
  readonly query: PGlite['query']
  readonly transaction: PGlite['transaction']
  readonly prepared: (statement: NamedStatement) => Promise<readonly Row[]>
  /** Of one that ended itself nothing is left to close. */
  readonly close: () => Promise<void>
}

/** PostgreSQL's 128 MB of buffers would be zeroed at every start and held for ever; the operating system caches the files anyway. */
const startParams = [...PGlite.defaultStartParams, '-c', 'shared_buffers=16MB']

/** Opening takes the event loop half a second, in vain for as long as the disk is full. */
const AGAIN_MS = 10_000

/** Rejects where the files do not open, as does each query for as long as they do not open again. */
export async function openPgliteClient(folder: string): Promise<PgliteClient> {
  let current = await open(folder)
  let coming: Promise<MortalPglite> | undefined
  let triedAt = Number.NEGATIVE_INFINITY

  async function reopen(fault: Error): Promise<MortalPglite> {
    if (performance.now() - triedAt < AGAIN_MS) throw fault
    triedAt = performance.now()
    try {
      current = await open(folder)
      return current
    } catch (cause) {
      throw new Error(`${fault.message}, and does not start again in ${folder}`, { cause })
    }
  }

  async function alive(): Promise<MortalPglite> {
    if (!current.fault) return current
    coming ??= reopen(current.fault).finally(() => {
      coming = undefined
    })
    return await coming
  }

  return {
    query: async (...asked) => await (await alive()).query(...asked),
    transaction: async (run) => await (await alive()).transaction(run),
    async prepared(statement) {
      const client = await alive()
      return await preparedRows(client, client.known, statement)
    },
    async close() {
      if (!current.fault && !current.closed) await current.close()
    },
  }
}

async function open(folder: string): Promise<MortalPglite> {
  const client = new MortalPglite(folder, { startParams })
  await client.waitReady
  client.watch()
  return client
}

class MortalPglite extends PGlite {
  /** Why it is not to be asked any more. */
  fault: Error | undefined
  /** Names of the statements that it has prepared. */
  readonly known = new Set<string>()

  /** The program behind it is there once it is ready. */
  watch(): void {
    if (this.mod)
      this.mod.onAbort = () => {
        this.fault = new Error('PostgreSQL in this process ended itself: is the disk full?')
      }
  }

  /** Through which every message goes. What follows in the same query is refused as well. */
  override execProtocolRawSync(message: Uint8Array): Uint8Array {
    if (this.fault) throw this.fault
    return super.execProtocolRawSync(message)
  }
}
