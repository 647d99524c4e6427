/** Which reference values can this evidence match at all? Found by look-up, however many releases there are. */
import { isZero, toHex } from '../bytes/encoding.ts'
import type { AgentRelease, ReferenceValue } from '../rats/release.ts'
import type { EvidenceIdentity } from '../rats/tee.ts'
import { configFieldOf } from './documents/runtime-config.ts'

export interface Launching {
  readonly release: AgentRelease
  readonly referenceValue: ReferenceValue
}

export interface LaunchIndex {
  /** Reference values of this TEE whose launch is `launch`, or that name none (an SGX signer), of every release. */
  readonly launching: (tee: string, launch: string) => readonly Launching[]
  /**
   * Those of `launching` that expect no configuration other than the evidence's. Many agents that start from one image
   * differ in nothing else. None is left out that a comparison of all fields could still accept.
   */
  readonly candidates: (tee: string, identity: EvidenceIdentity) => readonly Launching[]
}

interface Entry extends Launching {
  /** In the order of the policy. */
  readonly position: number
}

export function launchIndex(releases: readonly AgentRelease[]): LaunchIndex {
  const byLaunch = new Map<string, Entry[]>()
  const byConfiguration = new Map<string, Entry[]>()
  let position = 0
  for (const release of releases)
    for (const referenceValue of release.referenceValues) {
      const launch = launchKey(referenceValue.tee, launchOf(referenceValue))
      const entry = { release, referenceValue, position: position++ }
      add(byLaunch, launch, entry)
      add(byConfiguration, `${launch}/${configurationOf(referenceValue)}`, entry)
    }
  return {
    launching: (tee, launch) =>
      inOrder(keysOf(tee, launch).flatMap((key) => byLaunch.get(key) ?? [])),
    candidates: (tee, { launch, digests }) =>
      inOrder(
        keysOf(tee, launch).flatMap((key) =>
          [...new Set(digests), ''].flatMap(
            (digest) => byConfiguration.get(`${key}/${digest}`) ?? [],
          ),
        ),
      ),
  }
}

/** The launch itself, and what names none. */
function keysOf(tee: string, launch: string): readonly string[] {
  return [launchKey(tee, launch), launchKey(tee, '')]
}

/** Neither a TEE's name nor hex holds a slash. */
function launchKey(tee: string, launch: string): string {
  return `${tee}/${launch}`
}

function add(index: Map<string, Entry[]>, key: string, entry: Entry): void {
  const alike = index.get(key)
  if (alike) alike.push(entry)
  else index.set(key, [entry])
}

function inOrder(entries: readonly Entry[]): readonly Launching[] {
  return entries.length < 2 ? entries : entries.toSorted((a, b) => a.position - b.position)
}

/** Hex; empty where none is expected, or all zeros, which an identity does not name. */
function configurationOf(referenceValue: ReferenceValue): string {
  const { expected } = configFieldOf(referenceValue)
  return expected && !isZero(expected) ? toHex(expected) : ''
}

/** As EvidenceIdentity.launch has it; empty where a signer alone is named. */
function launchOf({ tee, reference }: ReferenceValue): string {
  switch (tee) {
    case 'sev-snp':
      return toHex(reference.measurement ?? nothing)
    case 'tdx':
      return toHex(reference.mrTd ?? nothing)
    case 'sgx':
      return toHex(reference.mrEnclave ?? nothing)
    case 'sample':
      return ''
  }
}

const nothing = new Uint8Array()
