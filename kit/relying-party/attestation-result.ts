/**
 * What did the verifier make of the evidence? EAR (draft-ietf-rats-ear) with AR4SI's trust vector, in the names of 2026 or
 * those that Veraison and Trustee read, and what this verifier says besides. A status is never better than the claims under it.
 */
import { type Json, objectOf } from './base64url.ts'

/** AR4SI, section 2.3. */
export const trustClaimNames = [
  'instance-identity',
  'configuration',
  'executables',
  'file-system',
  'hardware',
  'runtime-opaque',
  'storage-opaque',
  'sourced-data',
] as const
export type TrustClaim = (typeof trustClaimNames)[number]
export type TrustVector = Readonly<Partial<Record<TrustClaim, number>>>
export type Status = 'affirming' | 'warning' | 'contraindicated' | 'none'
export type Assurance = 'hardware' | 'simulated'

export interface AttestationResult {
  /** Of the worst claim of machine and agent, whatever the token calls it. */
  readonly earStatus: Status
  /** Of the machine and what was launched: `submods.cpu0`. */
  readonly trustVector: TrustVector
  readonly assurance: Assurance
  /** `sev-snp`, `tdx`, `sgx`. */
  readonly tee: string
  /** As the vendor certifies it: `AMD_SEV_SNP_GENOA`. */
  readonly hardware: string
  /** Launch measurement, hex. */
  readonly measurement: string
  readonly environment: string
  readonly agent: string
  readonly version: string
  readonly generation: number
  /** Id of the entry in the manifest that the evidence matched. */
  readonly referenceValue: string
  readonly policy: { readonly commit: string; readonly digest: string }
  /** Issuer URL as the result itself names it. */
  readonly verifier: string
}

interface Names {
  readonly status: string
  readonly vector: string
  readonly verifier: string
}

const profiles: ReadonlyMap<unknown, Names> = new Map([
  [
    'tag:ietf.org,2026:rats/ear#03',
    {
      status: 'ear_status',
      vector: 'ear_trustworthiness_vector',
      verifier: 'ear_verifier_id',
    },
  ],
  [
    'tag:github.com,2023:veraison/ear',
    {
      status: 'ear.status',
      vector: 'ear.trustworthiness-vector',
      verifier: 'ear.verifier-id',
    },
  ],
])

/** None says nothing at all, and is therefore the worst. */
const fromBest: readonly Status[] = ['affirming', 'warning', 'contraindicated', 'none']

/** A sentence where something is missing: what is not said is not good. */
export function readResult(said: Json): AttestationResult | string {
  const names = profiles.get(said.eat_profile)
  if (!names) return 'eat_profile is no profile of EAR that is known here'
  const submodules = objectOf(said.submods)
  const machine = submodule(submodules?.cpu0, names)
  const software = submodule(submodules?.agent0, names)
  if (!machine || !software)
    return 'submods is not the result of a machine (cpu0) and an agent (agent0)'
  // Its own names have no status of the whole.
  const whole = said[names.status] ?? (names.status === 'ear.status' ? 'affirming' : undefined)
  if (!isStatus(whole)) return `${names.status} is no status`
  if (said.dbgstat !== 'disabled-since-boot') return 'dbgstat does not say that debugging was off'
  const { att_assurance: assurance } = said
  if (assurance !== 'hardware' && assurance !== 'simulated') return 'att_assurance is missing'
  const release = objectOf(said.att_release)
  const policy = objectOf(said.att_policy)
  const texts = {
    tee: said.att_tee,
    hardware: said.att_hw,
    measurement: said.att_measurement,
    environment: release?.environment,
    agent: release?.agent,
    version: release?.version,
    referenceValue: release?.reference_value,
    verifier: objectOf(said[names.verifier])?.developer,
  }
  const { commit, digest } = policy ?? {}
  if (!areTexts(texts) || typeof commit !== 'string' || typeof digest !== 'string')
    return 'one of the claims att_tee, att_hw, att_measurement, att_release, att_policy and of the verifier is missing'
  if (typeof release?.generation !== 'number') return 'att_release has no generation'
  return {
    ...texts,
    earStatus: worst([whole, machine.status, software.status]),
    trustVector: machine.vector,
    assurance,
    generation: release.generation,
    policy: { commit, digest },
  }
}

interface Submodule {
  readonly status: Status
  readonly vector: TrustVector
}

function submodule(value: unknown, names: Names): Submodule | undefined {
  const said = objectOf(value)
  const status = said?.[names.status]
  const values = objectOf(said?.[names.vector])
  if (!values || !isStatus(status)) return undefined
  const vector: Partial<Record<TrustClaim, number>> = {}
  for (const name of trustClaimNames) {
    const tier = values[name]
    if (tier === undefined) continue
    // AR4SI section 2.3: one signed byte.
    if (typeof tier !== 'number' || !Number.isInteger(tier) || tier < -128 || tier > 127)
      return undefined
    vector[name] = tier
  }
  // A submodule about which nothing was appraised says so by its status alone.
  return { status: worst([status, ...Object.values(vector).map(tierStatus)]), vector }
}

/** AR4SI section 2.3.2: by distance from zero, and what is neither -1, 0 nor 1 up to 31 affirms. */
export function tierStatus(tier: number): Status {
  const distance = tier < 0 ? -tier - 1 : tier
  if (distance >= 96) return 'contraindicated'
  if (distance >= 32) return 'warning'
  return tier >= -1 && tier <= 1 ? 'none' : 'affirming'
}

export function isAtLeast(status: Status, least: Status): boolean {
  return fromBest.indexOf(status) <= fromBest.indexOf(least)
}

function worst(statuses: readonly Status[]): Status {
  return statuses.reduce((a, b) => (isAtLeast(a, b) ? b : a))
}

function isStatus(value: unknown): value is Status {
  return fromBest.some((status) => status === value)
}

function areTexts<K extends string>(
  texts: Readonly<Record<K, unknown>>,
): texts is Readonly<Record<K, string>> {
  return Object.values(texts).every((text) => typeof text === 'string' && text !== '')
}
