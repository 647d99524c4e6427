/** Which port does a server take? */
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { startServer } from '#src/http/server.ts'

const request = { host: '127.0.0.1', app: async () => new Hono<{ Bindings: HttpBindings }>() }

test('a port that somebody else has is refused with its number', async () => {
  const first = await startServer({ ...request, port: 0 })
  const { port } = first
  await expect(startServer({ ...request, port })).rejects.toMatchObject({
    code: 'configuration-invalid',
    detail: expect.stringContaining(`cannot listen on 127.0.0.1:${port}`),
  })
  await first.close()
})

test('where any port will do, a taken one is replaced and a free one is kept', async () => {
  const first = await startServer({ ...request, port: 0 })
  const { port } = first
  const second = await startServer({ ...request, port, orAnyPort: true })
  expect(second.port).not.toBe(port)
  await Promise.all([first.close(), second.close()])
  const third = await startServer({ ...request, port, orAnyPort: true })
  expect(third.port).toBe(port)
  await third.close()
})

test('where any port will do, an address that is not ours is refused all the same', async () => {
  await expect(
    startServer({ ...request, host: '192.0.2.1', port: 0, orAnyPort: true }),
  ).rejects.toMatchObject({ code: 'configuration-invalid' })
})

test('a port that is held for the server is let go before it listens', async () => {
  const holder = await startServer({ ...request, port: 0 })
  const server = await startServer({
    ...request,
    port: holder.port,
    orAnyPort: true,
    beforeListening: () => holder.close(),
  })
  expect(server.port).toBe(holder.port)
  await server.close()
})
