/**
 * What does Intel say about the platform that made this quote? Joins PCK chain, revocation lists, collateral and QE report
 * into one endorsement. Results without a fault are kept as proofs under what they were made from, in three layers that live
 * differently long: collateral per platform family, PCK chain per platform, QE binding per attestation key. On the warm path
 * only the last is looked up: no ASN.1, no JSON, no hash.
 */
import { hash, type KeyObject } from 'node:crypto'
import { sameBytes, toHex } from '../../bytes/encoding.ts'
import { type Interval, intersection } from '../../pki/interval.ts'
import { type Judgement, refuse } from '../../rats/check.ts'
import { proofKind } from '../../rats/proof-cache.ts'
import type { EndorseContext, Endorsed } from '../../rats/tee.ts'
import { judgePckChain, type PckChain } from './pck-chain.ts'
import type { PckExtension } from './pck-extension.ts'
import { judgeQeBinding, publicKeyOfPoint, type QeBinding, unboundQe } from './qe-binding.ts'
import { decodeQeIdentity, type QeIdentity } from './qe-identity.ts'
import type { Quote, QuoteForm } from './quote.ts'
import { type Crls, decodeCrls } from './revocation.ts'
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

type Platform = Omit<DcapEndorsement, 'tcb'>
type Collateral = Pick<Platform, 'tcbInfo' | 'qeIdentity'>

/** All that binds one attestation key to a platform, and the bytes that said so: another wrapping of the same key is judged anew. */
interface BindingProof extends Interval {
  readonly certification: Uint8Array
  readonly platform: Platform
}
interface PckProof extends Interval {
  readonly chain: PckChain
}
interface CollateralProof extends Interval, Collateral {}
interface DecodedCrls extends Interval {
  readonly crls: Crls
}
interface ParsedKey extends Interval {
  readonly key: KeyObject
}

const bindings = proofKind<BindingProof>('dcap.qe-binding')
const pckChains = proofKind<PckProof>('dcap.pck-chain')
const collaterals = proofKind<CollateralProof>('dcap.collateral')
const crlSets = proofKind<DecodedCrls>('dcap.crls')
const attestationKeys = proofKind<ParsedKey>('dcap.attestation-key')
/** Of what is only decoded: bytes mean the same at any time. */
const always: Interval = { notBefore: new Date(-8.64e15), notAfter: new Date(8.64e15) }

export function endorse<B>(
  quote: Quote<B>,
  form: DcapForm<B>,
  context: EndorseContext,
): DcapEndorsement {
  const platform = platformOf(quote, form, context)
  const { pck, tcbInfo, qeIdentity, qe, assurance } = platform
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

function platformOf<B>(quote: Quote<B>, form: DcapForm<B>, context: EndorseContext): Platform {
  const { proofs, at } = context
  const scope = `${context.anchors.digest}|${context.endorsements.digest}`
  const key = `${scope}|${form.qeIdentityId}|${toHex(quote.attestationKey)}`
  const known = proofs.get(bindings, key, at)
  if (known && sameBytes(known.certification, quote.certification)) return known.platform

  const chain = pckChainOf(quote, scope, context)
  const collateral = collateralOf(chain.value, { scope, form, context })
  const pck = chain.value
  const { tcbInfo, qeIdentity } = collateral.value
  const qe = qeBindingOf(quote, { pck, qeIdentity, context })
  const assurance = pck.path?.anchor?.assurance
  const platform: Platform = { assurance, pck, tcbInfo, qeIdentity, qe }
  if (chain.during && collateral.during && isProven(qe)) {
    const during = intersection([chain.during, collateral.during])
    proofs.put(bindings, key, { ...during, certification: quote.certification.slice(), platform })
  }
  return platform
}

/** What was judged, and when it may be believed again; undefined if it has a fault. Freshness of revocation lists is asked anew each time. */
interface Judged<T> {
  readonly value: T
  readonly during: Interval | undefined
}

function pckChainOf<B>(quote: Quote<B>, scope: string, context: EndorseContext): Judged<PckChain> {
  const { proofs, at, anchors } = context
  const key = `${scope}|${hash('sha256', quote.pckChain, 'hex')}`
  const known = proofs.get(pckChains, key, at)
  if (known) return { value: known.chain, during: known }
  const chain = judgePckChain(quote.pckChain, anchors, crlsOf(context))
  const during = pckProvenDuring(chain)
  if (during) proofs.put(pckChains, key, { ...during, chain })
  return { value: chain, during }
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

function isProven(qe: QeBinding): boolean {
  const rules = [qe.wellFormed, qe.signature, qe.binding, qe.padding, qe.debugOff, qe.identity]
  return qe.attestationKey !== undefined && rules.every(holds)
}

function crlsOf({ proofs, endorsements, at }: EndorseContext): Crls {
  const known = proofs.get(crlSets, endorsements.digest, at)
  if (known) return known.crls
  const crls = decodeCrls(endorsements.crls)
  if (crls.wellFormed === true) proofs.put(crlSets, endorsements.digest, { ...always, crls })
  return crls
}

interface CollateralScope<B> {
  readonly scope: string
  readonly form: DcapForm<B>
  readonly context: EndorseContext
}

function collateralOf<B>(
  pck: PckChain,
  { scope, form, context }: CollateralScope<B>,
): Judged<Collateral> {
  const { endorsements, anchors, proofs, at } = context
  const { path, extension, byRoot } = pck
  const root = path?.anchor?.certificate
  if (!root || !extension || !byRoot)
    return {
      value: { tcbInfo: unsuppliedDocument, qeIdentity: unsuppliedDocument },
      during: undefined,
    }
  const family = `${toHex(extension.fmspc)}|${toHex(extension.pceId)}|${root.sha256}`
  const key = `${scope}|${form.tcbInfoId}|${family}`
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
    intervals.push(path.validity, chosenDuring)
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

function qeBindingOf<B>(
  quote: Quote<B>,
  {
    pck,
    qeIdentity,
    context,
  }: { pck: PckChain; context: EndorseContext } & Pick<Collateral, 'qeIdentity'>,
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

/** Asked only for points that a PCK signed for, so nobody fills the cache with keys of their own. */
function keyOf(point: Uint8Array, { proofs, at }: EndorseContext): KeyObject | undefined {
  const name = toHex(point)
  const known = proofs.get(attestationKeys, name, at)
  if (known) return known.key
  const key = publicKeyOfPoint(point)
  if (key) proofs.put(attestationKeys, name, { ...always, key })
  return key
}

/** A rule that does not apply breaks nothing: no list, no revocation. */
function holds(judgement: Judgement | undefined): boolean {
  return judgement === true || (judgement !== undefined && 'notApplicable' in judgement)
}
