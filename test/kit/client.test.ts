/** The typed client: is its contract the service's, and does it work for whoever installs the package? */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientContract } from '../../docs/client-contract.ts'
import { vouchsafeClient } from '../../kit/client/client.ts'
import { attestAt } from '../http/attempt.ts'
import { type RunningService, runService, tokens } from '../http/running-service.ts'
import { typed } from './client-types.ts'

const root = join(import.meta.dirname, '../..')

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.close())

test('kit/client/contract.ts is current (npm run docs writes it)', () =>
  expect(readFileSync(join(root, 'kit/client/contract.ts'), 'utf8')).toBe(clientContract()))

test('what it must refuse is compiled with the rest', () => expect(typed).toBeTypeOf('function'))

describe('a call', () => {
  test('goes out typed and comes back typed', async () => {
    const client = vouchsafeClient(service.url)
    const answer = await client.v1.challenges.$post({ json: {} })
    if (answer.status !== 200) throw new Error(`${answer.status}`)
    expect((await answer.json()).nonce).toMatch(/^[A-Za-z0-9_-]{86}$/)
  })

  test('that is refused is a problem', async () => {
    const client = vouchsafeClient(service.url)
    const answer = await client.v1.policies.$get()
    if (answer.status === 200) throw new Error('nobody is an operator')
    expect((await answer.json()).code).toBe('operator-unauthenticated')
  })

  test('carries an operator’s token, asked for each time', async () => {
    const { json } = await attestAt(service)
    let asked = 0
    const client = vouchsafeClient(service.url, {
      operatorToken: async () => {
        asked++
        return tokens.viewer
      },
    })
    const one = await client.v1.appraisals[':id'].$get({ param: { id: json.id } })
    if (one.status !== 200) throw new Error(`${one.status}`)
    expect(await one.json()).toMatchObject({ verdict: 'issued', explained: 'in full' })
    const list = await client.v1.appraisals.$get({ query: { tenant: 'default', limit: '1' } })
    if (list.status !== 200) throw new Error(`${list.status}`)
    expect((await list.json()).appraisals).toHaveLength(1)
    expect(asked).toBe(2)
  })

  test('follows no redirect and ends in time', async () => {
    const fetch = async (_: unknown, init?: RequestInit) => {
      expect(init?.redirect).toBe('error')
      expect(init?.signal).toBeInstanceOf(AbortSignal)
      return Response.json({ nonce: 'x', expiresAt: 'y' })
    }
    const client = vouchsafeClient(service.url, { fetch })
    await client.v1.challenges.$post({ json: {} })
    expect(() => vouchsafeClient('file:///etc')).toThrow(TypeError)
  })
})

describe('as JavaScript in a package', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-client-'))
  const installed = join(scratch, 'node_modules/vouchsafe')
  afterAll(() => rmSync(scratch, { recursive: true, force: true }))

  // What `npm pack` makes is what `npm install` unpacks.
  beforeAll(() => {
    mkdirSync(installed, { recursive: true })
    symlinkSync(join(root, 'node_modules/hono'), join(scratch, 'node_modules/hono'))
    const quiet = { cwd: root, encoding: 'utf8', stdio: 'pipe' } as const
    execFileSync('npm', ['pack', '--silent', '--pack-destination', scratch], quiet)
    const [archive] = readdirSync(scratch).filter((name) => name.endsWith('.tgz'))
    if (!archive) throw new Error('npm pack made nothing')
    execFileSync('tar', ['-xzf', join(scratch, archive), '-C', installed, '--strip-components=1'])
  }, 60_000)

  test('it holds the kit, and nothing of the service', () => {
    const held = readdirSync(installed, { recursive: true, encoding: 'utf8' })
    expect(held).toContain('dist/kit/client/client.js')
    expect(held.filter((path) => path.startsWith('src') || path.startsWith('test'))).toEqual([])
  })

  test('it runs without types, in the Node that is there', async () => {
    writeFileSync(
      join(scratch, 'use.mjs'),
      `import { vouchsafeClient } from 'vouchsafe/client'
       const answer = await vouchsafeClient(process.argv[2]).v1.challenges.$post({ json: {} })
       console.log(answer.status, Object.keys(await answer.json()).join())`,
    )
    const { stdout, stderr } = await runNode(['use.mjs', service.url], scratch)
    expect(`${stdout}${stderr}`).toBe('200 nonce,expiresAt\n')
  })

  test('its declarations keep what it promises', () => {
    writeFileSync(
      join(scratch, 'use.ts'),
      `import { vouchsafeClient } from 'vouchsafe/client'
       const client = vouchsafeClient('https://attest.example.com')
       export const good = client.v1.challenges.$post({ json: {} })
       // @ts-expect-error: a tenant is a name
       export const bad = client.v1.challenges.$post({ json: { tenant: 1 } })`,
    )
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--skipLibCheck',
      '--ignoreConfig',
    ]
    const { stdout, status } = spawnSync(
      join(root, 'node_modules/.bin/tsc'),
      [...options, '--lib', 'esnext,dom', 'use.ts'],
      { cwd: scratch, encoding: 'utf8' },
    )
    expect([status, stdout]).toEqual([0, ''])
  })
})

/** Not spawnSync: the service that is asked runs in this process. */
async function runNode(args: readonly string[], cwd: string) {
  return await promisify(execFile)(process.execPath, [...args], { cwd })
}
