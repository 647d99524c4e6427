/** Which port may a service be told to take, and have for sure when it comes to listen? */
import { once } from 'node:events'
import { createServer } from 'node:net'

export interface HeldPort {
  readonly port: number
  /** Whoever is to listen there calls it right before. Once more does nothing. */
  readonly letGo: () => Promise<void>
}

/**
 * The preferred one if nobody has it, and otherwise any; nobody else gets it until it is let go. Where no port is to be had, the
 * preferred one, held by nobody: who listens is told why.
 */
export async function holdPort(host: string, preferred: number): Promise<HeldPort> {
  const nobodys = { port: preferred, letGo: async () => {} }
  return (await bound(host, preferred)) ?? (await bound(host, 0)) ?? nobodys
}

async function bound(host: string, port: number): Promise<HeldPort | undefined> {
  const holder = createServer((socket) => socket.destroy())
  try {
    holder.listen(port, host)
    await once(holder, 'listening')
  } catch {
    return undefined
  }
  // No reason for a program to go on that has nothing else to do.
  holder.unref()
  const address = holder.address()
  if (address === null || typeof address === 'string') return undefined
  return {
    port: address.port,
    async letGo() {
      if (!holder.listening) return
      holder.close()
      await once(holder, 'close')
    },
  }
}
