/**
 * How long until a change is in force? For a replica with its database, a clone and a remote, from the end of a push, and
 * from its own start. Wall time is what somebody waits, and grows where the machine is busy; processor time does not.
 */
import { cpSync, rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gitServer } from '../test/git/http-backend.ts'
import { median } from './harness.ts'
import { type Folder, scratchFolder, startReplica } from './policy-process.ts'
import type { LookCost, ReplicaRequest } from './policy-replica.ts'
import { type MeasuredRepository, measuredRepository } from './policy-repository.ts'

export interface PolicyPlan {
  readonly starts: number
  readonly looks: number
  readonly manifests: readonly number[]
}

export const usualPlan: PolicyPlan = { starts: 5, looks: 12, manifests: [1_000, 10_000] }
export const quickPlan: PolicyPlan = { starts: 2, looks: 3, manifests: [1_000] }

interface PolicyRow {
  readonly name: string
  readonly manifests: number
  readonly remote: string
  readonly runs: number
  /** Medians, and the least of all runs. */
  readonly wallMs: number
  readonly leastMs: number
  readonly wholeMs: number
  readonly cpuMs: number
  readonly othersCpuMs: number | null
  readonly started: number
  /** Load average of the last minute: above the number of cores, wall time says how busy the machine was. */
  readonly load: number
  /** At most so long, for a thousand manifests; null: for information. */
  readonly targetMs: number | null
}

/** Git's process that hands out objects ends when nobody asks it for two seconds; polls are further apart than that. */
const BETWEEN_LOOKS_MS = 2_300

export async function* policyRows(plan: PolicyPlan): AsyncGenerator<object> {
  for (const manifests of plan.manifests) yield* rowsFor(manifests, plan)
}

async function* rowsFor(manifests: number, plan: PolicyPlan): AsyncGenerator<PolicyRow> {
  const repository = await measuredRepository(manifests)
  const server = await gitServer({ root: dirname(repository.path) })
  try {
    const remotes = [
      ['file', `file://${repository.path}`],
      ['http', server.url(basename(repository.path))],
    ] as const
    // What larger policies cost is no matter of the way there.
    for (const [remote, address] of manifests > 1_000 ? remotes.slice(0, 1) : remotes)
      for (const { name, costs, targetMs } of await measureRemote(address, repository, plan))
        yield rowOf(costs, {
          name,
          manifests,
          remote,
          targetMs: manifests > 1_000 ? null : targetMs,
        })
  } finally {
    await server.close()
    repository.remove()
  }
}

interface Measurement {
  readonly name: string
  readonly costs: readonly LookCost[]
  readonly targetMs: number | null
}

async function measureRemote(
  remote: string,
  repository: MeasuredRepository,
  plan: PolicyPlan,
): Promise<readonly Measurement[]> {
  const folder = scratchFolder()
  try {
    const request = {
      remote,
      pin: repository.pin,
      data: join(folder.path, 'data'),
      clone: join(folder.path, 'clone'),
    }
    return [
      ...(await starts(request, folder, plan.starts)),
      ...(await looks(request, repository, plan.looks)),
    ]
  } finally {
    folder.remove()
  }
}

/** Nothing there; database and clone there; the database there and the clone lost. */
async function starts(
  request: ReplicaRequest,
  { path }: Folder,
  count: number,
): Promise<readonly Measurement[]> {
  const empty = join(path, 'empty')
  const replica = await startReplica({ ...request, data: empty })
  await replica.close()
  const fetched: LookCost[] = []
  const warm: LookCost[] = []
  const lost: LookCost[] = []
  for (let n = 0; n < count; n++) {
    rmSync(request.data, { recursive: true, force: true })
    rmSync(request.clone, { recursive: true, force: true })
    // Making the tables is no part of a policy.
    cpSync(empty, request.data, { recursive: true })
    fetched.push(await lookOnce(request))
    warm.push(await lookOnce(request))
    rmSync(request.clone, { recursive: true })
    lost.push(await lookOnce(request))
  }
  return [
    { name: 'policy.cold-load', costs: warm, targetMs: 1_500 },
    { name: 'policy.cold-load.fetched', costs: lost, targetMs: null },
    { name: 'policy.first-load', costs: fetched, targetMs: null },
  ]
}

async function lookOnce(request: ReplicaRequest): Promise<LookCost> {
  const replica = await startReplica(request)
  try {
    return await replica.look()
  } finally {
    await replica.close()
  }
}

async function looks(
  request: ReplicaRequest,
  repository: MeasuredRepository,
  count: number,
): Promise<readonly Measurement[]> {
  const replica = await startReplica(request)
  try {
    const unchanged: LookCost[] = []
    const changed: LookCost[] = []
    for (let n = -WARM_UP; n < count; n++) {
      await sleep(BETWEEN_LOOKS_MS)
      const still = await replica.look()
      const commit = await repository.changeOne()
      await sleep(BETWEEN_LOOKS_MS)
      const moved = await replica.look()
      if (moved.commit !== commit) throw new Error(`${commit} was pushed and is not in force`)
      if (n < 0) continue
      unchanged.push(still)
      changed.push(moved)
    }
    return [
      { name: 'policy.poll-unchanged', costs: unchanged, targetMs: 60 },
      { name: 'policy.one-changed', costs: changed, targetMs: 100 },
    ]
  } finally {
    await replica.close()
  }
}

/** Looks that are not counted: a replica has mostly been up for longer than a minute. */
const WARM_UP = 2

function rowOf(
  costs: readonly LookCost[],
  row: Pick<PolicyRow, 'name' | 'manifests' | 'remote' | 'targetMs'>,
): PolicyRow {
  const { targetMs, ...named } = row
  const middle = (of: (cost: LookCost) => number) => rounded(median(costs.map(of)))
  const isTold = costs.every(({ othersCpuMs }) => othersCpuMs !== undefined)
  return {
    ...named,
    runs: costs.length,
    wallMs: middle(({ wallMs }) => wallMs),
    leastMs: rounded(Math.min(...costs.map(({ wallMs }) => wallMs))),
    wholeMs: middle(({ wholeMs }) => wholeMs),
    cpuMs: middle(({ cpuMs }) => cpuMs),
    // In steps of 10 ms each: only their mean says more.
    othersCpuMs: isTold
      ? rounded(costs.reduce((sum, { othersCpuMs = 0 }) => sum + othersCpuMs, 0) / costs.length)
      : null,
    started: middle(({ started }) => started),
    load: rounded(loadavg()[0] ?? Number.NaN),
    targetMs,
  }
}

function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
