/** `vouchsafe model seal` that goes on after the registry did not take the model: what it then says of it is so. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { modelCommand } from '#src/cli/model.ts'
import { modelDeps } from '#src/compose/models.ts'

let place: string
let registry: Server
let isDown = true
beforeAll(async () => {
  registry = createServer((request, response) => {
    request.resume()
    // What it is asked for it has, so that nothing but the manifest is sent.
    response.writeHead(isDown ? 503 : request.method === 'PUT' ? 201 : 200).end()
  })
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => await new Promise((resolve) => registry.close(resolve)))
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'vouchsafe-push-'))
  isDown = true
  mkdirSync(at('model'))
  writeFileSync(at('model', 'w.bin'), 'weights')
  for (const name of ['one', 'other']) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(at(name), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  }
  return () => rmSync(place, { recursive: true, force: true })
})

const at = (...names: string[]) => join(place, ...names)

async function seal(...more: string[]) {
  let [out, err] = ['', '']
  const { port } = registry.address() as AddressInfo
  const to = ['--out', `oci://127.0.0.1:${port}/llama`, '--work', at('work')]
  const named = ['--name', 'llama', '--version', '3', '--key-out', at('key'), '--json']
  const code = await modelCommand(['seal', at('model'), ...named, ...to, ...more], {
    ...modelDeps(async () => {}),
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    terminal: false,
    files: localFiles,
  })
  return { code, out, err }
}

test.each([
  { first: 'nobody', next: 'one', code: 2, says: 'none' },
  { first: 'one', next: 'other', code: 2, says: 'signature' },
  { first: 'one', next: 'nobody', code: 1, says: 'holds it signed' },
])('what $first signed is not pushed as signed by $next', async ({ first, next, code, says }) => {
  const signing = (by: string) => (by === 'nobody' ? [] : ['--sign-key', at(by)])
  expect(await seal(...signing(first))).toMatchObject({ code: 1 })
  isDown = false
  const again = await seal(...signing(next))
  expect(again).toMatchObject({ code, out: expect.not.stringContaining('"signed":true') })
  expect(`${again.out}${again.err}`).toContain(says)
  const asBegun = await seal(...signing(first))
  expect(asBegun).toMatchObject({ code: 0 })
  expect(JSON.parse(asBegun.out).signed).toBe(first !== 'nobody')
})
