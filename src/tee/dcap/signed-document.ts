/**
 * Did Intel sign this collateral? Judges TCB info and QE identity alike: which of the supplied documents is meant for this
 * evidence, its signer's path, role and revocation, and the signature over the bytes as received. Everything but the time.
 */
import type { AnchorSet } from '../../pki/anchor.ts'
import { type Certificate, decodeCertificate } from '../../pki/certificate.ts'
import { derFromBigEndian } from '../../pki/ecdsa-value.ts'
import { holdsAt, type Interval, intersection } from '../../pki/interval.ts'
import { type PathResult, validatePath } from '../../pki/path.ts'
import { ecdsaP256Sha256 } from '../../pki/scheme.ts'
import { type Judgement, refuse } from '../../rats/check.ts'
import type { SignedCollateral } from '../../rats/endorsements.ts'
import { malformation, unreached } from './malformation.ts'
import { judgeNotRevoked, type Revocations } from './revocation.ts'

export interface SignedDocument<D> {
  readonly present: Judgement
  readonly wellFormed: Judgement
  /** Of this evidence's TEE, platform family and PCE. */
  readonly matches: Judgement
  /** The one that was chosen, signed or not. */
  readonly document: D | undefined
  readonly path: PathResult | undefined
  readonly role: Judgement
  /** The root of the PCK chain: no other may judge the platform, a simulated one least of all. */
  readonly sameRoot: Judgement
  readonly signerNotRevoked: Judgement
  readonly signature: Judgement
  /** When this choice among the supplied documents stands. */
  readonly chosenDuring: Interval | undefined
}

interface Dated extends Interval {
  readonly evaluationDataNumber: number
}

export interface DocumentRequest<D> {
  /** `TCB info`, for people. */
  readonly title: string
  readonly supplied: readonly SignedCollateral[]
  /** Throws Malformed. */
  readonly decode: (body: Uint8Array) => D
  readonly matches: (document: D) => Judgement
  readonly anchors: AnchorSet
  /** Of the PCK chain. */
  readonly root: Certificate
  readonly byRoot: Revocations
  readonly at: Date
}

const SIGNER_NAME = 'Intel SGX TCB Signing'
const DIGITAL_SIGNATURE = 0

/** For a platform of which it is not even known what document it needs. */
export const unsuppliedDocument: SignedDocument<never> = {
  present: unreached,
  wellFormed: unreached,
  matches: unreached,
  document: undefined,
  path: undefined,
  role: unreached,
  sameRoot: unreached,
  signerNotRevoked: unreached,
  signature: unreached,
  chosenDuring: undefined,
}
const supplied: SignedDocument<never> = { ...unsuppliedDocument, present: true }

export function judgeDocument<D extends Dated>(request: DocumentRequest<D>): SignedDocument<D> {
  const { title, decode, matches, at } = request
  if (request.supplied.length === 0)
    return {
      ...unsuppliedDocument,
      present: refuse(`no ${title} was supplied`, null, `${title} of Intel`),
    }
  const readable: Readable<D>[] = []
  let unreadable: Judgement = unreached
  for (const collateral of request.supplied)
    try {
      readable.push({ collateral, document: decode(collateral.body) })
    } catch (cause) {
      unreadable = malformation(title, cause)
    }
  const [first] = readable
  if (!first) return { ...supplied, wellFormed: unreadable }

  const candidates = readable
    .filter(({ document }) => matches(document) === true)
    .toSorted((a, b) => strictestFirst(a.document, b.document))
    .map((each) => candidateOf(each, request))
  const genuine = candidates.filter(({ signer }) => isFaultless(signer))
  const current = genuine.find(({ stands }) => holdsAt(stands, at))
  const chosen = current ?? genuine[0] ?? candidates[0]
  if (!chosen) return { ...supplied, wellFormed: true, matches: matches(first.document) }
  const stricter = genuine.slice(0, Math.max(0, genuine.indexOf(chosen)))
  return {
    ...supplied,
    wellFormed: true,
    matches: true,
    document: chosen.document,
    chosenDuring: chosenDuring(chosen, stricter, at),
    ...chosen.signer,
  }
}

interface Readable<D> {
  readonly collateral: SignedCollateral
  readonly document: D
}

interface Candidate<D> {
  readonly document: D
  readonly signer: Partial<SignedDocument<D>>
  /** When document and signer are both valid. */
  readonly stands: Interval
}

function candidateOf<D extends Dated>(
  { collateral, document }: Readable<D>,
  request: DocumentRequest<D>,
): Candidate<D> {
  const signer = judgeSigner(collateral, request)
  const stands = signer.path ? intersection([document, signer.path.validity]) : document
  return { document, signer, stands }
}

/** Whoever lays a forged document beside a genuine one gains nothing, and does no harm either. */
function isFaultless({ path, role, sameRoot, signature }: Partial<SignedDocument<unknown>>) {
  return path?.faults.size === 0 && role === true && sameRoot === true && signature === true
}

/** Intel publishes a TCB recovery early and makes it standard later: of two current documents the newer evaluation decides. */
function strictestFirst(a: Dated, b: Dated): number {
  return (
    b.evaluationDataNumber - a.evaluationDataNumber || b.notBefore.getTime() - a.notBefore.getTime()
  )
}

/** As long as it stands itself, but for the time in which a stricter one that does not stand now would have been chosen. */
function chosenDuring<D>(
  chosen: Candidate<D>,
  stricter: readonly Candidate<D>[],
  at: Date,
): Interval {
  let { notBefore, notAfter } = chosen.stands
  for (const { stands } of stricter)
    if (at < stands.notBefore)
      notAfter = new Date(Math.min(notAfter.getTime(), stands.notBefore.getTime() - 1))
    else notBefore = new Date(Math.max(notBefore.getTime(), stands.notAfter.getTime() + 1))
  return { notBefore, notAfter }
}

function judgeSigner<D>(
  { body, signature, issuerChain }: SignedCollateral,
  { title, anchors, root, byRoot }: DocumentRequest<D>,
): Partial<SignedDocument<D>> {
  let signer: Certificate
  try {
    const [der] = issuerChain
    if (!der) throw new Error('its issuer chain is empty')
    signer = decodeCertificate(der)
  } catch (cause) {
    return { wellFormed: malformation(title, cause) }
  }
  const path = validatePath({
    leaf: signer,
    candidates: [],
    anchors,
    scheme: ecdsaP256Sha256,
    intermediates: 0,
  })
  return {
    path,
    role: judgeRole(signer),
    sameRoot: judgeRoot(path, root),
    signerNotRevoked: judgeNotRevoked(signer, byRoot),
    signature:
      (signature.length === 64 &&
        signer.keyType === ecdsaP256Sha256.keyType &&
        ecdsaP256Sha256.verifies(
          signer.publicKey,
          body,
          derFromBigEndian(signature.subarray(0, 32), signature.subarray(32)),
        )) ||
      refuse(
        `the signature on the ${title} was not made by the key of ${signer.commonName} over these bytes`,
        `${body.length} bytes`,
        `signed by ${signer.sha256}`,
      ),
  }
}

function judgeRole({ commonName, keyUsage }: Certificate): Judgement {
  return (
    (commonName === SIGNER_NAME && keyUsage?.has(DIGITAL_SIGNATURE) === true) ||
    refuse(
      `collateral is signed by ${commonName}, which is not a TCB signer`,
      commonName,
      `${SIGNER_NAME}, for digital signatures`,
    )
  )
}

function judgeRoot({ anchor }: PathResult, root: Certificate): Judgement {
  return (
    anchor?.certificate.sha256 === root.sha256 ||
    refuse(
      'collateral and PCK chain have different roots: one vendor does not judge the platforms of another',
      anchor?.certificate.sha256 ?? null,
      root.sha256,
    )
  )
}
