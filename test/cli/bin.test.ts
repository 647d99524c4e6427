/** Does the command start on the Node that a machine has, hand over when it is too old, and end as its child ends? */
import { execFile, spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { output, pem, vector } from './command.ts'

const root = join(import.meta.dirname, '../..')
const bin = join(root, 'bin/vouchsafe.js')
const { evidence, parts } = vector('sev-snp/milan-v3-good')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vouchsafe-bin-'))
  writeFileSync(join(folder, 'report.bin'), evidence.quote)
  mkdirSync(join(folder, 'ends'))
  const [vcek, ask] = parts.certificates.map((der) => pem('CERTIFICATE', der))
  writeFileSync(join(folder, 'ends/chain.pem'), `${vcek}${ask}`)
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Run {
  readonly node?: string
  readonly script?: string
  readonly env?: NodeJS.ProcessEnv
}

async function run(
  args: readonly string[],
  { node = process.execPath, script = bin, env }: Run = {},
) {
  return await new Promise<{ code: unknown; out: string; err: string }>((resolve) => {
    const options = { cwd: folder, env: { ...process.env, ...env }, timeout: 20_000 }
    execFile(node, [script, ...args], options, (error, out, err) =>
      resolve({ code: error ? error.code : 0, out, err }),
    )
  })
}

/** The machine's own Node, where it is another than the one that runs the tests. */
const own = (process.env.PATH ?? '')
  .split(delimiter)
  .map((each) => join(each, 'node'))
  .find((path) => !path.includes('node_modules') && path !== process.execPath && existsSync(path))

describe('under this Node', () => {
  it('judges files of the folder it was called in, and exits 2 for a root that is not a vendor’s', async () => {
    const { code, out } = await run([
      'verify',
      'report.bin',
      '--endorsements',
      'ends',
      '--at',
      '2026-06-01T00:00:00Z',
    ])
    expect({ code, out }).toEqual({
      code: 2,
      out: expect.stringMatching(/^REFUSED sev-snp by snp\.chain\.signature\n/),
    })
  })

  it('prints JSON and nothing else', async () => {
    const { out, err } = await run(['verify', 'report.bin', '--json'])
    expect({ err, tee: JSON.parse(out).tee }).toEqual({ err: '', tee: 'sev-snp' })
  })

  it('exits 1 for a command that it does not know, with those that it does', async () => {
    const { code, err } = await run(['frob'])
    expect(code).toBe(1)
    expect(err).toMatch(/there is no command "frob"\.\nWhat to do: Choose one of .*verify.*inspect/)
  })

  it('exits 1 without a command, and 0 when asked for help', async () => {
    expect((await run([])).code).toBe(1)
    const help = await run(['--help'])
    expect({ code: help.code, out: help.out }).toEqual({
      code: 0,
      out: expect.stringMatching(/vouchsafe verify /),
    })
  })

  it('says which version it is', async () => {
    const { version } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    )
    for (const asked of ['--version', '-V', 'version'])
      expect(await run([asked])).toMatchObject({ code: 0, out: `vouchsafe ${version}\n` })
  })

  it('ends quietly when nobody reads on', async () => {
    const { written, err } = output()
    const child = spawn('sh', ['-c', `"${process.execPath}" "${bin}" checks | head -1`])
    child.stderr.on('data', (chunk: Buffer) => err(String(chunk)))
    await new Promise((resolve) => child.on('close', resolve))
    expect(written.err).toBe('')
  })
})

describe('through a symbolic link, as npm makes one', () => {
  it('finds its own files and the caller’s', async () => {
    const link = join(folder, 'vouchsafe')
    symlinkSync(bin, link)
    const { code, out } = await run(['inspect', 'report.bin'], { script: link })
    expect({ code, out }).toEqual({ code: 0, out: expect.stringMatching(/^NOT VERIFIED/) })
  })
})

describe.skipIf(!own)(
  `under the machine’s own Node${own ? '' : ' (skipped: it has no other)'}`,
  () => {
    it('answers as under this one', async () => {
      const args = [
        'verify',
        'report.bin',
        '--endorsements',
        'ends',
        '--json',
        '--at',
        '2026-06-01T00:00:00Z',
      ]
      const { code, out } = await run(args, own ? { node: own } : {})
      expect({ code, out }).toEqual({ code: 2, out: (await run(args)).out })
    })
  },
)

/** A copy of the starter beside a src/main.ts that the test wrote, run by a Node that says it is 20. */
describe('under a Node that is too old', () => {
  const oldNode = {
    env: { NODE_OPTIONS: `--import ${join(root, 'test/cli/claims-to-be-20.mjs')}` },
  }
  const copy = (name: string, main: string, withNode: boolean): string => {
    const house = join(folder, name)
    mkdirSync(join(house, 'src'), { recursive: true })
    cpSync(join(root, 'bin'), join(house, 'bin'), { recursive: true })
    writeFileSync(join(house, 'package.json'), '{"type":"module"}')
    writeFileSync(join(house, 'src/main.ts'), main)
    if (withNode) {
      const place = join(house, `node_modules/node-linux-${process.arch}/bin`)
      mkdirSync(place, { recursive: true })
      symlinkSync(process.execPath, join(place, 'node'))
    }
    return join(house, 'bin/vouchsafe.js')
  }

  it('hands arguments, streams and exit code through', async () => {
    const main = `console.log(JSON.stringify(process.argv.slice(2))); console.error('heard'); process.exitCode = 7`
    const script = copy('through', main, true)
    expect(await run(['a b', '--json'], { script, ...oldNode })).toEqual({
      code: 7,
      out: '["a b","--json"]\n',
      err: 'heard\n',
    })
  })

  it('passes SIGTERM on, and ends as its child ends', async () => {
    const main = `process.on('SIGTERM', () => { console.log('stopping'); process.exit(3) }); setInterval(() => {}, 1000); console.log('ready')`
    const script = copy('signalled', main, true)
    const child = spawn(process.execPath, [script], { env: { ...process.env, ...oldNode.env } })
    let out = ''
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk
      if (out === 'ready\n') child.kill('SIGTERM')
    })
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(3)
    expect(out).toBe('ready\nstopping\n')
  })

  it('dies of the signal that killed its child', async () => {
    const script = copy('killed', `process.kill(process.pid, 'SIGKILL')`, true)
    const child = spawn(process.execPath, [script], { env: { ...process.env, ...oldNode.env } })
    expect(
      await new Promise((resolve) =>
        child.on('close', (code, signal) => resolve({ code, signal })),
      ),
    ).toEqual({ code: null, signal: 'SIGKILL' })
  })

  it('says what to install when no other was brought', async () => {
    const script = copy('alone', '', false)
    const { code, out, err } = await run([], { script, ...oldNode })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(
      /^vouchsafe needs Node 24 or newer, and this is v20\.0\.0\. Run `npm ci` here/,
    )
    expect(err).not.toMatch(/\n\s+at /)
  })
})
