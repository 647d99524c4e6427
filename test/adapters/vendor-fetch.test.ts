/** Is a request over the network bounded in time and size, and does it go nowhere but where it was sent? */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { noFetch, vendorFetch } from '../../src/adapters/vendor-fetch.ts'
import {
  body,
  endless,
  hang,
  hangInBody,
  status,
  truncated,
  type VendorServer,
  vendorServer,
  vendors,
} from '../fakes/vendor-server.ts'

let server: VendorServer
beforeAll(async () => {
  server = await vendorServer(vendors(new Date('2026-01-01T00:00:00Z')))
})
afterAll(() => server.close())

const get = (path: string, changes = {}) =>
  vendorFetch({ url: `${server.base}${path}`, timeoutMs: 5000, maxBytes: 1024, ...changes })

test('status, headers by lower-case name, and bytes come back', async () => {
  server.answer('/x', body(Buffer.from('hello'), { 'X-Some-Chain': 'a%20b' }))
  const { status, headers, bytes } = await get('/x')
  expect({ status, chain: headers.get('x-some-chain'), text: `${Buffer.from(bytes)}` }).toEqual({
    status: 200,
    chain: 'a%20b',
    text: 'hello',
  })
})

test('a redirect is an answer, and nobody goes where it points', async () => {
  server.answer('/redirect', status(302, { location: `${server.base}/elsewhere` }))
  const { status: code } = await get('/redirect')
  expect(code).toBe(302)
  expect(server.requests).not.toContain('/elsewhere')
})

test.each([
  ['no answer', hang],
  ['an answer that stops', hangInBody],
])('%s is given up after the timeout', async (_, answer) => {
  server.answer('/slow', answer)
  await expect(get('/slow', { timeoutMs: 60 })).rejects.toMatchObject({ name: 'TimeoutError' })
})

test('a body that ends before its length is no body', async () => {
  server.answer('/short', truncated(Buffer.alloc(500)))
  await expect(get('/short')).rejects.toThrow()
})

test('a body is read up to the limit and not beyond', async () => {
  server.answer('/full', body(Buffer.alloc(1024)))
  expect((await get('/full')).bytes).toHaveLength(1024)
  server.answer('/over', body(Buffer.alloc(1025)))
  await expect(get('/over')).rejects.toThrow('larger than 1024 bytes')
  server.answer('/endless', endless)
  await expect(get('/endless')).rejects.toThrow('larger than 1024 bytes')
})

test('a site that asks no vendor says so', async () => {
  await expect(noFetch({ url: '', timeoutMs: 1, maxBytes: 1 })).rejects.toThrow('ask no vendor')
})
