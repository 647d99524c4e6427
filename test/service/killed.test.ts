/** Killed at any moment of an acceptance, a replica starts again with the old policy or the new one, and never with a mix. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BOT, manifest, type PolicyRepository, policyRepository } from '../git/policy-repository.ts'
import { type Point, points, type Started } from './killed-replica.ts'

const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-killed-'))
const program = join(import.meta.dirname, 'killed-replica.ts')
let repository: PolicyRepository
/** Commit to the generation of its manifest, in the order in which they were made. */
const generations = new Map<string, number>()

beforeAll(async () => {
  repository = await policyRepository()
  generations.set(repository.first, 42)
})
afterAll(() => {
  repository.remove()
  rmSync(scratch, { recursive: true, force: true })
})

interface Run {
  readonly started: Started
  /** Undefined when it was killed. */
  readonly ended: { readonly inForce: string; readonly conditions: readonly string[] } | undefined
  readonly signal: string | null
}

/** `killAfterMs` counts from when the replica says that it swaps. */
async function replica(point: Point, killAfterMs = 0): Promise<Run> {
  const child = spawn(
    process.execPath,
    [program, 'run', repository.path, join(scratch, 'data'), join(scratch, 'clone'), point],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const ended = new Promise<string | null>((resolve) => {
    child.once('exit', (_, signal) => resolve(signal))
  })
  const lines = await linesOf(child, () => setTimeout(() => child.kill('SIGKILL'), killAfterMs))
  const [started, end] = lines.map((line) => JSON.parse(line))
  return { started, ended: end, signal: await ended }
}

async function linesOf(child: ChildProcess, whenSwapping: () => void): Promise<readonly string[]> {
  const lines: string[] = []
  if (!child.stdout) return lines
  for await (const line of createInterface({ input: child.stdout }))
    if (line === 'swapping') whenSwapping()
    else lines.push(line)
  return lines
}

/** What the replica before this one left behind, as the next one found it. */
let expected: readonly string[] = []

async function next(point: Point, killAfterMs?: number): Promise<Run> {
  const generation = 42 + generations.size
  const commit = await repository.commit({ files: { [BOT]: manifest({ generation }) } })
  generations.set(commit, generation)
  const run = await replica(point, killAfterMs)
  const { inForce, recorded, isWhole, fault } = run.started
  expect(fault).toBeUndefined()
  expect(isWhole).toBe(true)
  expect(inForce).toBe(recorded)
  expect(run.started.generation).toBe(generations.get(inForce ?? ''))
  expect(expected).toContain(inForce)
  expect(run.started.conditions).toEqual(['FetchFailed'])
  expected = left(point, run, { before: inForce ?? '', after: commit })
  return run
}

/** What the next one may find in force. */
function left(
  point: Point,
  { ended }: Run,
  { before, after }: { readonly before: string; readonly after: string },
): readonly string[] {
  if (ended || points.indexOf(point) >= points.indexOf('after the swap')) return [after]
  return point === 'told' ? [before, after] : [before]
}

describe('a replica that is killed', { timeout: 120_000 }, () => {
  test('begins with the first policy', async () => {
    const { started, ended } = await replica('none')
    expect(started.inForce).toBeUndefined()
    expect(ended).toEqual({ inForce: repository.first, conditions: ['Synced'] })
    expected = [repository.first]
  })

  test.each(points.filter((point) => point !== 'none' && point !== 'told'))('%s', async (point) => {
    const { signal, ended } = await next(point)
    expect(signal).toBe('SIGKILL')
    expect(ended).toBeUndefined()
  })

  test.each([0, 1, 4])('%i ms into the swap', async (ms) => {
    await next('told', ms)
  })

  test('and then left alone is in step with the remote', async () => {
    const { ended } = await next('none')
    expect(ended).toEqual({ inForce: repository.head(), conditions: ['Synced'] })
  })
})
