/**
 * What does Intel say about the platform that made this quote? Joins PCK chain, revocation lists, collateral and QE report
 * into one endorsement. Results without a fault are kept as proofs under what they were made from, in three layers that live
 * differently long: collateral per platform family, PCK chain per platform, QE binding per attestation key. On the warm path
 * only the last is looked up: no ASN.1, no JSON, no hash.
 */
import type { KeyObject } from 'node:crypto'
import { sameBytes, toHex } from '../../bytes/encoding.ts'
import { type Interval, intersection } from '../../pki/interval.ts'
import { p256KeyOf } from '../../pki/p256-key.ts'
import { type Judgement, refuse } from '../../rats/check.ts'
import { proofKind } from '../../rats/proof-cache.ts'
import type { EndorseContext, Endorsed } from '../../rats/tee.ts'
import { judgePckChain, type PckChain } from './pck-chain.ts'
import type { PckExtension } from './pck-extension.ts'
import { judgeQeBinding, type QeBinding, unboundQe } from './qe-binding.ts'
import { decodeQeIdentity, type QeIdentity } from './qe-identity.ts'
import type { Quote, QuoteForm } from './quote.ts'
import { decodeCrls } from './revocation.ts'
import { judgeDocument, type SignedDocument, unsuppliedDocument } from './signed-document.ts'
import { decodeTcbInfo, type TcbInfo } from './tcb-info.ts'
import { evaluateTcb, type TcbEvaluation, type TdTcb } from './tcb-level.ts'

/** A TEE of the DCAP family, as far as its endorsements differ. */
export interface DcapForm<B> extends QuoteForm<B> {
  /** Of the TCB info and the QE identity that speak of this TEE. */
  readonly tcbInfoId: string
  readonly qeIdentityId: string
  /** Undefined where the PCK certificate says all about the TCB. */
  readonly tdTcb: (body: B) => TdTcb | undefined
}

/** Every rule judged but time; the checks read the answers. */
export interface DcapEndorsement extends Endorsed {
  readonly pck: PckChain
  readonly tcbInfo: SignedDocument<TcbInfo>
  readonly qeIdentity: SignedDocument<QeIdentity>
  readonly qe: QeBinding
  /** Undefined when a document that it rests on is missing or unread. */
  readonly tcb: TcbEvaluation | undefined
}

type Platform = Omit<DcapEndorsement, 'tcb' | 'qe'>
type Binding = Omit<DcapEndorsement, 'tcb'>
type Collateral = Pick<Platform, 'tcbInfo' | 'qeIdentity'>

/** All that binds one attestation key to a platform, and the bytes that said so: another wrapping of the same key is judged anew. */
interface BindingProof extends Interval {
  readonly certification: Uint8Array
  readonly binding: Binding
}
interface PlatformProof extends Interval {
  readonly pem: Uint8Array
  readonly platform: Platform
}
interface CollateralProof extends Interval, Collateral {}
interface ParsedKey extends Interval {
  readonly key: KeyObject
}

/**
 * Bytes that say where to look, out of those that say what was proven. A proof holds for the bytes that it keeps and for no
 * others that are found in the same place: comparing a few kilobytes costs a thirtieth of hashing them.
 */
const LOCATOR = 24
/** Where in the text of a chain the serial number of its first certificate stands, about. */
const SERIAL = 46

const bindings = proofKind<BindingProof>('dcap.qe-binding')
const platforms = proofKind<PlatformProof>('dcap.platform')
const collaterals = proofKind<CollateralProof>('dcap.collateral')
const attestationKeys = proofKind<ParsedKey>('dcap.attestation-key')
/** Of what is only decoded: bytes mean the same at any time. */
const always: Interval = { notBefore: new Date(-8.64e15), notAfter: new Date(8.64e15) }

export function endorse<B>(
  quote: Quote<B>,
  form: DcapForm<B>,
  context: EndorseContext,
): DcapEndorsement {
  const { pck, tcbInfo, qeIdentity, qe, assurance } = bindingOf(quote, form, context)
  const tcb =
    pck.extension && tcbInfo.document && qeIdentity.document
      ? evaluateTcb({
          tcbInfo: tcbInfo.document,
          pck: pck.extension,
          td: form.tdTcb(quote.body),
          qe: qe.level,
        })
      : undefined
  return { assurance, pck, tcbInfo, qeIdentity, qe, tcb }
}

function bindingOf<B>(quote: Quote<B>, form: DcapForm<B>, context: EndorseContext): Binding {
  const { proofs, at, anchors, endorsements } = context
  const scope = `${form.qeIdentityId}|${anchors.digest}|${endorsements.digest}`
  const key = `${scope}|${toHex(quote.attestationKey.subarray(0, LOCATOR))}`
  const known = proofs.get(bindings, key, at)
  if (known && sameBytes(known.certification, quote.certification)) return known.binding

  const { value: platform, during } = platformOf(quote, { scope, form, context })
  const { assurance, pck, tcbInfo, qeIdentity } = platform
  const qe = qeBindingOf(quote, platform, context)
  const binding: Binding = { assurance, pck, tcbInfo, qeIdentity, qe }
  if (during && isProven(qe)) {
    const { notBefore, notAfter } = during
    // Buffer.from copies without zeroing first, in half the time of slice.
    const certification = Buffer.from(quote.certification)
    proofs.put(bindings, key, { notBefore, notAfter, certification, binding })
  }
  return binding
}

function qeBindingOf<B>(
  quote: Quote<B>,
  { pck, qeIdentity }: Platform,
  context: EndorseContext,
): QeBinding {
  const leaf = pck.path?.certificates[0]
  if (!leaf || !qeIdentity.document) return unboundQe
  return judgeQeBinding({
    certification: quote,
    pck: leaf,
    identity: qeIdentity.document,
    keyOf: (point) => keyOf(point, context),
  })
}

function isProven(qe: QeBinding): boolean {
  return (
    qe.attestationKey !== undefined &&
    holds(qe.wellFormed) &&
    holds(qe.signature) &&
    holds(qe.binding) &&
    holds(qe.padding) &&
    holds(qe.debugOff) &&
    holds(qe.identity)
  )
}

/** What was judged, and when it may be believed again; undefined if it has a fault. Freshness of revocation lists is asked anew each time. */
interface Judged<T> {
  readonly value: T
  readonly during: Interval | undefined
}

interface Scope<B> {
  /** Names TEE, anchors and endorsements in keys. */
  readonly scope: string
  readonly form: DcapForm<B>
  readonly context: EndorseContext
}

function platformOf<B>({ pckChain }: Quote<B>, of: Scope<B>): Judged<Platform> {
  const { proofs, at, anchors } = of.context
  const key = `${of.scope}|${toHex(pckChain.subarray(SERIAL, SERIAL + LOCATOR))}`
  const known = proofs.get(platforms, key, at)
  if (known && sameBytes(known.pem, pckChain)) return { value: known.platform, during: known }

  // Decoded anew for every unproven chain and kept by none: a list is believed only once its signer is known.
  const pck = judgePckChain(pckChain, anchors, decodeCrls(of.context.endorsements.crls))
  const { value, during } = collateralOf(pck, of)
  const platform: Platform = { assurance: pck.path?.anchor?.assurance, pck, ...value }
  const intervals = [pckProvenDuring(pck), during]
  if (!intervals.every((each) => each !== undefined)) return { value: platform, during: undefined }
  const proof = { ...intersection(intervals), pem: pckChain.slice(), platform }
  proofs.put(platforms, key, proof)
  return { value: platform, during: proof }
}

function pckProvenDuring(chain: PckChain): Interval | undefined {
  const { wellFormed, path, exact, role, extended, platformFields, crlsWellFormed } = chain
  const rules = [wellFormed, exact, role, extended, platformFields, crlsWellFormed]
  const revocation = [chain.caNotRevoked, chain.notRevoked]
  const lists = [chain.byRoot?.authentic, chain.byCa?.authentic]
  return path?.anchor && path.faults.size === 0 && [...rules, ...revocation, ...lists].every(holds)
    ? path.validity
    : undefined
}

function collateralOf<B>(pck: PckChain, { scope, form, context }: Scope<B>): Judged<Collateral> {
  const { endorsements, anchors, proofs, at } = context
  const { path, extension, byRoot } = pck
  const root = path?.anchor?.certificate
  if (!root || !extension || !byRoot)
    return {
      value: { tcbInfo: unsuppliedDocument, qeIdentity: unsuppliedDocument },
      during: undefined,
    }
  const family = `${toHex(extension.fmspc)}|${toHex(extension.pceId)}|${root.sha256}`
  const key = `${scope}|${family}`
  const known = proofs.get(collaterals, key, at)
  if (known) return { value: known, during: known }
  const collateral = {
    tcbInfo: judgeDocument<TcbInfo>({
      title: 'TCB info',
      supplied: endorsements.tcbInfos,
      decode: decodeTcbInfo,
      matches: (document) => matchesFamily(document, extension, form.tcbInfoId),
      ...{ anchors, root, byRoot, at },
    }),
    qeIdentity: judgeDocument<QeIdentity>({
      title: 'QE identity',
      supplied: endorsements.qeIdentities,
      decode: decodeQeIdentity,
      matches: (document) => matchesQe(document, form.qeIdentityId),
      ...{ anchors, root, byRoot, at },
    }),
  }
  const during = collateralProvenDuring(collateral)
  if (during) proofs.put(collaterals, key, { ...during, ...collateral })
  return { value: collateral, during }
}

function collateralProvenDuring({ tcbInfo, qeIdentity }: Collateral): Interval | undefined {
  const intervals: Interval[] = []
  for (const { path, chosenDuring, ...rest } of [tcbInfo, qeIdentity]) {
    const rules = [rest.present, rest.wellFormed, rest.matches, rest.role, rest.sameRoot]
    if (!path?.anchor || path.faults.size > 0 || !chosenDuring) return undefined
    if (![...rules, rest.signerNotRevoked, rest.signature].every(holds)) return undefined
    intervals.push(chosenDuring)
  }
  return intersection(intervals)
}

/** FMSPC alone is not enough: TCB levels are those of one PCE, and a PCE of another id counts its SVNs differently. */
function matchesFamily(info: TcbInfo, { fmspc, pceId }: PckExtension, id: string): Judgement {
  const expected = [id, toHex(fmspc), toHex(pceId)]
  const observed = [info.id, info.fmspc, info.pceId]
  return (
    observed.join() === expected.join() ||
    refuse(
      `TCB info is for ${observed[0]}, FMSPC ${observed[1]} and PCE-ID ${observed[2]}; the platform needs ${expected[0]}, ${expected[1]} and ${expected[2]}`,
      observed,
      expected,
    )
  )
}

function matchesQe({ id }: QeIdentity, expected: string): Judgement {
  return (
    id === expected ||
    refuse(`the QE identity is that of ${id}; this quote needs that of ${expected}`, id, expected)
  )
}

/** Asked only for points that a PCK signed for, so nobody fills the cache with keys of their own. */
function keyOf(point: Uint8Array, { proofs, at }: EndorseContext): KeyObject | undefined {
  const name = toHex(point)
  const known = proofs.get(attestationKeys, name, at)
  if (known) return known.key
  const key = p256KeyOf(point)
  if (key) proofs.put(attestationKeys, name, { ...always, key })
  return key
}

/** A rule that does not apply breaks nothing: no list, no revocation. */
function holds(judgement: Judgement | undefined): boolean {
  return judgement === true || (judgement !== undefined && 'notApplicable' in judgement)
}
