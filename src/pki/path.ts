/**
 * Does this certificate chain to a pinned root, by the vendor's own rules? (RFC 5280 section 6.1, reduced to what AMD and
 * Intel issue: no policies, no name constraints, one prescribed signature scheme per vendor.)
 *
 * Every rule is judged, none stops the others, so that a refusal can name all that is wrong. Time is not judged here:
 * the result carries the interval in which all certificates are valid, and the caller compares it with its own instant.
 * Considered and left out: fetching issuers (AIA) - nothing is fetched because a certificate says so.
 */
import type { Anchor, AnchorSet } from './anchor.ts'
import type { Certificate } from './certificate.ts'
import { type Interval, intersection } from './interval.ts'
import type { Scheme } from './scheme.ts'

/** In the order in which a path is judged. */
export type PathRule = 'anchored' | 'algorithm' | 'signature' | 'constraints'

export interface PathFault {
  readonly sentence: string
  readonly observed: string
  readonly expected: string
}

export interface PathResult {
  /** Leaf first; ends with the anchor's certificate when the path is anchored, else with the last issuer found. */
  readonly certificates: readonly [Certificate, ...Certificate[]]
  /** Only when every signature up to it holds: a name alone reaches no anchor. */
  readonly anchor: Anchor | undefined
  readonly faults: ReadonlyMap<PathRule, PathFault>
  readonly validity: Interval
}

export interface PathRequest {
  readonly leaf: Certificate
  /** Untrusted: whoever sent the evidence may have written them. */
  readonly candidates: readonly Certificate[]
  readonly anchors: AnchorSet
  readonly scheme: Scheme
  /** Certificates between leaf and anchor, the vendor's fixed number (AMD 1, Intel 1 for a PCK and 0 for a TCB signer). */
  readonly intermediates: number
}

const KEY_CERT_SIGN = 5
/** Extensions that this validation understands; any other that is marked critical refuses the path (RFC 5280 section 4.2). */
const UNDERSTOOD = new Set(['2.5.29.15', '2.5.29.19'])

export function validatePath(request: PathRequest): PathResult {
  const certificates: [Certificate, ...Certificate[]] = [request.leaf]
  const faults = new Map<PathRule, PathFault>()
  let anchor: Anchor | undefined

  while (!anchor && certificates.length <= request.intermediates + 1) {
    const child = certificates[certificates.length - 1] ?? request.leaf
    const issuer = issuerOf(child, certificates.length > request.intermediates, request)
    if (!issuer) break
    certificates.push(issuer.certificate)
    anchor = issuer.anchor
  }

  const last = certificates[certificates.length - 1] ?? request.leaf
  if (!anchor) note(faults, 'anchored', unanchored(last, request))
  for (const [index, child] of certificates.slice(0, -1).entries()) {
    const issuer = certificates[index + 1] ?? last
    judgeLink(child, issuer, index, request.scheme, faults)
  }
  judgeLeaf(request.leaf, faults)
  const reached = faults.has('signature') ? undefined : anchor
  return { certificates, anchor: reached, faults, validity: intersection(certificates) }
}

interface Issuer {
  readonly certificate: Certificate
  readonly anchor: Anchor | undefined
}

/**
 * Anchors first; where the chain may not go on, a certificate that is not one stands only to be named as the false root.
 * Among several certificates of one name (Intel re-issued its TCB signer under one name, key and serial;
 * an attacker may copy any name) the one whose key verifies the child is the issuer; if none does, the first of that
 * name stands, so that the signature rule can say what failed.
 */
function issuerOf(
  child: Certificate,
  anchorsOnly: boolean,
  { anchors, candidates, scheme }: PathRequest,
): Issuer | undefined {
  const pinned = anchors.anchors
    .filter(({ certificate }) => sameName(certificate.subjectName, child.issuerName))
    .map((anchor) => ({ certificate: anchor.certificate, anchor }))
  const offered = [...anchors.intermediates, ...candidates]
    .filter(
      (candidate) =>
        sameName(candidate.subjectName, child.issuerName) && candidate.sha256 !== child.sha256,
    )
    .map((certificate) => ({ certificate, anchor: undefined }))
  const named: readonly Issuer[] = [...pinned, ...offered]
  const signer = named.find(({ certificate }) => signs(certificate, child, scheme))
  return signer ?? (anchorsOnly ? pinned[0] : named[0])
}

function judgeLink(
  child: Certificate,
  issuer: Certificate,
  below: number,
  scheme: Scheme,
  faults: Map<PathRule, PathFault>,
): void {
  if (child.signatureIdentifier !== scheme.identifier || issuer.keyType !== scheme.keyType)
    note(faults, 'algorithm', {
      sentence: `${child.commonName} is signed with ${child.signatureIdentifier} by a ${issuer.keyType} key; the vendor prescribes ${scheme.name}`,
      observed: `${child.signatureIdentifier} by ${issuer.keyType}`,
      expected: `${scheme.identifier} by ${scheme.keyType}`,
    })
  if (!signs(issuer, child, scheme))
    note(faults, 'signature', {
      sentence: `the signature on ${child.commonName} was not made by the key of ${issuer.commonName}`,
      observed: `certificate ${child.sha256}`,
      expected: `signed by ${issuer.sha256}`,
    })
  const fault = authorityFault(issuer, below)
  if (fault)
    note(faults, 'constraints', {
      sentence: `${issuer.commonName} may not issue ${child.commonName}: ${fault.observed}, expected ${fault.expected}`,
      ...fault,
    })
  const foreign = foreignCritical(issuer)
  if (foreign) note(faults, 'constraints', foreign)
}

function judgeLeaf(leaf: Certificate, faults: Map<PathRule, PathFault>): void {
  if (leaf.authority)
    note(faults, 'constraints', {
      sentence: `${leaf.commonName} is a certification authority where an end entity belongs`,
      observed: 'cA TRUE',
      expected: 'an end-entity certificate',
    })
  const foreign = foreignCritical(leaf)
  if (foreign) note(faults, 'constraints', foreign)
}

/** `below` counts the intermediate certificates between this issuer and the leaf (RFC 5280 section 4.2.1.9). */
function authorityFault(
  { authority, keyUsage }: Certificate,
  below: number,
): Omit<PathFault, 'sentence'> | undefined {
  if (!authority) return { observed: 'cA FALSE', expected: 'cA TRUE' }
  if (!keyUsage?.has(KEY_CERT_SIGN))
    return { observed: 'no keyCertSign', expected: 'key usage keyCertSign' }
  if (authority.pathLength !== undefined && below > authority.pathLength)
    return {
      observed: `${below} intermediates below it`,
      expected: `path length at most ${authority.pathLength}`,
    }
  return undefined
}

function foreignCritical(certificate: Certificate): PathFault | undefined {
  for (const [oid, { critical }] of certificate.extensions)
    if (critical && !UNDERSTOOD.has(oid))
      return {
        sentence: `${certificate.commonName} carries a critical extension that is not understood: ${oid}`,
        observed: `critical ${oid}`,
        expected: `only ${[...UNDERSTOOD].join(', ')} critical`,
      }
  return undefined
}

function unanchored(last: Certificate, { anchors }: PathRequest): PathFault {
  const known = anchors.anchors.map(({ certificate }) => certificate.commonName)
  const selfSigned = sameName(last.subjectName, last.issuerName)
  return {
    sentence: selfSigned
      ? `the chain ends in ${last.commonName} (SHA-256 ${last.sha256}), which is not a pinned root of that name`
      : `no pinned root or supplied certificate is the issuer of ${last.commonName}: ${last.issuer}`,
    observed: selfSigned ? last.sha256 : last.issuer,
    expected:
      known.length === 0 ? 'a pinned root (none is configured)' : `one of ${known.join(', ')}`,
  }
}

function signs(issuer: Certificate, child: Certificate, scheme: Scheme): boolean {
  return (
    issuer.keyType === scheme.keyType &&
    scheme.verifies(issuer.publicKey, child.tbs, child.signature)
  )
}

/** The first fault of a rule stands: it is the one nearest to the leaf. */
function note(faults: Map<PathRule, PathFault>, rule: PathRule, fault: PathFault): void {
  if (!faults.has(rule)) faults.set(rule, fault)
}

function sameName(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
