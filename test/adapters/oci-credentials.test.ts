/** Credentials for a registry whose token service, which the registry names, does not answer as one does. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ociReference } from '#src/adapters/oci-reference.ts'
import { ociRegistry } from '#src/adapters/oci-registry.ts'

let sent = 0
let realm = ''
let answer: (response: ServerResponse) => void = () => {}
const server = createServer((request, response) => {
  if (request.url?.startsWith('/token')) answer(response)
  else response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end()
})
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const asked = async () => {
  const place = `oci://${new URL(realm).host}/m@sha256:${'0'.repeat(64)}`
  const reference = ociReference(place)
  const registry = ociRegistry(reference, { kind: 'none' })
  return await registry.manifest(reference.digest, 'application/json', 1024)
}

test('a token that does not end is cut off, and not kept in memory', async () => {
  answer = (response) => {
    const more = () => {
      while (sent < 256 << 20 && response.write(Buffer.alloc(1 << 20, 'a'))) sent += 1 << 20
      if (sent < 256 << 20) response.once('drain', more)
      else response.end()
    }
    more()
  }
  await expect(asked()).rejects.toMatchObject({ code: 'registry-unusable' })
  // What sockets and their buffers hold, and not what the service would have sent.
  expect(sent).toBeLessThan(64 << 20)
})

test('a token that stops in the middle is told as what it is', async () => {
  answer = (response) => {
    response.writeHead(200, { 'content-length': '100' }).write('{')
    setImmediate(() => response.destroy())
  }
  await expect(asked()).rejects.toMatchObject({ code: 'registry-unusable' })
})
