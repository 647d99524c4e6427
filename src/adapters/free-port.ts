/** Which port may a service be told to take? The preferred one if nobody has it at this moment, and otherwise any. */
import { once } from 'node:events'
import { createServer } from 'node:net'

export async function freePort(host: string, preferred: number): Promise<number> {
  return (await bound(host, preferred)) ?? (await bound(host, 0)) ?? preferred
}

async function bound(host: string, port: number): Promise<number | undefined> {
  const probe = createServer()
  try {
    probe.listen(port, host)
    await once(probe, 'listening')
    const address = probe.address()
    return typeof address === 'object' ? address?.port : undefined
  } catch {
    return undefined
  } finally {
    probe.close()
  }
}
