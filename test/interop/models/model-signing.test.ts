/** Does the PyPI package model-signing accept our signatures, and we its, and do both refuse what was altered? */
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { modelCommand } from '#src/cli/model.ts'
import { modelDeps } from '#src/compose/models.ts'
import { modelSigning, type Program } from './model-signing.ts'

const found = modelSigning()
const why = typeof found === 'string' ? found : undefined
const theirs: Program = typeof found === 'string' ? () => ({ code: 1, said: found }) : found

/** Where the specification's order, that of the package and that of a file system differ. */
const files: Readonly<Record<string, string>> = {
  'sub/weights.bin': 'w',
  'sub.index.json': 'i',
  'sub-a/x': 'x',
  'A.txt': 'a',
  '.hidden': 'h',
  'sub/.git': 'kept, since it is not at the top',
  'ünïcode 模型 😀.bin': 'u',
  '\uff5e': 'after it by code point, before it by UTF-16',
  empty: '',
  '.gitignore': 'left out',
  '.git/HEAD': 'left out',
}

let place: string
const at = (...names: string[]) => join(place, ...names)
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'vouchsafe-oms-'))
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(at('model', path, '..'), { recursive: true })
    writeFileSync(at('model', path), content)
  }
})
afterAll(() => rmSync(place, { recursive: true, force: true }))

async function seal(name: string, ...more: string[]) {
  let out = ''
  let err = ''
  const args = [
    '--name',
    'llama',
    '--version',
    '1',
    '--out',
    at(name),
    '--key-out',
    at(`${name}.key`),
  ]
  const code = await modelCommand(['seal', at('model'), ...args, '--json', ...more], {
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

if (why && process.env.CI)
  test('model-signing', () => {
    throw new Error(`CI must have model-signing: ${why}`)
  })

describe.skipIf(why !== undefined)(
  why ? `model-signing (skipped: ${why})` : 'model-signing',
  () => {
    describe.each(['P-256', 'P-384', 'P-521'])('with a key on %s', (namedCurve) => {
      beforeAll(() => {
        const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
        writeFileSync(at('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
        writeFileSync(at('key.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
      })
      const verify = (model: string, signature: string) =>
        theirs('verify', 'key', model, '--signature', signature, '--public_key', at('key.pub'))

      test('accepts our signature, and refuses it when a file was altered', async () => {
        const name = `ours-${namedCurve}`
        expect(await seal(name, '--sign-key', at('key.pem'))).toMatchObject({ code: 0 })
        const signature = at(name, 'model.sig')
        expect(verify(at('model'), signature)).toMatchObject({ code: 0 })
        writeFileSync(at('model', 'A.txt'), 'b')
        expect(verify(at('model'), signature).code).not.toBe(0)
        writeFileSync(at('model', 'A.txt'), 'a')
      })

      test('makes signatures that we seal by, with its root, until a file is altered', async () => {
        const signature = at(`theirs-${namedCurve}.sig`)
        const made = theirs(
          'sign',
          'key',
          at('model'),
          '--private_key',
          at('key.pem'),
          '--signature',
          signature,
        )
        expect(made).toMatchObject({ code: 0 })
        const given = ['--signature', signature, '--public-key', at('key.pub')]
        const { code, out, err } = await seal(`by-theirs-${namedCurve}`, ...given)
        expect({ code, err }).toMatchObject({ code: 0 })
        expect((JSON.parse(out) as { digest: string }).digest).toBe(rootIn(signature))
        writeFileSync(at('model', 'A.txt'), 'b')
        expect(await seal(`altered-${namedCurve}`, ...given)).toMatchObject({ code: 1 })
        writeFileSync(at('model', 'A.txt'), 'a')
      })
    })
  },
)

function rootIn(signature: string): string {
  const { dsseEnvelope } = JSON.parse(readFileSync(signature, 'utf8')) as {
    dsseEnvelope: { payload: string }
  }
  const statement = JSON.parse(Buffer.from(dsseEnvelope.payload, 'base64').toString()) as {
    subject: [{ digest: { sha256: string } }]
  }
  return `sha256:${statement.subject[0].digest.sha256}`
}
