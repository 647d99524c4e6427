/** What does a WASI program get, with a grant and without? */
import { expect, test } from 'vitest'
import type { Grants } from '../../enclave/sandbox/capabilities.ts'
import { refusedCodes, sceneFor } from './sandbox-scene.ts'
import { command, i32, i64, op } from './wasm-builder.ts'

const READ = ['fd_read', 'iiii>i'] as const
const WRITE = ['fd_write', 'iiii>i'] as const
const EXIT = ['proc_exit', 'i>'] as const

/** An iovec at `at` for `size` bytes at `place`. */
function iovec(at: number, place: number, size: number) {
  return [...i32(at), ...i32(place), ...op.store, ...i32(at + 4), ...i32(size), ...op.store]
}

/** Function `index` with these arguments; the errno is left on the stack. */
function calling(index: number, ...values: readonly number[]) {
  return [...values.flatMap((each) => i32(each)), ...op.call(index)]
}

/** Writes the digits of the number on the stack (below 100) as JSON: two digits after a 1, so that it is a number always. */
function writeNumber(write: number) {
  return [
    ...op.set(0),
    ...[...i32(512), ...i32(49), ...op.store],
    ...[...i32(513), ...op.get(0), ...i32(10), 0x6e, ...i32(48), ...op.add, ...op.store],
    ...[...i32(514), ...op.get(0), ...i32(10), 0x70, ...i32(48), ...op.add, ...op.store],
    ...iovec(520, 512, 3),
    ...calling(write, 1, 520, 1, 530),
    ...op.drop,
  ]
}

async function run(bytes: Uint8Array, grants: Grants, input: unknown = {}) {
  const scene = sceneFor(bytes, { grants: { wasi: true, ...grants }, limits: { outputBytes: 256 } })
  try {
    return await (await scene.load(bytes)).call(input)
  } finally {
    await scene.close()
  }
}

/** The errno that this call answers with. */
async function errnoOf(
  [name, type]: readonly [string, Parameters<typeof command>[0][number][1]],
  code: readonly number[],
  grants: Grants = {},
) {
  const answer = await run(withLocal([[name, type], WRITE], [...code, ...writeNumber(1)]), grants)
  if (answer.outcome !== 'returned') throw new Error(JSON.stringify(answer))
  return Number(answer.value) - 100
}

function withLocal(imports: Parameters<typeof command>[0], code: readonly number[]) {
  return command(imports, code, { functions: [{ type: 0, locals: [[1, 0x7f]], code }] })
}

test('a program reads JSON from its standard input and writes JSON to its standard output', async () => {
  const bytes = command(
    [READ, WRITE],
    [
      ...iovec(0, 1024, 2048),
      ...calling(0, 0, 0, 1, 8),
      ...op.drop,
      // As much as was read.
      ...[...i32(4), ...i32(8), ...op.load, ...op.store],
      ...calling(1, 1, 0, 1, 12),
      ...op.drop,
    ],
  )
  expect(await run(bytes, {}, { a: ['ü', 1] })).toMatchObject({
    outcome: 'returned',
    value: { a: ['ü', 1] },
  })
})

test('an exit code is told, and 0 is an answer', async () => {
  const data = [[100, [0x37]]] as const
  const said = [...iovec(0, 100, 1), ...calling(0, 1, 0, 1, 8), ...op.drop]
  const exiting = (code: number) =>
    command([WRITE, EXIT], [...said, ...calling(1, code), ...op.unreachable], { data })
  expect(await run(exiting(0), {})).toMatchObject({ outcome: 'returned', value: 7 })
  expect(await run(exiting(3), {})).toMatchObject({
    outcome: 'trapped',
    reason: 'it exited with 3',
  })
})

test('more output than is let ends the call; more on standard error is dropped', async () => {
  const flood = (fd: number) =>
    command(
      [WRITE],
      [...iovec(0, 1024, 4096), ...calling(0, fd, 0, 1, 8), ...op.drop, ...iovec(0, 100, 1)].concat(
        calling(0, 1, 0, 1, 8),
        op.drop,
      ),
      { data: [[100, [0x31]]] },
    )
  expect(await run(flood(1), {})).toMatchObject({
    outcome: 'refused',
    reason: expect.stringMatching(/more than 256 bytes/),
  })
  const scene = sceneFor(flood(2), { grants: { wasi: true }, limits: { errorBytes: 100 } })
  const answer = await (await scene.load(flood(2))).call(0)
  expect(answer).toMatchObject({ outcome: 'returned', value: 1 })
  expect(answer.errors.length).toBe(100)
  await scene.close()
})

test('output without end costs no more than what is let', async () => {
  const bytes = command(
    [WRITE],
    [
      ...iovec(0, 1024, 0),
      // loop: write nothing at all, for ever.
      ...[0x03, 0x40, ...calling(0, 1, 0, 1, 8), ...op.drop, 0x0c, 0x00, 0x0b],
    ],
  )
  const scene = sceneFor(bytes, { grants: { wasi: true }, limits: { deadlineMs: 300 } })
  expect((await (await scene.load(bytes)).call(0)).outcome).toBe('timeout')
  await scene.close()
})

test('a program that catches its own exit is over all the same', async () => {
  // try (call proc_exit) catch_all end; then writes an answer.
  const bytes = command(
    [WRITE, EXIT],
    [
      ...[0x06, 0x40, ...calling(1, 5), 0x19, 0x0b],
      ...iovec(0, 100, 1),
      ...calling(0, 1, 0, 1, 8),
      ...op.drop,
    ],
    { data: [[100, [0x31]]] },
  )
  expect(await run(bytes, {})).toMatchObject({ outcome: 'trapped', reason: 'it exited with 5' })
})

test('and hears nothing more, whether it goes on or returns as if nothing were', async () => {
  const caught = [...[0x06, 0x40], ...calling(1, 5), 0x19, 0x0b]
  const said = (fd: number) => [...iovec(0, 100, 1), ...calling(0, fd, 0, 1, 8), ...op.drop]
  const data = [[100, [0x31]]] as const
  const returning = command([WRITE, EXIT], [...said(1), ...caught], { data })
  expect(await run(returning, {})).toMatchObject({ outcome: 'trapped', errors: '' })
  const goingOn = command([WRITE, EXIT], [...caught, ...said(2)], { data })
  expect(await run(goingOn, {})).toMatchObject({ outcome: 'trapped', errors: '' })
})

const granted = { 'data/hello.txt': new TextEncoder().encode('"hi"') }
const OPEN = ['path_open', 'iiiiiIIii>i'] as const

function opening(path: string, { how = 0, rights = 2n } = {}) {
  const bytes = [...new TextEncoder().encode(path)]
  // The path is put there byte by byte: stores of 32 bits, from the first to the last.
  const put = bytes.flatMap((byte, i) => [...i32(600 + i), ...i32(byte), ...op.store])
  return [
    ...put,
    ...[3, 0, 600, bytes.length, how].flatMap((each) => i32(each)),
    ...i64(rights),
    ...i64(0n),
    ...i32(0),
    ...i32(16),
    ...op.call(0),
  ]
}

test.each([
  ['a granted file', opening('data/hello.txt'), 0],
  ['the same by another way', opening('./data/../data//hello.txt'), 0],
  ['a file that was not granted', opening('data/other'), 44],
  ['a file of the machine', opening('/etc/passwd'), 44],
  ['what is outside of the root', opening('../etc/passwd'), 76],
  ['what comes back from outside', opening('data/../../data/hello.txt'), 76],
  ['a directory', opening('data'), 31],
  ['a file to be written', opening('data/hello.txt', { rights: 0x42n }), 69],
  ['a file to be made', opening('data/new', { how: 1 }), 69],
  ['a file as a directory', opening('data/hello.txt', { how: 2 }), 54],
])('path_open of %s answers %#', async (_, code, errno) => {
  expect(await errnoOf(OPEN, code, { files: granted })).toBe(errno)
})

test('a granted file is read', async () => {
  const code = [
    ...opening('data/hello.txt'),
    ...op.drop,
    ...iovec(0, 1024, 100),
    ...[...i32(16), ...op.load, ...i32(0), ...i32(1), ...i32(8), ...op.call(1), ...op.drop],
    ...[...i32(4), ...i32(8), ...op.load, ...op.store],
    ...calling(2, 1, 0, 1, 12),
    ...op.drop,
  ]
  const bytes = command([OPEN, READ, WRITE], code)
  expect(await run(bytes, { files: granted })).toMatchObject({ outcome: 'returned', value: 'hi' })
})

test.each<[string, Parameters<typeof errnoOf>[0], readonly number[], Grants, number]>([
  ['fd_prestat_get without files', ['fd_prestat_get', 'ii>i'], calling(0, 3, 64), {}, 8],
  ['fd_prestat_get with files', ['fd_prestat_get', 'ii>i'], calling(0, 3, 64), { files: {} }, 0],
  [
    'fd_read of a descriptor that nobody opened',
    ['fd_read', 'iiii>i'],
    [...iovec(0, 64, 8), ...calling(0, 9, 0, 1, 8)],
    {},
    8,
  ],
  ['fd_write to standard input', ['fd_write', 'iiii>i'], calling(0, 0, 0, 0, 8), {}, 8],
  ['a place outside of the memory', ['args_sizes_get', 'ii>i'], calling(0, -2, 0), {}, 21],
  ['more places than there can be', ['fd_read', 'iiii>i'], calling(0, 0, 0, -1, 8), {}, 21],
  ['path_create_directory', ['path_create_directory', 'iii>i'], calling(0, 3, 0, 1), {}, 52],
  ['poll_oneoff', ['poll_oneoff', 'iiii>i'], calling(0, 0, 0, 1, 8), {}, 52],
  [
    'random_get of a granted handful',
    ['random_get', 'ii>i'],
    calling(0, 64, 32),
    { random: true },
    0,
  ],
  ['random_get of a flood', ['random_get', 'ii>i'], calling(0, 64, 70_000), { random: true }, 28],
])('%s', async (_, host, code, grants, errno) => {
  expect(await errnoOf(host, code, grants)).toBe(errno)
})

test.each<[string, Parameters<typeof errnoOf>[0]]>([
  ['random', ['random_get', 'ii>i']],
  ['clock', ['clock_time_get', 'iIi>i']],
  ['files', ['path_open', 'iiiiiIIii>i']],
])('%s is not imported without its grant', async (_, host) => {
  const bytes = command([host], [])
  const scene = sceneFor(bytes, { grants: { wasi: true } })
  expect(await refusedCodes(scene.load(bytes))).toEqual(['capability'])
  await scene.close()
})

test('arguments and variables are those that were granted, and nobody’s own', async () => {
  const sizes = async (name: string, grants: Grants) => {
    const code = [...calling(0, 32, 36), ...op.drop, ...i32(36), ...op.load, ...writeNumber(1)]
    const bytes = withLocal([[name, 'ii>i'], WRITE], code)
    const answer = await run(bytes, grants)
    return answer.outcome === 'returned' ? Number(answer.value) - 100 : answer
  }
  expect(await sizes('environ_sizes_get', {})).toBe(0)
  expect(await sizes('environ_sizes_get', { environment: { LANG: 'C' } })).toBe('LANG=C\0'.length)
  expect(await sizes('args_sizes_get', {})).toBe('plugin\0'.length)
  expect(await sizes('args_sizes_get', { arguments: ['-v'] })).toBe('plugin\0-v\0'.length)
})

test('the clock is as coarse as was granted', async () => {
  // Milliseconds below the second, of the nanoseconds that were answered: 0 at a resolution of a second.
  const code = [
    ...[...i32(0), ...i64(0n), ...i32(32), ...op.call(0), ...op.drop],
    // i64.load, i64.rem_u by 10^9, i64.eqz
    ...[...i32(32), 0x29, 0x03, 0x00, ...i64(1_000_000_000n), 0x82, 0x50],
    ...writeNumber(1),
  ]
  const bytes = withLocal([['clock_time_get', 'iIi>i'], WRITE], code)
  const answer = await run(bytes, { clock: { resolutionMs: 1_000 } })
  expect(answer).toMatchObject({ outcome: 'returned', value: 101 })
})
