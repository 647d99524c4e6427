/** Does the parser of modules say what the engine says, and refuse everything else without harm? */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outlineOf } from '../../enclave/sandbox/module-outline.ts'
import { engine } from '../../enclave/sandbox/web-assembly.ts'
import { Malformed } from '../../src/bytes/malformed.ts'
import { mutate, seededChance } from '../fuzz/mutations.ts'
import {
  command,
  echo,
  functionPlugin,
  i64,
  leb,
  section,
  smallMemory,
  text,
  wasmModule,
} from './wasm-builder.ts'

const seeds = [
  echo(),
  command(
    [
      ['fd_write', 'iiii>i'],
      ['proc_exit', 'i>'],
    ],
    [],
  ),
  functionPlugin(i64(0n), {
    tables: [
      [0x70, 1, 1, 9],
      [0x6f, 0, 2],
    ],
    globals: [[0x7f, 1, 0x41, 0, 0x0b]],
    raw: section(0, [...text('name'), 1, 2, 3]),
  }),
]

test('what is accepted says what the engine says of it, and nothing escapes but a refusal', async () => {
  const chance = seededChance(11)
  let agreed = 0
  for (let i = 0; i < 8_000; i++) {
    const input = new Uint8Array(mutate(seeds[i % seeds.length] ?? new Uint8Array(), chance))
    const outline = outlineOrRefusal(input)
    if (!outline || !engine.validate(input)) continue
    const module = await engine.compile(input)
    expect(outline.imports.map(({ type: _, ...each }) => each)).toEqual(
      engine.Module.imports(module).map(({ module: from, name, kind }) => ({
        module: from,
        name,
        kind,
      })),
    )
    expect(outline.exports.map(({ type: _, ...each }) => each)).toEqual(
      engine.Module.exports(module).map(({ name, kind }) => ({ name, kind })),
    )
    agreed++
  }
  // A parser that refuses everything agrees with everything.
  expect(agreed).toBeGreaterThan(200)
})

test('random bytes after a good beginning are refused, or an outline', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (rest) => {
      outlineOrRefusal(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...rest]))
    }),
    { numRuns: 2_000 },
  )
})

test('sizes are read as they were written, and as the engine keeps to them', () => {
  const page = fc.integer({ min: 0, max: 65_536 })
  fc.assert(
    fc.property(page, page, (one, other) => {
      const [least, most] = [Math.min(one, other), Math.max(one, other)]
      const bytes = wasmModule({ memories: [[1, ...leb(least), ...leb(most)]] })
      expect(engine.validate(bytes)).toBe(true)
      expect(outlineOf(bytes).memory).toEqual({ least, most })
    }),
    { numRuns: 200 },
  )
})

const huge = leb(0xffff_ffff)
const locals = (decls: readonly number[]) => [...leb(decls.length + 1), ...decls, 0x0b]

test.each<[string, Uint8Array, RegExp]>([
  ['2^32 types', raw(section(1, [...huge, 0x60, 0, 0])), /4294967295 entries in 3 bytes/],
  ['2^32 imports', raw(section(2, [...huge, 0])), /entries/],
  ['2^32 functions', raw(section(3, [...huge, 0])), /entries/],
  ['2^32 exports', raw(section(7, [...huge, 0])), /entries/],
  ['2^32 data segments', raw(section(11, [...huge, 0])), /entries/],
  ['2^32 parameters', raw(section(1, [1, 0x60, ...huge, 0x7f])), /entries/],
  ['a hundred data segments in a byte', raw(section(11, [100, 0])), /100 entries in 1 bytes/],
  [
    'more functions than are let, as many as its bytes say',
    raw(section(1, [1, 0x60, 0, 0]), section(3, [...leb(50_001), ...zeros(50_001)])),
    /50001 entries/,
  ],
  [
    // 13 bytes each: a module of 16 MiB would have the engine set up 50,000,000,000 locals.
    'functions of 50,000 locals',
    raw(
      section(1, [1, 0x60, 0, 0]),
      section(3, [21, ...zeros(21)]),
      section(10, [
        21,
        ...Array.from({ length: 21 }, () => locals([1, ...leb(50_000), 0x7f])).flat(),
      ]),
    ),
    /1050000 locals/,
  ],
  [
    '513 custom sections',
    raw(...Array.from({ length: 513 }, () => section(0, [1, 65]))),
    /512 sections/,
  ],
  ['a section beyond the end', raw([1, ...huge]), /0 bytes left/],
  ['a number of six bytes', raw([1, 0x80, 0x80, 0x80, 0x80, 0x80, 0]), /longer number/],
  ['a number of 33 bits', raw([1, 0xff, 0xff, 0xff, 0xff, 0x1f]), /longer number/],
  ['a section twice', raw(section(1, [0]), section(1, [0])), /once, in order/],
  ['sections out of order', raw(section(3, [0]), section(1, [0])), /once, in order/],
  ['bytes after the last entry', raw(section(1, [0, 0])), /after the end/],
  ['a section of tags', raw(section(13, [0])), /section 13/],
  ['a component', Uint8Array.from([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]), /0x1000d/],
  ['a name that is no text', raw(section(0, [1, 0xff])), /UTF-8/],
  ['a name of 300 bytes', raw(section(0, [...leb(300), ...zeros(300)])), /300 bytes/],
  ['a function without a body', raw(section(1, [1, 0x60, 0, 0]), section(3, [1, 0])), /0 bodies/],
  ['a type that is not there', raw(section(3, [1, 5])), /index 5/],
  ['a struct type', raw(section(1, [1, 0x5f, 0])), /0x5f/],
  ['a typed reference', raw(section(1, [1, 0x60, 1, 0x64, 0])), /0x64/],
  ['a table with a starting value', raw(section(4, [1, 0x40, 0, 0x70, 0, 1])), /0x40/],
  ['a shared memory', wasmModule({ memories: [[3, 1, 2]] }), /shared/],
  ['a memory of 64 bits', wasmModule({ memories: [[4, 1]] }), /64 bits/],
  ['two memories', wasmModule({ memories: [smallMemory, smallMemory] }), /at most 1/],
])('%s is refused, with what was found', (_, bytes, found) => {
  expect(() => outlineOf(bytes)).toThrow(Malformed)
  expect(() => outlineOf(bytes)).toThrow(found)
})

function raw(...sections: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()])
}

function zeros(count: number): readonly number[] {
  return new Array<number>(count).fill(0)
}

/** Anything but Malformed fails the test. */
function outlineOrRefusal(bytes: Uint8Array) {
  try {
    return outlineOf(bytes)
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}
