/** Does whoever holds a port have it when he comes to listen? */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { holdPort } from '#src/adapters/held-port.ts'

const HOST = '127.0.0.1'

async function listens(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, HOST)
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    server.close()
  }
}

test('nobody else gets a port that is held, and whoever lets it go does', async () => {
  const held = await holdPort(HOST, 0)
  expect(await listens(held.port)).toBe(false)
  const second = await holdPort(HOST, held.port)
  expect(second.port).not.toBe(held.port)
  await held.letGo()
  expect(await listens(held.port)).toBe(true)
  await held.letGo()
  const third = await holdPort(HOST, held.port)
  expect(third.port).toBe(held.port)
  await Promise.all([second.letGo(), third.letGo()])
})

test('where no port is to be had the preferred one is named, and held by nobody', async () => {
  const { port, letGo } = await holdPort('192.0.2.1', 18_080)
  expect(port).toBe(18_080)
  await letGo()
})
