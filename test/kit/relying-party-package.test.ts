/** The relying party's kit as others install it: small, without dependencies, in plain JavaScript, and in the Node that they have. */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTokens } from '../../enclave/attestation.ts'
import { attestAt } from '../http/attempt.ts'
import { agentOf, type RunningService, runService } from '../http/running-service.ts'
import { packedKit } from './packed.ts'

const root = join(import.meta.dirname, '../..')
const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-relying-party-'))
let kit = ''
let service: RunningService
beforeAll(async () => {
  kit = join(packedKit(scratch), 'dist/kit/relying-party')
  service = await runService()
}, 60_000)
afterAll(async () => {
  await service.close()
  rmSync(scratch, { recursive: true, force: true })
})

const scripts = () => readdirSync(kit).filter((name) => name.endsWith('.js'))
const textOf = (name: string) => readFileSync(join(kit, name), 'utf8')

test('all of it together has less than 50 kB, comments and indentation not counted', () => {
  const plain = scripts().map((name) => withoutComments(textOf(name)))
  const size = plain.join('').length
  console.log(`relying-party: ${size} bytes, ${gzipSync(plain.join('')).length} compressed`)
  expect(size).toBeGreaterThan(10_000)
  expect(size).toBeLessThan(50_000)
})

/** tsc writes each comment on lines of its own, or after two characters that no text of ours holds. */
function withoutComments(script: string): string {
  return script
    .replaceAll(/^\s*\/\*\*?[\s\S]*?\*\/\s*$/gm, '')
    .replaceAll(/^\s*\/\/.*$/gm, '')
    .replaceAll(/^\s+/gm, '')
}

test('it imports nothing but itself: no package, and nothing of Node', () => {
  const imported = scripts().flatMap((name) =>
    [...textOf(name).matchAll(/^(?:import|export)[^'"]*?from ['"]([^'"]+)['"]/gm)].map(
      ([, from]) => from,
    ),
  )
  expect(imported.length).toBeGreaterThan(10)
  expect(imported.filter((from) => !from?.startsWith('./'))).toEqual([])
})

describe.each(['node', ...olderNode()])('under %s', (node) => {
  test('it judges a token of a running service, in a program that knows the package’s name only', async () => {
    const [opened] = await openTokens((await attestAt(service)).json, (await agentOf(service)).keys)
    writeFileSync(
      join(scratch, 'use.mjs'),
      `import { relyingParty } from 'vouchsafe/relying-party'
       import { attested } from 'vouchsafe/relying-party/hono'
       import { attestedOnly } from 'vouchsafe/relying-party/node'
       import { forwardAuth } from 'vouchsafe/relying-party/forward-auth'
       const [issuer, now, token] = process.argv.slice(2)
       const options = { issuer, audience: 'kms.example', now: () => Number(now) }
       const party = relyingParty({ ...options, required: { assurance: 'simulated' } })
       const publicUrl = 'https://kms.example'
       for (const made of [attested(party, { publicUrl }), attestedOnly(party, { publicUrl }),
         forwardAuth(party, { publicUrl, gateway: 'nginx' })]) if (typeof made !== 'function') throw made
       const verdict = await party.verifyWithoutProof({ token })
       console.log(verdict.accepted, verdict.detail ?? verdict.claims.subject)
       console.log((await relyingParty(options).verifyWithoutProof({ token })).reason)
       console.log((await party.verifyWithoutProof({ token: token + 'x' })).reason)`,
    )
    const args = [
      'use.mjs',
      service.simulated,
      `${service.clock.at.getTime()}`,
      opened?.token ?? '',
    ]
    const { stdout, stderr } = await promisify(execFile)(node, args, { cwd: scratch })
    expect([stderr, stdout.split('\n')]).toEqual([
      '',
      [
        'true simulated:spiffe://127.0.0.1/t/default/env/prod/agent/invoice-bot',
        'assurance-other',
        'token-malformed',
        '',
      ],
    ])
  })
})

/** The oldest that the package says it runs in, where this machine has it. */
function olderNode(): readonly string[] {
  return ['/usr/local/bin/node', '/usr/bin/node'].filter((path) => {
    try {
      return execFileSync(path, ['--version'], { encoding: 'utf8' }).startsWith('v20.')
    } catch {
      return false
    }
  })
}

test('its declarations keep what they promise', () => {
  writeFileSync(
    join(scratch, 'use.ts'),
    `import { relyingParty } from 'vouchsafe/relying-party'
     import { attested } from 'vouchsafe/relying-party/hono'
     import { Hono } from 'hono'
     const party = relyingParty({
       issuer: 'https://attest.example.com',
       audience: 'kms.example',
       required: { trustVector: { hardware: 'affirming' }, scopes: ['secret:db'] },
     })
     export const app = new Hono()
       .use(attested(party, { publicUrl: 'https://kms.example' }))
       .get('/', (context) => context.text(context.get('attested').claims.subject))
     export async function subject(token: string) {
       const verdict = await party.verify({ token })
       // @ts-expect-error: whether there are claims must be asked first
       verdict.claims
       if (!verdict.accepted && verdict.reason === 'token-expired') return verdict.detail
       return verdict.accepted ? verdict.claims.subject : verdict.status
     }
     // @ts-expect-error: nothing that can be required
     export const bad = relyingParty({ issuer: '', audience: '', required: { enviroment: 'prod' } })`,
  )
  expect(compiled('use.ts')).toEqual([0, ''])
})

test('the programs of docs/relying-party.md are programs', () => {
  const page = readFileSync(join(root, 'docs/relying-party.md'), 'utf8')
  const programs = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  expect(programs).toHaveLength(3)
  for (const [place, text] of programs.entries()) {
    // TypeScript infers no types of parameters, and the page is for readers of JavaScript.
    writeFileSync(
      join(scratch, `page-${place}.ts`),
      text.replace(
        '(token, proof, request)',
        '(token: string, proof: string, request: import("vouchsafe/relying-party").ProvedRequest)',
      ),
    )
    expect([text, ...compiled(`page-${place}.ts`)]).toEqual([text, 0, ''])
  }
})

/** Under the types of the package and of Node. */
function compiled(file: string): readonly [number | null, string] {
  const options = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--skipLibCheck',
    '--ignoreConfig',
  ]
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
  const { stdout, status } = spawnSync(
    join(root, 'node_modules/.bin/tsc'),
    [...options, ...types, '--lib', 'esnext,dom', file],
    { cwd: scratch, encoding: 'utf8' },
  )
  return [status, stdout]
}
