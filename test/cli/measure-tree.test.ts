/** Does `vouchsafe measure tree` approve exactly what lies in a folder, as the agent's collector is going to find it? */
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { measureTree, writeList } from '#src/adapters/measured-tree.ts'
import { measureTreeCommand } from '#src/cli/measure-tree.ts'
import { LARGEST_LIST, readMeasurementList } from '#src/policy/documents/measurement-list.ts'
import { linkDigest } from '../../enclave/measure/tree.ts'

const top = mkdtempSync(join(tmpdir(), 'measure-tree-'))
afterAll(() => rmSync(top, { recursive: true, force: true }))

let at: string
let count = 0
beforeEach(() => {
  at = join(top, String(count++))
  mkdirSync(join(at, 'tree/lib'), { recursive: true })
})

function put(path: string, content: string | Uint8Array, mode = 0o644) {
  writeFileSync(join(at, 'tree', path), content)
  chmodSync(join(at, 'tree', path), mode)
}

async function run(...args: readonly string[]) {
  let out = ''
  let err = ''
  const code = await measureTreeCommand(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    terminal: false,
    measureTree,
    writeFile: writeList,
  })
  return { code, out, err }
}

const measure = async (...args: readonly string[]) =>
  await run(join(at, 'tree'), '--as', '/opt/agent', '--out', join(at, 'measurements'), ...args)

/** Of all lists that were written, each as a policy reads it. */
function written(): readonly string[] {
  return readdirSync(join(at, 'measurements')).flatMap((name) => {
    const bytes = new Uint8Array(readFileSync(join(at, 'measurements', name)))
    const reading = readMeasurementList(`measurements/${name}`, bytes)
    if ('mistakes' in reading) throw new Error(JSON.stringify(reading.mistakes))
    return [...reading.list.lines]
  })
}

/** The 64 bytes with which a file says what it is. */
function elf(type: number) {
  const header = new Uint8Array(64)
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  header[16] = type
  return header
}

describe('measure tree', () => {
  test('lists every file below, as it lies on the agent’s machine', async () => {
    put('main.js', 'hello\n')
    put('lib/empty.js', '')
    const { code, out } = await measure()
    expect(code).toBe(0)
    expect(written()).toEqual([
      'code 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  /opt/agent/main.js',
      'code e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  /opt/agent/lib/empty.js',
    ])
    const [name = ''] = readdirSync(join(at, 'measurements'))
    expect(out).toContain(`lists: ["sha256:${name.replace('.list', '')}"]`)
    expect(statSync(join(at, 'measurements', name)).mode & 0o777).toBe(0o644)
  })

  test('knows programs, libraries and scripts that may be started', async () => {
    put('static', elf(2), 0o755)
    put('pie', elf(3), 0o755)
    put('lib/a.so', elf(3), 0o755)
    put('lib/b.so.6.1', elf(3), 0o755)
    put('lib/c.node', elf(3))
    put('lib/d', elf(3))
    put('lib/e.o', elf(1))
    put('run.sh', '#!/bin/sh\n', 0o755)
    put('read.sh', '#!/bin/sh\n')
    await measure()
    const kinds = written().map((line) => [line.split('/').at(-1), line.split(' ')[0]])
    expect(Object.fromEntries(kinds)).toEqual({
      static: 'executable',
      pie: 'executable',
      'a.so': 'library',
      'b.so.6.1': 'library',
      'c.node': 'library',
      d: 'library',
      'e.o': 'code',
      'run.sh': 'executable',
      'read.sh': 'code',
    })
  })

  test('calls everything what --kind says', async () => {
    put('lib/a.so', elf(3))
    put('a.json', '{}')
    expect((await measure('--kind', 'configuration')).code).toBe(0)
    expect(written().map((line) => line.split(' ')[0])).toEqual(['configuration', 'configuration'])
  })

  test('measures links as links, as the collector does, and never what they lead to', async () => {
    put('main.js', 'hello')
    symlinkSync('/etc/passwd', join(at, 'tree/lib/link'))
    symlinkSync('.', join(at, 'tree/lib/around'))
    await measure()
    const hex = (target: string) => linkDigest(target).slice('sha256:'.length)
    expect(written()).toContain(`code ${hex('/etc/passwd')}  /opt/agent/lib/link`)
    expect(written()).toContain(`code ${hex('.')}  /opt/agent/lib/around`)
    expect(written()).toHaveLength(3)
  })

  test('leaves out what --except names, with everything below', async () => {
    put('main.js', 'hello')
    put('lib/a.js', 'a')
    await measure('--except', 'lib/')
    expect(written().map((line) => line.split('/').at(-1))).toEqual(['main.js'])
  })

  test('says which sockets it cannot measure, and measures the rest', async () => {
    put('main.js', 'hello')
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(at, 'tree/socket'), resolve))
    const { code, err } = await measure()
    await new Promise((resolve) => server.close(resolve))
    expect(code).toBe(0)
    expect(err).toContain('socket is no file')
    expect(written()).toHaveLength(1)
  })

  test('writes several lists where one would be too large', async () => {
    const deep = `${'d'.repeat(200)}/`.repeat(4)
    mkdirSync(join(at, 'tree', deep), { recursive: true })
    for (let n = 0; n < 1300; n++) writeFileSync(join(at, 'tree', deep, String(n)), String(n))
    const { out } = await measure('--json')
    const { files, lists } = JSON.parse(out)
    expect(files).toBe(1300)
    expect(lists.length).toBe(2)
    for (const { file } of lists) expect(statSync(file).size).toBeLessThanOrEqual(LARGEST_LIST)
    expect(written()).toHaveLength(1300)
  })

  test('writes the same list whenever the folder is the same', async () => {
    put('main.js', 'hello')
    const first = await measure('--json')
    expect(await measure('--json')).toEqual(first)
    expect(readdirSync(join(at, 'measurements'))).toHaveLength(1)
  })

  test('shows how far it is, on stderr, where it takes long', async () => {
    put('main.js', 'hello')
    expect((await measure()).err).toBe('')
    put('weights.bin', '')
    truncateSync(join(at, 'tree/weights.bin'), 16 * 1024 * 1024)
    expect((await measure()).err).toContain('measuring: 100 % of 16.0 MiB')
  })

  test.each<readonly [string, readonly string[], string]>([
    ['a kind that no list holds', ['--kind', 'model'], 'models are approved by spec.models'],
    ['a place that is no absolute path', ['--as', 'opt'], 'no absolute path'],
    ['a place with detours', ['--as', '/opt/../etc'], 'without detours'],
  ])('refuses %s', async (_, args, says) => {
    put('main.js', 'hello')
    const { code, err } = await run(join(at, 'tree'), '--out', join(at, 'measurements'), ...args)
    expect(code).toBe(1)
    expect(err).toContain(says)
  })

  test('refuses an empty folder, and one that is not there', async () => {
    expect((await measure()).err).toContain('holds no file')
    expect((await run(join(at, 'nowhere'))).err).toContain('cannot be measured')
  })

  test('refuses names that no list can hold', async () => {
    put('line\nbreak', 'x')
    const { code, err } = await measure()
    expect(code).toBe(1)
    expect(err).toContain('line\\u{a}break has a name that no list can hold')
  })
})
