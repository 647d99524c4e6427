/**
 * Secrets and model keys at rest: each version in an envelope that its tenant, name and number are bound to, and that holds
 * beside the secret how it might be had when it was sealed, who put it there, and the key under which operators' agreements
 * to its release are sealed. What the row says of that anybody may write who can write the database: where it is looser than
 * what was sealed, nothing is opened. Stored as FORM (1) || envelope of: length of the JSON (2, big-endian) || settings and
 * origin as JSON || secret. Envelopes of before had no settings and no FORM before them, and
 * were sealed under other associated data, so that neither can be passed off as the other.
 */
import { concat } from '../bytes/encoding.ts'
import type { KeyEncryptions } from './key-encryption.ts'
import { loosened, type ResourceSettings, settingsOf } from './resource-settings.ts'
import { envelopeUnder, openEnvelope, type Sealing, sealEnvelope } from './sealed-envelope.ts'

/** Of one version of a resource. */
export interface ResourceName {
  readonly tenant: string
  readonly name: string
  readonly version: number
}

export interface SealedContent {
  readonly secret: Uint8Array
  /** As they were when it was sealed; undefined for what was sealed before they were kept with it. */
  readonly settings: ResourceSettings | undefined
  /** Undefined for what was sealed before it was kept with it. */
  readonly origin?: ResourceOrigin | undefined
}

export interface ResourceOrigin {
  /** Name of the operator, who agrees to no release of it. */
  readonly createdBy: string
  /** Of 32 bytes: nobody seals an agreement without it (release/approval.ts). */
  readonly agreementKey: Uint8Array
}

/** No envelope begins with it: its first byte is the version of its form (sealed-envelope.ts). */
const FORM = 0xf3
const LENGTH_SIZE = 2

/** A secret of no bytes is none: its envelope would not open. */
export async function sealResource(
  name: ResourceName,
  { secret, settings, origin }: SealedContent,
  sealing: Sealing,
): Promise<Uint8Array> {
  if (secret.length === 0) throw new RangeError('there is nothing to seal')
  if (!settings) return await sealEnvelope(secret, associatedText(name, 'v1'), sealing)
  const said = new TextEncoder().encode(
    JSON.stringify({ ...settingsOf(settings), ...(origin && { origin: originJson(origin) }) }),
  )
  const content = concat(Uint8Array.of(said.length >> 8, said.length & 0xff), said, secret)
  const envelope = await sealEnvelope(content, associatedText(name, 'v2'), sealing)
  content.fill(0)
  return concat(Uint8Array.of(FORM), envelope)
}

export interface StoredResource {
  readonly sealed: Uint8Array
  /** As the database says now. */
  readonly settings: ResourceSettings
  readonly createdBy: string
  /** It leaves by the Key Broker face, for which a resource must have been put. */
  readonly isForBroker?: boolean
}

export interface OpenedResource {
  readonly secret: Uint8Array
  readonly agreementKey: Uint8Array | undefined
}

/**
 * For whoever hands it out, seals it anew under other settings, or agrees to its release. Rejects as openSealed does, and where
 * the row is looser than what was sealed.
 */
export async function openResource(
  name: ResourceName,
  { sealed, settings, createdBy, isForBroker = false }: StoredResource,
  encryptions: KeyEncryptions,
): Promise<OpenedResource> {
  const content = await openSealed(name, sealed, encryptions)
  const { settings: before, origin } = content
  const looser = before ? [...loosened(before, settings)] : []
  if (before && isForBroker && before.brokerPath === undefined)
    looser.push('is nowhere on the Key Broker face')
  if (origin && origin.createdBy !== createdBy) looser.push(`was put by ${origin.createdBy}`)
  if (looser.length === 0) return { secret: content.secret, agreementKey: origin?.agreementKey }
  content.secret.fill(0)
  throw new Error(
    `${calledOf(name)} is not opened: as it was sealed, it ${looser.join('; and it ')}. The database was altered`,
  )
}

/**
 * Rejects when none of the key-encryption keys is the one that it was sealed under, or the row was altered; with a Problem
 * where whoever holds the key-encryption key does not answer.
 */
export async function openSealed(
  name: ResourceName,
  sealed: Uint8Array,
  encryptions: KeyEncryptions,
): Promise<SealedContent> {
  const isPlain = sealed[0] !== FORM
  const content = await openEnvelope(
    {
      sealed: envelopeOf(sealed),
      associated: associatedText(name, isPlain ? 'v1' : 'v2'),
      called: calledOf(name),
    },
    encryptions,
  )
  if (isPlain) return { secret: content, settings: undefined }
  const secretAt = LENGTH_SIZE + (((content[0] ?? 0) << 8) | (content[1] ?? 0))
  const said = new TextDecoder().decode(content.subarray(LENGTH_SIZE, secretAt))
  const secret = content.slice(secretAt)
  content.fill(0)
  // sealResource wrote it: nobody else can.
  const { origin, ...settings } = JSON.parse(said) as ResourceSettings & { origin?: OriginJson }
  return { secret, settings, ...(origin && { origin: originOf(origin) }) }
}

interface OriginJson {
  readonly createdBy: string
  readonly agreementKey: string
}

function originJson({ createdBy, agreementKey }: ResourceOrigin): OriginJson {
  return { createdBy, agreementKey: Buffer.from(agreementKey).toString('base64url') }
}

function originOf({ createdBy, agreementKey }: OriginJson): ResourceOrigin {
  return { createdBy, agreementKey: new Uint8Array(Buffer.from(agreementKey, 'base64url')) }
}

/** Id of the key-encryption key. Undefined for what this version did not write. */
export function sealedUnder({ sealed }: { readonly sealed: Uint8Array }): Uint8Array | undefined {
  return envelopeUnder(envelopeOf(sealed))
}

function envelopeOf(sealed: Uint8Array): Uint8Array {
  return sealed[0] === FORM ? sealed.subarray(1) : sealed
}

function calledOf({ tenant, name, version }: ResourceName): string {
  return `version ${version} of ${name} (tenant ${tenant})`
}

/** None of the three can hold a zero byte: config/values.ts and resource-name.ts say what they are made of. */
function associatedText({ tenant, name, version }: ResourceName, form: 'v1' | 'v2'): string {
  return `vouchsafe/sealed-resource/${form}\0${tenant}\0${name}\0${version}`
}
