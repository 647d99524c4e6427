/** What does the host let in, and what does a hostile plugin reach once it is in? */
import { describe, expect, test } from 'vitest'
import { digestOf, openSandbox } from '../../enclave/sandbox/sandbox.ts'
import { decodeBehaviour, decodeMeasurement } from '../../src/rats/runtime-event.ts'
import { refusedCodes, sceneFor } from './sandbox-scene.ts'
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

describe('loading', () => {
  test('an approved plugin is measured before it runs, and each call is on the record', async () => {
    const bytes = echo()
    const scene = sceneFor(bytes)
    const plugin = await scene.load(bytes)
    expect(scene.measured).toEqual([{ kind: 'plugin', path: 'tested', digest: digestOf(bytes) }])
    expect(scene.reported).toEqual([])
    expect(await plugin.call({ question: 'é' })).toMatchObject({
      outcome: 'returned',
      value: { question: 'é' },
    })
    expect(scene.reported).toMatchObject([
      { kind: 'plugin-call', plugin: 'tested', digest: digestOf(bytes), outcome: 'returned' },
    ])
    // They are events that the verifier takes.
    for (const each of scene.measured) expect(decodeMeasurement(JSON.stringify(each))).toEqual(each)
    for (const each of scene.reported) expect(decodeBehaviour(JSON.stringify(each))).toEqual(each)
    await scene.close()
  })

  test('one changed byte is refused, wherever it is, and that is on the record', async () => {
    const bytes = answering('1')
    const scene = sceneFor(bytes)
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(await refusedCodes(scene.load(changed))).toEqual(['not-approved'])
    }
    expect(scene.measured).toEqual([])
    expect(scene.reported.length).toBe(bytes.length)
    expect(scene.reported[0]).toMatchObject({ outcome: 'refused', plugin: 'not approved' })
    await scene.close()
  })

  test('a view of a larger buffer is judged by its own bytes alone', async () => {
    const good = answering('"good"')
    const evil = answering('"evil"')
    const pool = Buffer.concat([evil, good, evil])
    const scene = sceneFor(good)
    const view = pool.subarray(evil.length, evil.length + good.length)
    expect(await (await scene.load(view)).call(0)).toMatchObject({ value: 'good' })
    expect(await refusedCodes(scene.load(pool.subarray(0, evil.length)))).toEqual(['not-approved'])
    await scene.close()
  })

  test('what changes after it was handed over changes nothing', async () => {
    const good = answering('"good"')
    const shared = new Uint8Array(new SharedArrayBuffer(good.length))
    shared.set(good)
    const scene = sceneFor(good)
    const loading = scene.load(shared)
    shared.set(answering('"evil"'))
    expect(await (await loading).call(0)).toMatchObject({ value: 'good' })
    await scene.close()
  })

  test('a subclass that tells another length and other bytes is copied as it is', async () => {
    const good = answering('"good"')
    class Liar extends Uint8Array {
      override get length() {
        return 8
      }
      override get buffer(): ArrayBuffer {
        return answering('"evil"').buffer
      }
      override at() {
        return 0
      }
    }
    const scene = sceneFor(good)
    expect(await (await scene.load(new Liar(good))).call(0)).toMatchObject({ value: 'good' })
    await scene.close()
  })

  test.each([
    ['a proxy', new Proxy(answering('1'), {})],
    ['an ArrayBuffer', answering('1').buffer],
    ['numbers', [...answering('1')]],
    ['words of 16 bits', new Uint16Array(answering('1'))],
  ])('%s is no plugin', async (_, given) => {
    const scene = sceneFor(answering('1'))
    await expect(scene.load(given as Uint8Array)).rejects.toThrow(TypeError)
    await scene.close()
  })

  const call = [...i64(0n)]
  test.each<[string, Uint8Array, readonly string[]]>([
    ['a memory without a maximum', functionPlugin(call, { memories: [[0, 1]] }), ['memory']],
    [
      'more memory than is let',
      functionPlugin(call, { memories: [[1, 1, 0x81, 0x02]] }),
      ['memory'],
    ],
    ['shared memory', functionPlugin(call, { memories: [[3, 1, 2]] }), ['malformed']],
    ['memory of 64 bits', functionPlugin(call, { memories: [[5, 1, 2]] }), ['malformed']],
    ['pages of another size', functionPlugin(call, { memories: [[9, 1, 2, 0]] }), ['malformed']],
    ['two memories', functionPlugin(call, { memories: [smallMemory, smallMemory] }), ['malformed']],
    [
      'an imported memory',
      functionPlugin(call, { imports: [['env', 'memory', [2, 1, 1, 2]]], memories: [] }),
      ['import', 'memory'],
    ],
    [
      'an imported function of the host',
      functionPlugin(call, { imports: [['env', 'exec', [0, 0]]] }),
      ['import', 'abi'],
    ],
    [
      'WASI that was not granted',
      functionPlugin(call, { imports: [['wasi_snapshot_preview1', 'fd_close', [0, 0]]] }),
      ['capability', 'abi'],
    ],
    [
      'WASI under another type',
      functionPlugin(call, { imports: [['wasi_snapshot_preview1', 'random_get', [0, 0]]] }),
      ['import', 'abi'],
    ],
    ['a table without a maximum', functionPlugin(call, { tables: [[0x70, 0, 1]] }), ['table']],
    [
      'tables of 2^32 entries',
      functionPlugin(call, { tables: [[0x70, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]] }),
      ['table'],
    ],
    [
      'a start section',
      functionPlugin(call, {
        types: [
          ['i', 'i'],
          ['ii', 'I'],
          ['', ''],
        ],
        functions: [{ type: 2, code: op.forever }],
        start: 2,
      }),
      ['start'],
    ],
    ['no ABI', wasmModule({ memories: [smallMemory] }), ['abi']],
    ['no module', Uint8Array.from([1, 2, 3]), ['malformed']],
    ['nothing', new Uint8Array(), ['malformed']],
    ['a module that the engine finds invalid', functionPlugin([0xff]), ['malformed']],
    ['a tag section', functionPlugin(call, { raw: [13, 3, 1, 0, 0] }), ['malformed']],
  ])('%s is refused although its digest was approved', async (_, bytes, codes) => {
    const scene = sceneFor(bytes)
    expect(await refusedCodes(scene.load(bytes))).toEqual(codes)
    expect(scene.reported).toMatchObject([{ outcome: 'refused', plugin: 'tested' }])
    await scene.close()
  })

  test('what cannot be measured is not run', async () => {
    const bytes = echo()
    const approved = [{ name: 'tested', digest: digestOf(bytes), grants: {} }]
    const sandbox = openSandbox(approved, {
      async record() {
        throw new Error('the log cannot be written')
      },
      report: () => {},
    })
    await expect(sandbox.load(bytes)).rejects.toThrow('the log cannot be written')
    await sandbox.close()
  })

  test('more bytes than are let are refused before they are read', async () => {
    const bytes = answering('1')
    const scene = sceneFor(bytes, { limits: { moduleBytes: bytes.length - 1 } })
    expect(await refusedCodes(scene.load(bytes))).toEqual(['too-large'])
    await scene.close()
  })
})

describe('a call', () => {
  test('that never ends is ended at its deadline, and the next one is served', async () => {
    // Spins for the input 1 (its JSON is one byte), and answers for everything longer.
    const bytes = functionPlugin(
      [
        ...op.get(1),
        ...i32(1),
        0x46,
        ...[0x04, 0x40],
        ...op.forever,
        0x0b,
        ...placed(ANSWER_AT, 2),
      ],
      { answer: '42' },
    )
    const scene = sceneFor(bytes, { limits: { deadlineMs: 150 } })
    const plugin = await scene.load(bytes)
    const overs: number[] = []
    for (let i = 0; i < 3; i++) {
      const answer = await plugin.call(1)
      expect(answer.outcome).toBe('timeout')
      overs.push(answer.milliseconds - 150)
    }
    // The best of three: another process may hold the processor longer than that.
    expect(Math.min(...overs)).toBeLessThan(50)
    expect(await plugin.call('longer')).toMatchObject({ outcome: 'returned', value: 42 })
    expect(scene.reported.map((each) => each.kind === 'plugin-call' && each.outcome)).toEqual([
      'timeout',
      'timeout',
      'timeout',
      'returned',
    ])
    await scene.close()
  })

  test('gets no more memory than the module declares', async () => {
    // Grows by one page until it is refused, and answers with how often it was let.
    const bytes = functionPlugin(
      [
        ...[0x03, 0x40],
        ...i32(1),
        ...op.grow,
        ...i32(-1),
        0x47, // i32.ne
        0x04,
        0x40,
        ...op.get(2),
        ...i32(1),
        ...op.add,
        ...op.set(2),
        0x0c,
        1,
        0x0b,
        0x0b,
        // One digit at ANSWER_AT.
        ...i32(ANSWER_AT),
        ...op.get(2),
        ...i32(48),
        ...op.add,
        ...op.store,
        ...placed(ANSWER_AT, 1),
      ],
      { locals: [[1, 0x7f]], memories: [[1, 1, 6]] },
    )
    expect(await answerOf(bytes)).toMatchObject({ outcome: 'returned', value: 5 })
  })

  test('finds nothing of the call before', async () => {
    // Counts in its memory and answers with the count.
    const bytes = functionPlugin([
      ...i32(64),
      ...i32(64),
      ...op.load,
      ...i32(1),
      ...op.add,
      ...op.store,
      ...i32(ANSWER_AT),
      ...i32(64),
      ...op.load,
      ...i32(48),
      ...op.add,
      ...op.store,
      ...placed(ANSWER_AT, 1),
    ])
    const scene = sceneFor(bytes)
    const plugin = await scene.load(bytes)
    const values = []
    for (let i = 0; i < 3; i++) values.push(await plugin.call(0))
    expect(values.map((each) => each.outcome === 'returned' && each.value)).toEqual([1, 1, 1])
    await scene.close()
  })
})
