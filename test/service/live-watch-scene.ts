/** A tenant whose live tokens are watched, two policies that refuse each other's evidence, and one that takes the second back. */
import type { Policy } from '#src/policy/policy.ts'
import { liveWatch } from '#src/service/live-watch.ts'
import { AT, snpMachine } from './fleet.ts'
import { type LiveScene, liveScene } from './live-scene.ts'
import { BOT, manifest, policyOf } from './policies.ts'

export const machine = snpMachine('one')
const policyFor = (commit: string, measurement: string) =>
  policyOf({ commit, manifests: { [BOT]: manifest({ measurement }) } })
export const p1 = policyFor('1', 'a1')
export const p2 = policyFor('2', 'a2')
export const p3 = policyFor('3', 'a1')
export const later = (seconds: number) => new Date(AT.getTime() + seconds * 1000)

/** With a policy that is in force, and a watch that has looked at it. */
export async function watched(policy: Policy = p1) {
  const scene = await liveScene()
  scene.vendor.says = {}
  await scene.accept(policy)
  const watch = liveWatch(scene.verifier, scene.tenant)
  await runAll(scene, watch)
  return { ...scene, watch }
}

/** Every round of an acceptance, and then the clock as it was. */
export async function runAll({ clock }: LiveScene, watch: ReturnType<typeof liveWatch>) {
  const { at } = clock
  for (const seconds of [0, 12, 60]) {
    clock.at = new Date(at.getTime() + seconds * 1000)
    await watch.run()
  }
  clock.at = at
}

/** `policy`, and another agent with it. */
export function withOther(policy: Policy, commit: string, measurement: string): Policy {
  const own = policy === p2 ? 'a2' : 'a1'
  return policyOf({
    commit,
    manifests: {
      [BOT]: manifest({ measurement: own }),
      'agents/prod/other.yaml': manifest({ agent: 'other', measurement }),
    },
  })
}

export const heartbeatOf = (policy: Policy, number: number): Policy => ({
  ...policy,
  commit: number.toString(16).padStart(40, 'f'),
  digest: `sha256:${number}`,
  heartbeat: { notAfter: AT, graceSeconds: number },
})

export function breakStore(
  { verifier }: LiveScene,
  name: 'findAppraisal' | 'liveTokens',
): () => void {
  const { [name]: whole } = verifier.store
  Object.assign(verifier.store, { [name]: async () => Promise.reject(new Error('gone')) })
  return () => void Object.assign(verifier.store, { [name]: whole })
}

/** Calls `event` before each piece of evidence that the watch judges or reads, counted from 1. */
export function atEachTurn({ verifier }: LiveScene, event: (turn: number) => Promise<void>): void {
  let turn = 0
  verifier.pause = async () => await event(++turn)
}

/** Two pages of evidence and more. */
export async function fleetOf(scene: LiveScene, measurement = 0xa1) {
  return await Promise.all(Array.from({ length: 80 }, () => under(scene, measurement)))
}

export async function stillLive(scene: LiveScene, fleet: readonly { readonly id: string }[]) {
  const all = await Promise.all(fleet.map(({ id }) => scene.store.tokensOf(id)))
  return all.flat().filter(({ revocation }) => !revocation).length
}

/** Judged by the policy that is in force, as `attest` would have kept it. */
export const under = async (scene: LiveScene, measurement = 0xa1, at = AT) =>
  await scene.attested({ machine, measurement, at })
