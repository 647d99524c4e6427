/**
 * What does the transparency log say of a decision? The public half, the entry, says only when (to the minute), of which
 * kind, and the hash of a salted record; the record, which says everything, stays in private storage. Without the salt
 * nobody can guess their way from an entry to an agent, and with both anybody can check that the record was not changed.
 *
 * Both are RFC 8785 (JCS) JSON of strings, lists and objects, for which JSON.stringify is canonical as long as members are
 * written in the order of their names: keep the literals below sorted.
 *
 * The minute and the order of entries leak how busy the service is and how many tokens it issues and revokes. Whoever
 * follows the checkpoints sees that anyway; the seconds would tell it, for ever, to whoever comes later.
 */
import { createHash, hash } from 'node:crypto'
import { toHex } from '../bytes/encoding.ts'
import type { Evidence } from '../rats/evidence.ts'
import { stateDigestOf } from './acceptance-chain.ts'
import type { JudgedRecord } from './appraisal-record.ts'
import type { PendingLeaf } from './log-ports.ts'
import type { PolicyRecord } from './policy-ports.ts'
import type { Random } from './ports.ts'
import type { ReleaseApproval, ReleaseRecord } from './release-ports.ts'
import type { ResourceSettings } from './resource-settings.ts'
import type { KeyPurpose, Revocation, TokenRecord } from './token-ports.ts'

const SALT_SIZE = 16
const ENTRY_VERSION = '1'
/** RFC 6962 section 2.1: sets a leaf apart from an inner node. */
const LEAF = '\0'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** On the hot path. `tokens`: none where it was refused. */
export function attestationLeaf(
  {
    record,
    tokens,
  }: {
    readonly record: JudgedRecord
    readonly tokens: readonly TokenRecord[]
  },
  random: Random,
): PendingLeaf {
  const { id, tenant, verdict, referenceValue, findings } = record
  const text = JSON.stringify({
    agent: record.agent,
    appraisal: id,
    at: record.at.toISOString(),
    audiences: record.audiences,
    challenge: record.runtimeClaims.nonce,
    endorsements: record.endorsementsDigest,
    environment: record.environment,
    evidence: digestsOf(record.evidence),
    failing: findings.filter(({ outcome }) => outcome === 'fail').map((each) => each.id),
    jkt: record.runtimeClaims.sig_jkt,
    kind: 'vouchsafe/attestation/v1',
    manifest: record.manifest,
    policyCommit: record.policyCommit,
    policyDigest: record.policyDigest,
    // Without a reference value, or a session, there is no such member: JSON.stringify leaves out what is undefined.
    referenceValue: referenceValue?.id,
    session: record.runtimeClaims.session || undefined,
    status: record.status,
    tee: record.tee,
    tenant,
    tokens: tokens.map(tokenMembers),
    verdict,
    waived: findings.filter(({ outcome }) => outcome === 'waived').map((each) => each.id),
  })
  const kind = verdict === 'issued' ? 'issuance' : 'denial'
  return leaf({ kind, at: record.at, text, tenant, subject: id }, random)
}

/** An accepted policy. */
export function policyLeaf(record: PolicyRecord, random: Random): PendingLeaf {
  const { tenant, acceptedAt: at, commit } = record
  const text = JSON.stringify({
    at: at.toISOString(),
    commit,
    digest: record.digest,
    kind: 'vouchsafe/policy/v1',
    sequence: String(record.sequence),
    stateDigest: stateDigestOf(record),
    tenant,
  })
  return leaf({ kind: 'policy', at, text, tenant, subject: commit }, random)
}

export function revocationLeaf(
  token: TokenRecord,
  { at, reason, detail, by }: Revocation,
  random: Random,
): PendingLeaf {
  const { tenant, jti } = token
  const text = JSON.stringify({
    agent: token.agent,
    appraisal: token.appraisal,
    at: at.toISOString(),
    by,
    detail,
    environment: token.environment,
    kind: 'vouchsafe/revocation/v1',
    reason,
    tenant,
    token: tokenMembers(token),
  })
  return leaf({ kind: 'revocation', at, text, tenant, subject: jti }, random)
}

export interface KeyNews {
  readonly purpose: KeyPurpose
  readonly kid: string
  readonly change: 'added' | 'revoked'
  readonly at: Date
}

/** A key of the service as a whole, which belongs to no tenant. */
export function keysLeaf({ purpose, kid, change, at }: KeyNews, random: Random): PendingLeaf {
  const text = JSON.stringify({
    at: at.toISOString(),
    change,
    kid,
    kind: 'vouchsafe/keys/v1',
    purpose,
  })
  return leaf({ kind: 'keys', at, text, tenant: undefined, subject: kid }, random)
}

/** A secret left, or a key that stays was used. Nothing in it is derived from either. */
export function releaseLeaf(release: Omit<ReleaseRecord, 'leafHash'>, random: Random): PendingLeaf {
  const { id, at, tenant } = release
  const text = JSON.stringify({
    agent: release.agent,
    at: at.toISOString(),
    environment: release.environment,
    face: release.face,
    jkt: release.jkt,
    kind: 'vouchsafe/release/v1',
    leaseUntil: release.leaseUntil?.toISOString(),
    policyCommit: release.policyCommit,
    policyDigest: release.policyDigest,
    release: id,
    resource: release.resource,
    tenant,
    token: release.jti,
    use: release.use,
    version: String(release.version),
  })
  return leaf({ kind: 'release', at, text, tenant, subject: id }, random)
}

export interface ResourceNews {
  readonly tenant: string
  readonly name: string
  readonly change: 'added' | 'rotated' | 'changed' | 'revoked'
  readonly versions: readonly number[] | 'all'
  /** How it may be had from then on; undefined: as before. */
  readonly settings?: ResourceSettings
  /** Name of the operator. */
  readonly by: string
  readonly at: Date
}

/** Nothing in it is derived from the secret: a hash of one that can be guessed is as good as the secret. */
export function resourceLeaf(
  { tenant, name, change, versions, settings, by, at }: ResourceNews,
  random: Random,
): PendingLeaf {
  const text = JSON.stringify({
    at: at.toISOString(),
    by,
    change,
    kind: 'vouchsafe/resource/v1',
    resource: name,
    settings: settings && {
      acceptsSimulated: String(settings.acceptsSimulated),
      approvals: String(settings.approvals),
      brokerPath: settings.brokerPath,
      leaseSeconds: String(settings.leaseSeconds),
      releasesPerMinute: settings.releasesPerMinute?.toFixed(),
      requiresSession: String(settings.requiresSession),
      use: settings.use,
    },
    tenant,
    versions: versions === 'all' ? ['all'] : versions.map(String),
  })
  return leaf({ kind: 'resource', at, text, tenant, subject: name }, random)
}

/** An operator agreed that this key may have this version. */
export function approvalLeaf(
  approval: ReleaseApproval,
  { operator, at }: { readonly operator: string; readonly at: Date },
  random: Random,
): PendingLeaf {
  const { id, tenant } = approval
  const text = JSON.stringify({
    agent: approval.agent,
    approval: id,
    at: at.toISOString(),
    by: operator,
    environment: approval.environment,
    jkt: approval.jkt,
    kind: 'vouchsafe/release-approval/v1',
    resource: approval.resource,
    tenant,
    version: String(approval.version),
  })
  return leaf({ kind: 'resource', at, text, tenant, subject: id }, random)
}

/** The leaf that stands for a batch of denials. `root`: 32 bytes, of the RFC 6962 tree over their leaf hashes. */
export function denialsEntry({
  at,
  count,
  root,
}: {
  readonly at: Date
  readonly count: number
  readonly root: Uint8Array
}): Uint8Array {
  const text = JSON.stringify({
    at: minuteOf(at),
    count: String(count),
    kind: 'denials',
    root: toHex(root),
    v: ENTRY_VERSION,
  })
  return encoder.encode(text)
}

/** When such a leaf was made, to the minute. Undefined for what is none. */
export function denialsTime(entry: Uint8Array): Date | undefined {
  const [, minute] =
    /^\{"at":"([0-9T:-]{16}Z)",.*"kind":"denials"/.exec(decoder.decode(entry)) ?? []
  const at = minute === undefined ? undefined : new Date(minute)
  return at && !Number.isNaN(at.getTime()) ? at : undefined
}

/** For leaves of this log that have a file of their own. `text`: members in the order of their names. */
export function leaf(
  {
    kind,
    at,
    text,
    tenant,
    subject,
  }: Pick<PendingLeaf, 'kind' | 'tenant' | 'subject'> & {
    readonly at: Date
    readonly text: string
  },
  random: Random,
): PendingLeaf {
  const salt = random.bytes(SALT_SIZE)
  const record = encoder.encode(text)
  const covered = createHash('sha256').update(salt).update(record).digest('hex')
  const published = { at: minuteOf(at), kind, record: covered, v: ENTRY_VERSION }
  const hashed = encoder.encode(LEAF + JSON.stringify(published))
  const entry = hashed.subarray(LEAF.length)
  const leafHash = new Uint8Array(hash('sha256', hashed, 'buffer'))
  return { kind, entry, leafHash, salt, record, tenant, subject }
}

/** `2026-11-24T09:30Z` */
function minuteOf(at: Date): string {
  return `${at.toISOString().slice(0, 16)}Z`
}

export function tokenMembers({ form, issuer, audience, jkt, jti, expiresAt, status }: TokenRecord) {
  return {
    audience,
    expiresAt: expiresAt.toISOString(),
    form,
    issuer,
    jkt,
    jti,
    status: `${status.list}/${status.index}`,
  }
}

/** SHA-256, hex: enough to tell whether some bytes are what was judged, and kept when the evidence is no more. */
function digestsOf({ quote, auxblob, eventLog }: Evidence) {
  return {
    auxblob: auxblob && hash('sha256', auxblob),
    eventLog: eventLog && hash('sha256', eventLog),
    quote: hash('sha256', quote),
  }
}
