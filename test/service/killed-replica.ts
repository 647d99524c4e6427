/**
 * One replica as a process of its own, which dies at a named point of an acceptance: started by killed.test.ts. First it
 * says on one line of JSON what is in force after its start without a network; then it looks at the remote, and is killed.
 */
import { writeSync } from 'node:fs'
import { openPgliteStore } from '#src/adapters/pglite-store.ts'
import { HistoryFault } from '#src/policy/acceptance/acceptance.ts'
import { chainFault } from '#src/service/acceptance-chain.ts'
import type { PolicyMirror } from '#src/service/policy-ports.ts'
import type { Store } from '#src/service/ports.ts'
import { BOT } from '../git/policy-repository.ts'
import { rig } from './reconciliation.ts'

export interface Started {
  readonly inForce: string | undefined
  readonly generation: number | undefined
  readonly isWhole: boolean
  readonly recorded: string | undefined
  readonly fault: string | undefined
  readonly conditions: readonly string[]
}

export type Point = (typeof points)[number]

/** In the order in which an acceptance comes by them; `told` only says that the swap begins, and whoever listens kills. */
export const points = [
  'fetched',
  'before the swap',
  'told',
  'after the swap',
  'before keeping',
  'after keeping',
  'before reporting',
  'none',
] as const

if (process.argv[2] === 'run') await run(process.argv.slice(3))

async function run([remote = '', data = '', directory = '', point = '']: readonly string[]) {
  const database = await openPgliteStore(data)
  const away = { now: true }
  const die = (here: Point) => {
    if (here === point) process.kill(process.pid, 'SIGKILL')
  }
  const store: Store = {
    ...database,
    async acceptPolicy(previous, next, leaf) {
      die('before the swap')
      if (point === 'told') say('swapping')
      const outcome = await database.acceptPolicy(previous, next, leaf)
      die('after the swap')
      return outcome
    },
    async reportEnforcement(reported) {
      if (!away.now) die('before reporting')
      await database.reportEnforcement(reported)
    },
  }
  const wrap = (mirror: PolicyMirror): PolicyMirror => ({
    ...mirror,
    async fetch() {
      if (away.now) throw new HistoryFault('the remote is away')
      const candidate = await mirror.fetch()
      die('fetched')
      return candidate
    },
    async keepAccepted(commit) {
      if (!away.now) die('before keeping')
      await mirror.keepAccepted(commit)
      if (!away.now) die('after keeping')
    },
  })
  const { source, names } = rig(remote, { store, directory, wrap })
  await source.refresh()
  const record = await database.policyOf('t')
  const policy = source.accepted()
  const started: Started = {
    inForce: policy?.commit,
    generation: policy?.releases.find(({ manifest }) => manifest.file === BOT)?.generation,
    isWhole: policy?.digest === record?.digest && policy?.commit === record?.commit,
    recorded: record?.commit,
    fault: chainFault(await database.acceptancesOf('t'), record),
    conditions: names(),
  }
  say(JSON.stringify(started))
  away.now = false
  await source.refresh()
  say(JSON.stringify({ inForce: source.accepted()?.commit, conditions: names() }))
  await database.close()
}

/** At once: a stream's buffer would die with the process. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}
