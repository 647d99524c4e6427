/**
 * A service's view of a real repository: fetched by a real git from a file or over HTTP, judged against what was accepted
 * before, first sights remembered as a database would. An attack is pushed, refused, taken away, and the same repository
 * without it is accepted: so a test fails for the right reason only.
 */
import { describe, expect } from 'vitest'
import {
  type Acceptance,
  type AcceptedState,
  HistoryFault,
  judgeCandidate,
  type RefusalCondition,
  type Start,
} from '#src/policy/acceptance/acceptance.ts'
import type { Policy } from '#src/policy/policy.ts'
import type { PolicyMirror } from '#src/service/policy-ports.ts'
import { folder, mirrorOf, repositoryWith, serverOf } from '../git/mirrors.ts'
import type { Change, PolicyRepository } from '../git/policy-repository.ts'
import { agreeingEngine, SEEN } from '../policy/judging.ts'
import { waivable } from '../policy/manifests.ts'

export type Transport = 'a file' | 'HTTP'
/** What is judged does not depend on how it came: the second transport repeats every attack in the long run. */
const transports: readonly Transport[] = process.env.VOUCHSAFE_LONG
  ? ['a file', 'HTTP']
  : ['a file']

export function describeAttacks(title: string, body: (transport: Transport) => void): void {
  describe.each(transports)(`${title}, over %s`, body)
}

export interface AttackScene {
  readonly repository: PolicyRepository
  readonly mirror: PolicyMirror
  /** Where the mirror keeps its copy. */
  readonly directory: string
  readonly state: () => AcceptedState
  readonly setClock: (at: string) => void
  /** Fetches, judges, and takes what was accepted for the policy in force. */
  readonly accepts: () => Promise<Extract<Acceptance, { readonly accepted: true }>>
  /** Fetches, judges, and keeps what was in force. `says`: what the operator must read. */
  readonly refuses: (
    condition: RefusalCondition,
    ...says: readonly (string | RegExp)[]
  ) => Promise<Extract<Acceptance, { readonly accepted: false }>>
  /** Nothing is accepted: the commit is refused, or cannot even be fetched or read. Resolves to the sentence. */
  readonly keepsOut: (...says: readonly (string | RegExp)[]) => Promise<string>
  /** `attack` on top of what is accepted, and then `honest` in its place. */
  readonly contrast: (contrast: Contrast) => Promise<void>
}

export interface Contrast {
  readonly attack: readonly Change[]
  readonly condition: RefusalCondition
  readonly says?: readonly (string | RegExp)[]
  readonly honest: readonly Change[]
}

export async function attackScene(
  transport: Transport,
  {
    files,
    objectFormat,
    at = SEEN.toISOString(),
  }: {
    readonly files?: Readonly<Record<string, string | Uint8Array>>
    readonly objectFormat?: 'sha1' | 'sha256'
    readonly at?: string
  } = {},
): Promise<AttackScene> {
  const repository = await repositoryWith(files, objectFormat)
  const remote = transport === 'HTTP' ? (await serverOf(repository)).address : repository.path
  const directory = folder()
  const mirror = await mirrorOf({ remote, directory })
  const sights = new Map<string, Date>()
  let clock = new Date(at)
  let start: Start = { kind: 'commit', commit: repository.first }
  let previous: Policy | undefined

  async function look(): Promise<Acceptance> {
    const acceptance = await judgeCandidate({
      candidate: await mirror.fetch(),
      start,
      history: mirror,
      async firstSeen(commits) {
        for (const commit of commits) if (!sights.has(commit)) sights.set(commit, clock)
        return sights
      },
      reading: { waivable, claimSchemas: new Map(), engine: agreeingEngine, previous },
    })
    if (!acceptance.accepted) return acceptance
    start = { kind: 'accepted', state: acceptance.state }
    previous = acceptance.policy
    await mirror.keepAccepted(acceptance.state.commit)
    return acceptance
  }

  async function accepts() {
    const acceptance = await look()
    if (!acceptance.accepted) throw new Error(`${acceptance.condition}: ${acceptance.message}`)
    return acceptance
  }

  const refuses: AttackScene['refuses'] = async (condition, ...says) => {
    const acceptance = await look()
    if (acceptance.accepted) throw new Error(`was accepted: ${acceptance.message}`)
    expect(acceptance, acceptance.message).toMatchObject({ condition })
    for (const text of says) expect(acceptance.message).toMatch(text)
    return acceptance
  }

  const keepsOut: AttackScene['keepsOut'] = async (...says) => {
    const outcome = await look().catch((cause: unknown) => cause)
    const isAnswer = typeof outcome === 'object' && outcome !== null && 'accepted' in outcome
    if (isAnswer && outcome.accepted) throw new Error('was accepted')
    if (!isAnswer && !(outcome instanceof HistoryFault)) throw outcome
    const { message } = outcome as { readonly message: string }
    for (const text of says) expect(message).toMatch(text)
    return message
  }

  async function contrast({ attack, condition, says = [], honest }: Contrast): Promise<void> {
    const before = repository.head()
    for (const change of attack) await repository.commit(change)
    await refuses(condition, ...says)
    repository.point(before)
    for (const change of honest) await repository.commit(change)
    await accepts()
  }

  await accepts()
  return {
    repository,
    mirror,
    directory,
    state: () => {
      if (start.kind !== 'accepted') throw new Error('nothing was accepted')
      return start.state
    },
    setClock: (to) => {
      clock = new Date(to)
    },
    accepts,
    refuses,
    keepsOut,
    contrast,
  }
}
