/** `vouchsafe model`: what it prints, how it ends, and what is on the disk afterwards. */
import { generateKeyPairSync } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { modelCommand } from '#src/cli/model.ts'
import { modelDeps } from '#src/compose/models.ts'
import { CHUNK_BYTES } from '#src/seal/model-chunk.ts'
import { filled } from '../models/sealed-in-memory.ts'

let place: string
/** For all tests. */
const kept = mkdtempSync(join(tmpdir(), 'vouchsafe-model-kept-'))
afterAll(() => rmSync(kept, { recursive: true, force: true }))
let template: Awaited<ReturnType<typeof sealedNow>> | undefined
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'vouchsafe-model-cli-'))
  mkdirSync(join(place, 'model', 'sub'), { recursive: true })
  writeFileSync(at('model', 'w.bin'), weights)
  writeFileSync(at('model', 'sub', 'config.json'), '{}\n')
  return () => rmSync(place, { recursive: true, force: true })
})

const weights = filled(CHUNK_BYTES + 100)
const at = (...names: string[]) => join(place, ...names)

async function run(...args: string[]) {
  const stdout: Buffer[] = []
  let out = ''
  let err = ''
  const code = await modelCommand(args, {
    ...modelDeps(async (bytes) => void stdout.push(Buffer.from(bytes))),
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    terminal: false,
    files: localFiles,
  })
  return { code, out, err, stdout: Buffer.concat(stdout) }
}

/** Sealed once, and copied from then on: most tests are about opening. */
async function sealed(): Promise<{ readonly digest: string }> {
  template ??= await sealedNow()
  cpSync(template.folder, at('sealed'), { recursive: true })
  cpSync(template.key, at('key'))
  return template
}

async function sealedNow() {
  const to = ['--out', at('made'), '--key-out', at('made.key')]
  const args = ['--name', 'llama', '--version', '3', ...to, '--json']
  const { code, out, err } = await run('seal', at('model'), ...args)
  expect({ code, err }).toMatchObject({ code: 0 })
  const { digest } = JSON.parse(out) as { digest: string }
  const [folder, key] = ['sealed', 'key'].map((name) => join(kept, name))
  renameSync(at('made'), folder ?? '')
  renameSync(at('made.key'), key ?? '')
  return { digest, folder: folder ?? '', key: key ?? '' }
}

const withKey = () => ['--key-file', at('key')]

describe('seal and open', () => {
  test('give back the files, whole, for their owner alone', async () => {
    const { digest } = await sealed()
    const expected = ['--expect-digest', digest, '--minimum-version', '3', '--name', 'llama']
    const { code, out } = await run(
      'open',
      at('sealed'),
      '--out',
      at('o'),
      ...withKey(),
      ...expected,
    )
    expect(code).toBe(0)
    expect(out).toContain(digest)
    expect(readFileSync(at('o', 'w.bin')).equals(weights)).toBe(true)
    expect(readFileSync(at('o', 'sub', 'config.json'), 'utf8')).toBe('{}\n')
    expect(statSync(at('o')).mode & 0o777).toBe(0o700)
    expect(statSync(at('o', 'w.bin')).mode & 0o777).toBe(0o600)
    expect(statSync(at('key')).mode & 0o777).toBe(0o600)
    expect(statSync(at('key')).size).toBe(32)
  })

  test('give one file to stdout, and nothing else there', async () => {
    await sealed()
    const { code, out, stdout } = await run('open', at('sealed'), '--stdout', 'w.bin', ...withKey())
    expect({ code, out }).toEqual({ code: 0, out: '' })
    expect(stdout.equals(weights)).toBe(true)
  })

  test('show a sealed model without its key', async () => {
    const { digest } = await sealed()
    const { code, out } = await run('inspect', at('sealed'))
    expect(code).toBe(0)
    expect(out).toContain(`digest  ${digest}`)
    expect(out).toContain('sub/config.json')
    expect(out).toContain('not authenticated')
  })

  test('keep to a signature of the plaintext', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey
    writeFileSync(at('sign.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(at('sign.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
    writeFileSync(at('other.pub'), other.export({ type: 'spki', format: 'pem' }))
    const signing = ['--sign-key', at('sign.pem'), '--out', at('sealed'), '--key-out', at('key')]
    const signed = await run('seal', at('model'), '--name', 'llama', '--version', '3', ...signing)
    expect(signed).toMatchObject({ code: 0 })
    const opening = (key: string, out: string) =>
      run('open', at('sealed'), '--out', at(out), ...withKey(), '--public-key', at(key))
    expect(await opening('sign.pub', 'o')).toMatchObject({ code: 0 })
    const { code, err } = await opening('other.pub', 'p')
    expect(code).toBe(2)
    expect(err).toContain('REFUSED signature of the model')
    // What others signed is sealed as they signed it, and only then.
    const again = ['--signature', at('sealed', 'model.sig'), '--public-key', at('sign.pub')]
    const args = ['--name', 'llama', '--version', '4', '--out', at('again'), '--key-out', at('k2')]
    expect(await run('seal', at('model'), ...args, ...again)).toMatchObject({ code: 0 })
    writeFileSync(at('model', 'more'), 'x')
    const more = ['--name', 'llama', '--version', '5', '--out', at('more'), '--key-out', at('k3')]
    expect(await run('seal', at('model'), ...more, ...again)).toMatchObject({ code: 1 })
  })
})

describe('open refuses', () => {
  test.each([
    { what: 'an older version', args: ['--minimum-version', '4'], where: 'model version' },
    {
      what: 'another digest',
      args: ['--expect-digest', `sha256:${'0'.repeat(64)}`],
      where: 'model digest',
    },
    { what: 'another name', args: ['--name', 'other'], where: 'model name' },
  ])('$what, and leaves nothing', async ({ args, where }) => {
    await sealed()
    const { code, err } = await run('open', at('sealed'), '--out', at('o'), ...withKey(), ...args)
    expect(code).toBe(2)
    expect(err).toContain(`REFUSED ${where}`)
    expect(readdirSync(place).toSorted()).toEqual(['key', 'model', 'sealed'])
  })

  test('a file that was altered, and leaves nothing, though others were right', async () => {
    await sealed()
    const name = at('sealed', '00001.sealed')
    const bytes = readFileSync(name)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    writeFileSync(name, bytes)
    const { code, out } = await run('open', at('sealed'), '--out', at('o'), ...withKey(), '--json')
    expect(code).toBe(2)
    expect(JSON.parse(out)).toMatchObject({ verdict: 'refused', where: 'w.bin, chunk 1' })
    expect(readdirSync(place).toSorted()).toEqual(['key', 'model', 'sealed'])
  })

  test('to go on after right bytes on stdout, with exit code 2', async () => {
    await sealed()
    const name = at('sealed', '00001.sealed')
    writeFileSync(name, readFileSync(name).subarray(0, -1))
    const { code, stdout } = await run('open', at('sealed'), '--stdout', 'w.bin', ...withKey())
    expect(code).toBe(2)
    expect(stdout.length).toBe(0)
  })

  test('a file that there is not, and a folder that there is', async () => {
    await sealed()
    mkdirSync(at('o'))
    expect(await run('open', at('sealed'), '--out', at('o'), ...withKey())).toMatchObject({
      code: 1,
    })
    const none = await run('open', at('sealed'), '--stdout', '../key', ...withKey())
    expect(none.code).toBe(1)
    expect(none.err).toContain('has no file')
  })

  test.each([0, 33])('a key of %i bytes', async (size) => {
    await sealed()
    writeFileSync(at('key'), Buffer.alloc(size, 1))
    expect(await run('open', at('sealed'), '--out', at('o'), ...withKey())).toMatchObject({
      code: 1,
    })
  })
})

describe('the key', () => {
  test('goes to a service as the resource of the model, with the operator’s token', async () => {
    const asked: { authorization: string | undefined; body: unknown }[] = []
    const server = createServer((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part: Buffer) => parts.push(part))
      request.on('end', () => {
        const { authorization } = request.headers
        asked.push({ authorization, body: JSON.parse(Buffer.concat(parts).toString()) })
        response.setHeader('content-type', 'application/json').end(
          JSON.stringify({
            tenant: 'default',
            name: 'model:llama',
            version: 7,
            change: 'rotated',
            use: 'release',
            approvals: 0,
            leaseSeconds: 3600,
            releasesPerMinute: null,
            brokerPath: null,
            requiresSession: false,
            acceptsSimulated: false,
            next: '',
          }),
        )
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    writeFileSync(at('token'), 'operator-token-of-forty-characters-000000\n')
    const service = ['--release-url', url, '--token-file', at('token')]
    const { code, out, err } = await run(
      'seal',
      at('model'),
      '--name',
      'llama',
      '--version',
      '3',
      '--out',
      at('sealed'),
      '--key-out',
      at('key'),
      '--json',
      ...service,
    )
    await new Promise((resolve) => server.close(resolve))
    expect({ code, err }).toMatchObject({ code: 0 })
    expect(JSON.parse(out)).toMatchObject({ resource: { name: 'model:llama', version: 7 } })
    const secret = readFileSync(at('key'))
    expect(asked).toEqual([
      {
        authorization: 'Bearer operator-token-of-forty-characters-000000',
        body: { tenant: 'default', name: 'model:llama', secret: secret.toString('base64') },
      },
    ])
    expect(`${out}${err}`).not.toContain(secret.toString('base64'))
  })

  test('is not written over', async () => {
    writeFileSync(at('key'), 'somebody else’s')
    const { code } = await run(
      'seal',
      at('model'),
      '--name',
      'llama',
      '--version',
      '3',
      '--out',
      at('sealed'),
      '--key-out',
      at('key'),
    )
    expect(code).toBe(1)
    expect(readFileSync(at('key'), 'utf8')).toBe('somebody else’s')
    expect(existsSync(at('sealed'))).toBe(false)
  })
})

test('no key is written for what cannot be sealed', async () => {
  const args = ['--name', 'N/', '--version', '1', '--out', at('sealed'), '--key-out', at('key')]
  const { code, err } = await run('seal', at('model'), ...args)
  expect(code).toBe(1)
  expect(err).toContain('no name of a model')
  expect(readdirSync(place)).toEqual(['model'])
})

test.each([
  { args: [], says: 'is missing' },
  { args: ['mend'], says: 'There is no `vouchsafe model mend`' },
  { args: ['seal'], says: 'DIR is missing' },
  {
    args: ['seal', 'd', '--name', 'n', '--version', '1', '--out', 'o'],
    says: 'nobody would have the key',
  },
  {
    args: ['seal', 'd', '--name', 'n', '--version', '0', '--out', 'o', '--key-out', 'k'],
    says: 'no version',
  },
  {
    args: ['seal', 'd', '--name', 'n', '--version', '1', '--out', 'o', '--release-url', 'u'],
    says: '--token-file is missing',
  },
  {
    args: [
      'seal',
      'd',
      '--name',
      'n',
      '--version',
      '1',
      '--out',
      'oci://r/a:latest',
      '--key-out',
      'k',
    ],
    says: 'leave it out',
  },
  { args: ['open', 's'], says: 'either --out or --stdout' },
  { args: ['open', 's', '--out', 'o'], says: 'from --service or from --key-file' },
  { args: ['open', 's', '--out', 'o', '--service', 'u'], says: '--agent is missing' },
  {
    args: ['open', 's', '--out', 'o', '--service', 'u', '--agent', 'a', '--resource', 'secret:x'],
    says: 'is no model',
  },
  {
    args: ['open', 's', '--out', 'o', '--key-file', 'k', '--expect-digest', 'abc'],
    says: 'no digest',
  },
  { args: ['open', 'oci://r/a:latest', '--out', 'o', '--key-file', 'k'], says: 'names no digest' },
  { args: ['inspect', '/nowhere'], says: 'cannot be read' },
])('vouchsafe model $args ends with 1: $says', async ({ args, says }) => {
  const { code, err } = await run(...args)
  expect(code).toBe(1)
  expect(err).toContain(says)
  expect(err).toContain('What to do:')
})

test.each(['seal', 'open', 'inspect'])(
  'vouchsafe model %s --help names every option',
  async (verb) => {
    const { code, out } = await run(verb, '--help')
    expect(code).toBe(0)
    expect(out).toContain('--json')
  },
)
