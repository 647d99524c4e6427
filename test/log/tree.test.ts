import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../../src/bytes/encoding.ts'
import { consistencyProof, isConsistent } from '../../src/log/consistency.ts'
import { inclusionPath, inclusionPathOver, isIncluded } from '../../src/log/inclusion.ts'
import { isPowerOfTwo, runHash } from '../../src/log/subtree-hash.ts'
import { readEdge, rootOfEdge } from '../../src/log/tile-tree.ts'
import { leafHashOf, nodeHash, rootOver } from '../../src/log/tree-hash.ts'
import { grownLog, leavesUpTo } from './grown-log.ts'
import { naivePath, naiveProof, naiveRoot } from './naive-tree.ts'

/** The tree of Certificate Transparency's own tests (merkletree/merkle_tree_test.cc), which every implementation repeats. */
const KNOWN_ENTRIES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const KNOWN_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const knownLeaves = KNOWN_ENTRIES.map((hex) => leafHashOf(fromHex(hex) ?? new Uint8Array()))

test.each(KNOWN_ROOTS.map((root, size) => ({ size, root })))(
  'the known tree of $size leaves has its known root',
  ({ size, root }) => {
    const leaves = knownLeaves.slice(0, size)
    expect(toHex(rootOver(leaves))).toBe(root)
    expect(toHex(grownLog(leaves).root)).toBe(root)
  },
)

const SIZES = 530
const leaves = leavesUpTo(SIZES)
const whole = grownLog(leaves)
const roots = Array.from({ length: SIZES + 1 }, (_, size) => naiveRoot(leaves.slice(0, size)))
const rootAt = (size: number) => roots[size] ?? new Uint8Array()
const leafAt = (index: number) => leaves[index] ?? new Uint8Array()

test('every size has the root of RFC 6962, grown leaf by leaf or read back from a larger tree', async () => {
  const steps = Array.from({ length: SIZES }, () => 1)
  expect(toHex(grownLog(leaves, steps).root)).toBe(toHex(rootAt(SIZES)))
  for (let size = 0; size <= SIZES; size++) {
    const expected = toHex(rootAt(size))
    expect(toHex(grownLog(leaves.slice(0, size)).root)).toBe(expected)
    expect(toHex(rootOfEdge(await readEdge(whole.read, size)))).toBe(expected)
    expect(toHex(await runHash(whole.read, { start: 0, end: size }))).toBe(expected)
  }
})

test('inclusion paths are those of RFC 6962 and lead to the root, for every leaf of every size up to 70 and around a tile', async () => {
  const sizes = [...Array(70).keys(), 255, 256, 257, 512, 513, SIZES]
  for (const size of sizes)
    for (let index = 0; index < size; index += size > 200 ? 17 : 1) {
      const path = await inclusionPath(whole.read, { index, size })
      expect(path.map(toHex)).toEqual(naivePath(index, leaves.slice(0, size)).map(toHex))
      expect(path).toEqual(inclusionPathOver(leaves.slice(0, size), index))
      expect(isIncluded({ leafHash: leafAt(index), index, size, path }, rootAt(size))).toBe(true)
    }
})

test('consistency proofs are those of RFC 6962 and hold, for every pair of sizes up to 70 and around a tile', async () => {
  const sizes = [...Array(70).keys(), 255, 256, 257, 511, 512, 513, SIZES]
  for (const to of sizes)
    for (const from of sizes.filter((size) => size <= to)) {
      const proof = await consistencyProof(whole.read, { from, to })
      const naive = from === 0 ? [] : naiveProof(from, leaves.slice(0, to))
      expect(proof.map(toHex)).toEqual(naive.map(toHex))
      const [older, newer] = [
        { size: from, root: rootAt(from) },
        { size: to, root: rootAt(to) },
      ]
      expect(isConsistent(older, newer, proof)).toBe(true)
    }
})

test('a larger tree that came in batches of any size has the tiles of one that came at once, and its proofs hold', async () => {
  const size = 70_000
  const many = leavesUpTo(size)
  const once = grownLog(many)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 8 }),
      fc.integer({ min: 0, max: size - 1 }),
      fc.integer({ min: 1, max: size }),
      async (batches, index, from) => {
        const log = grownLog(many, batches)
        expect(toHex(log.root)).toBe(toHex(once.root))
        expect([...log.tiles.keys()].toSorted()).toEqual([...once.tiles.keys()].toSorted())
        const path = await inclusionPath(log.read, { index, size })
        const leafHash = many[index] ?? new Uint8Array()
        expect(isIncluded({ leafHash, index, size, path }, once.root)).toBe(true)
        const older = { size: from, root: grownLog(many.slice(0, from)).root }
        const proof = await consistencyProof(log.read, { from, to: size })
        expect(isConsistent(older, { size, root: once.root }, proof)).toBe(true)
      },
    ),
    { numRuns: 6 },
  )
  // C2SP tlog-tiles gives this very size as its example.
  const widths = [...once.tiles].map(([name, hashes]) => `${name} ${hashes.length / 32}`)
  expect(widths.filter((each) => !each.endsWith(' 256'))).toEqual(['0/273 112', '1/1 17', '2/0 1'])
  expect(widths).toHaveLength(273 + 1 + 1 + 1 + 1)
})

describe('what is altered proves nothing', () => {
  const size = 133
  const root = rootAt(size)

  test('an inclusion proof for another leaf, index, size or root, or with a hash changed, missing or added', async () => {
    for (const index of [0, 1, 64, 127, 128, 131, 132]) {
      const path = await inclusionPath(whole.read, { index, size })
      const proof = { leafHash: leafAt(index), index, size, path }
      expect(isIncluded(proof, root)).toBe(true)
      const altered = [
        { ...proof, leafHash: leafAt(index + 1) },
        { ...proof, index: index + 1 },
        { ...proof, index: index - 1 },
        { ...proof, index: index + 0.5 },
        { ...proof, size: 2 ** 60 },
        { ...proof, path: path.slice(1) },
        { ...proof, path: path.slice(0, -1) },
        { ...proof, path: [...path, root] },
        { ...proof, path: path.map((hash, n) => (n === 0 ? nodeHash(hash, hash) : hash)) },
      ]
      for (const each of altered) expect(isIncluded(each, root)).toBe(false)
      expect(isIncluded(proof, rootAt(size + 1))).toBe(false)
    }
  })

  test('a consistency proof for another size or root, or with a hash changed, missing or added', async () => {
    const newer = { size, root }
    for (const from of [1, 2, 64, 100, 128, 132]) {
      const older = { size: from, root: rootAt(from) }
      const proof = await consistencyProof(whole.read, { from, to: size })
      expect(isConsistent(older, newer, proof)).toBe(true)
      expect(isConsistent({ ...older, root: rootAt(from + 1) }, newer, proof)).toBe(false)
      expect(isConsistent({ ...older, size: from + 1 }, newer, proof)).toBe(false)
      expect(isConsistent(older, { size, root: rootAt(size + 1) }, proof)).toBe(false)
      expect(isConsistent(newer, older, proof)).toBe(false)
      expect(isConsistent(older, newer, proof.slice(1))).toBe(false)
      expect(isConsistent(older, newer, proof.slice(0, -1))).toBe(false)
      expect(isConsistent(older, newer, [...proof, root])).toBe(false)
      expect(isConsistent(older, newer, proof.toReversed())).toBe(proof.length < 2)
    }
    expect(isConsistent({ size, root: rootAt(1) }, newer, [])).toBe(false)
    expect(isConsistent({ size: 0, root: rootAt(1) }, newer, [])).toBe(false)
  })

  test('a tile that lacks hashes gives no root', async () => {
    const short = async (level: number, index: number) =>
      (await whole.read(level, index))?.subarray(0, 32)
    await expect(readEdge(short, size)).rejects.toThrow('has 1 hashes, and a tree of this size has')
    await expect(inclusionPath(short, { index: 0, size })).rejects.toThrow('is asked of it')
  })
})

test('a power of two is told from its neighbours where logarithms are rounded', () => {
  for (const exponent of [1, 30, 49, 50, 52]) {
    expect(isPowerOfTwo(2 ** exponent)).toBe(true)
    expect(isPowerOfTwo(2 ** exponent + 1)).toBe(false)
  }
})
