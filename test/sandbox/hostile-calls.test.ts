/** What does a hostile plugin reach by what it answers, and by how it ends? */
import { describe, expect, test } from 'vitest'
import { sceneFor } from './sandbox-scene.ts'
import {
  ANSWER_AT,
  answering,
  echo,
  functionPlugin,
  i32,
  i64,
  op,
  placed,
  smallMemory,
  wasmModule,
} from './wasm-builder.ts'

async function answerOf(
  bytes: Uint8Array,
  terms: Parameters<typeof sceneFor>[1] = {},
  input: unknown = {},
) {
  const scene = sceneFor(bytes, terms)
  try {
    const plugin = await scene.load(bytes)
    return { ...(await plugin.call(input)), reported: scene.reported }
  } finally {
    await scene.close()
  }
}

describe('a call', () => {
  test('gets no more of a table than the module declares', async () => {
    // table.grow by 2^20 of null; answers whether that was refused.
    const bytes = functionPlugin(
      [
        ...i32(ANSWER_AT),
        ...[0xd0, 0x70],
        ...i32(1 << 20),
        ...[0xfc, 0x0f, 0x00],
        ...i32(-1),
        0x46,
        ...i32(48),
        ...op.add,
        ...op.store,
        ...placed(ANSWER_AT, 1),
      ],
      { tables: [[0x70, 1, 1, 16]] },
    )
    expect(await answerOf(bytes)).toMatchObject({ value: 1 })
  })

  test.each<[string, Uint8Array, string, RegExp]>([
    [
      'meets an unreachable instruction',
      functionPlugin([...op.unreachable]),
      'trapped',
      /unreachable/,
    ],
    [
      'recurses without end',
      functionPlugin([...op.get(0), ...op.get(1), ...op.call(1)]),
      'trapped',
      /stack/,
    ],
    [
      'reads beyond its memory',
      functionPlugin([...i32(-4), ...op.load, ...op.drop, ...i64(0n)]),
      'trapped',
      /out of bounds/,
    ],
    [
      'answers with more than is let',
      functionPlugin(placed(0, 4096)),
      'refused',
      /4096 bytes of answer/,
    ],
    [
      'answers with what it has not got',
      functionPlugin(placed(131_000, 1000)),
      'refused',
      /outside/,
    ],
    [
      'answers at the end of all addresses',
      functionPlugin(placed(0xffff_ffff, 8)),
      'refused',
      /outside/,
    ],
    ['answers with no JSON', answering('{'), 'refused', /no JSON/],
    ['answers with nothing', functionPlugin(placed(0, 0)), 'refused', /no JSON/],
    [
      'answers with bytes that are no text',
      functionPlugin(placed(ANSWER_AT, 3), { data: [[ANSWER_AT, [0x22, 0xff, 0x22]]] }),
      'refused',
      /no JSON/,
    ],
    [
      'answers with a prototype',
      answering('{"a":[{"__proto__":{"isAdmin":true}}]}'),
      'refused',
      /__proto__/,
    ],
    [
      'answers with a constructor',
      answering('{"constructor":{"prototype":{"x":1}}}'),
      'refused',
      /constructor/,
    ],
    ['answers far too deep', answering(`${'['.repeat(200)}${']'.repeat(200)}`), 'refused', /deep/],
  ])('that %s is told apart, and keeps nobody from the next', async (_, bytes, outcome, reason) => {
    const scene = sceneFor(bytes, { limits: { outputBytes: 1024 } })
    const plugin = await scene.load(bytes)
    for (let i = 0; i < 2; i++) {
      const answer = await plugin.call({})
      expect(answer).toMatchObject({ outcome, reason: expect.stringMatching(reason) })
    }
    expect(Object.hasOwn(Object.prototype, 'isAdmin')).toBe(false)
    expect(scene.reported).toMatchObject([{ outcome }, { outcome }])
    await scene.close()
  })

  test.each([
    ['a cycle', cycle()],
    ['a bigint', 1n],
    ['a function', () => 1],
  ])('is not made with %s', async (_, input) => {
    expect(await answerOf(echo(), {}, input)).toMatchObject({ outcome: 'refused' })
  })

  test('is not made with more than is let', async () => {
    expect(await answerOf(echo(), { limits: { inputBytes: 10 } }, 'x'.repeat(9))).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/11 bytes of input; at most 10/),
    })
  })

  test('puts its input where the plugin has room, and nowhere else', async () => {
    // vouchsafe_alloc answers -1.
    const bytes = wasmModule({
      types: [
        ['i', 'i'],
        ['ii', 'I'],
      ],
      functions: [
        { type: 0, code: i32(-1) },
        { type: 1, code: i64(0n) },
      ],
      memories: [smallMemory],
      exports: [
        ['memory', 2, 0],
        ['vouchsafe_alloc', 0, 0],
        ['vouchsafe_call', 0, 1],
      ],
    })
    expect(await answerOf(bytes)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringMatching(/outside/),
    })
  })
})

describe('many calls', () => {
  test('wait their turn, a few of them, and the rest is told at once', async () => {
    const bytes = functionPlugin([...op.forever, ...op.unreachable])
    const scene = sceneFor(bytes, { limits: { deadlineMs: 100, mostAtOnce: 2, mostWaiting: 1 } })
    const plugin = await scene.load(bytes)
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map(async (input) => await plugin.call(input)),
    )
    expect(answers.map(({ outcome }) => outcome)).toEqual([
      'timeout',
      'timeout',
      'timeout',
      'refused',
      'refused',
    ])
    await scene.close()
  })

  test('end with the sandbox', async () => {
    const bytes = functionPlugin([...op.forever, ...op.unreachable])
    const scene = sceneFor(bytes, { limits: { deadlineMs: 20_000 } })
    const plugin = await scene.load(bytes)
    const calls = [plugin.call(1), plugin.call(2)]
    setTimeout(() => void scene.close(), 100)
    const [running, waiting] = await Promise.all(calls)
    expect(running?.outcome).toBe('trapped')
    expect(waiting?.outcome).toBe('refused')
    expect(await plugin.call(3)).toMatchObject({ outcome: 'refused' })
  })
})

function cycle(): unknown {
  const round: { self?: unknown } = {}
  round.self = round
  return round
}
