/** Killed at any moment, a sequencer leaves the old log or the new one: every checkpoint that anybody saw is still continued, and no decision is lost. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, expect, test } from 'vitest'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { toHex } from '#src/bytes/encoding.ts'
import { openCheckpoint } from '#src/log/checkpoint.ts'
import { verifyLogProof } from '#src/log/log-proof.ts'
import { parseVerifierKey } from '#src/log/note-key.ts'
import { runHash } from '#src/log/subtree-hash.ts'
import { proveLeaf } from '#src/service/log-proofs.ts'
import type { Said } from './killed-sequencer.ts'
import { openedLog } from './log-scene.ts'

const ROUNDS = process.env.VOUCHSAFE_LONG === '1' ? 40 : 2
const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-log-killed-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Killed at a random moment after the first checkpoint. */
async function round(): Promise<readonly Said[]> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'killed-sequencer.ts'), 'run', scratch],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const ended = once(child, 'exit')
  const said: Said[] = []
  let isDoomed = false
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(JSON.parse(line))
    if (isDoomed || said.at(-1)?.checkpoint === undefined) continue
    isDoomed = true
    setTimeout(() => child.kill('SIGKILL'), Math.random() * 300)
  }
  expect(await ended).toEqual([null, 'SIGKILL'])
  return said
}

test(`a sequencer that is killed ${ROUNDS} times forks nothing and loses nothing`, {
  timeout: 60_000 + ROUNDS * 20_000,
}, async () => {
  const said: Said[] = []
  for (let n = 0; n < ROUNDS; n++) said.push(...(await round()))
  const store = await openPgliteStore(scratch)
  try {
    const { sequence, log } = await openedLog(store)
    await sequence()
    expect([log.fault(), ...said.flatMap(({ fault = [] }) => fault)]).toEqual([undefined])
    const keys = { log: parseVerifierKey(await log.verifierKey()) }
    const sizes = []
    for (const { checkpoint } of said) {
      if (checkpoint === undefined) continue
      const { size, root } = openCheckpoint(checkpoint, keys)
      expect(toHex(await runHash(store.logTile, { start: 0, end: size }))).toBe(toHex(root))
      sizes.push(size)
    }
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b))
    expect(sizes.length).toBeGreaterThanOrEqual(ROUNDS)
    const leaves = said.flatMap(({ leaf = [] }) => leaf)
    for (const leaf of leaves)
      verifyLogProof(await proveLeaf(store, leaf, ({ checkpoint }) => checkpoint), keys)
    expect(leaves.length).toBeGreaterThan(ROUNDS)
  } finally {
    await store.close()
  }
})
