/**
 * Was this quote made by an Intel platform, and does Intel say so today? In sequence: PCK chain, revocation, collateral,
 * quoting enclave, and last the signature over the quote itself. All but time and that signature was judged by `endorse`.
 */
import { toHex } from '../../bytes/encoding.ts'
import { derFromBigEndian } from '../../pki/ecdsa-value.ts'
import { holdsAt, type Interval } from '../../pki/interval.ts'
import { ecdsaP256Sha256 } from '../../pki/scheme.ts'
import { type Check, type Judgement, refuse } from '../../rats/check.ts'
import { pathChecks } from '../../rats/path-checks.ts'
import type { Presented } from '../../rats/tee.ts'
import type { DcapEndorsement } from './endorse.ts'
import { reached, unreached } from './malformation.ts'
import type { Quote } from './quote.ts'
import { judgeCurrent } from './revocation.ts'
import type { SignedDocument } from './signed-document.ts'

type Subject = Presented<Quote<unknown>, DcapEndorsement>
type DcapCheck = Check<Subject>

const PROFILE = 'Intel SGX PCK Certificate and CRL Profile Specification rev. 1.5'
const PCS = 'Intel PCS API v4'
const QUOTE = 'Intel SGX ECDSA QuoteGenReference API appendix A.4'
/** Steps as Intel's Quote Verification Library numbers them in its source. */
const QVL = 'Intel QVL QuoteVerifier.cpp step 4.1.2.4'

function check(
  id: string,
  cites: string,
  judge: DcapCheck['judge'],
  waivable?: DcapCheck['waivable'],
): DcapCheck {
  return { id, informs: 'hardware', cites, judge, ...(waivable && { waivable }) }
}

/** A rule that `endorse` has already judged. */
function judged(
  id: string,
  cites: string,
  answer: (endorsement: DcapEndorsement) => Judgement | undefined,
): DcapCheck {
  return check(id, cites, ({ endorsement }) => answer(endorsement) ?? unreached)
}

export const authenticityChecks: readonly DcapCheck[] = [
  judged('dcap.pck-chain.well-formed', `${QUOTE}, type 5; RFC 7468`, ({ pck }) => pck.wellFormed),
  ...pathChecks<Subject>({
    prefix: 'dcap.pck-chain',
    cites: `${PROFILE} section 1.3; RFC 5280 section 6.1`,
    path: ({ endorsement }) => reached(endorsement.pck.path),
  }),
  judged('dcap.pck-chain.exact', `${QUOTE}, type 5`, ({ pck }) => pck.exact),
  judged('dcap.pck.role', `${PROFILE} section 1.3; ${QVL}.4`, ({ pck }) => pck.role),
  judged('dcap.pck.extension', `${PROFILE} section 1.3.5`, ({ pck }) => pck.extended),
  judged('dcap.pck.platform', `${PROFILE} section 1.3.5`, ({ pck }) => pck.platformFields),
  judged('dcap.crl.well-formed', 'RFC 5280 section 5.1', ({ pck }) => pck.crlsWellFormed),
  judged(
    'dcap.crl.root.authentic',
    `${PROFILE} section 1.4; RFC 5280 section 6.3.3`,
    ({ pck }) => pck.byRoot?.authentic,
  ),
  judged(
    'dcap.crl.pck.authentic',
    `${PROFILE} section 1.4; ${QVL}.6`,
    ({ pck }) => pck.byCa?.authentic,
  ),
  check(
    'dcap.crl.root.current',
    'RFC 5280 sections 5.1.2.4 and 5.1.2.5',
    ({ endorsement, at }) => judgeCurrent(reached(endorsement.pck.byRoot), at),
    'revocation',
  ),
  check(
    'dcap.crl.pck.current',
    'RFC 5280 sections 5.1.2.4 and 5.1.2.5',
    ({ endorsement, at }) => judgeCurrent(reached(endorsement.pck.byCa), at),
    'revocation',
  ),
  judged('dcap.pck-ca.not-revoked', 'RFC 5280 section 5.3', ({ pck }) => pck.caNotRevoked),
  judged('dcap.pck.not-revoked', `RFC 5280 section 5.3; ${QVL}.7`, ({ pck }) => pck.notRevoked),
  ...documentChecks({
    prefix: 'dcap.tcb-info',
    title: 'TCB info',
    cites: `${PCS}, Get TCB Info`,
    document: ({ tcbInfo }) => tcbInfo,
  }),
  ...documentChecks({
    prefix: 'dcap.qe-identity',
    title: 'QE identity',
    cites: `${PCS}, Get Quoting Enclave Identity`,
    document: ({ qeIdentity }) => qeIdentity,
  }),
  judged('dcap.qe-report.reserved', 'Intel SDM volume 3D, REPORT', ({ qe }) => qe.wellFormed),
  judged('dcap.qe-report.signature', `${QUOTE}; ${QVL}.12`, ({ qe }) => qe.signature),
  judged('dcap.qe-report.binding', `${QUOTE}; ${QVL}.13`, ({ qe }) => qe.binding),
  judged('dcap.qe-report.padding', `${QUOTE}, QE Report: Report Data`, ({ qe }) => qe.padding),
  judged('dcap.qe.debug-off', 'Intel SDM volume 3D, ATTRIBUTES.DEBUG', ({ qe }) => qe.debugOff),
  judged('dcap.qe.identity', `${PCS}, EnclaveIdentityV2; ${QVL}.15`, ({ qe }) => qe.identity),
  check('dcap.quote.signature', `${QUOTE}; ${QVL}.16`, judgeSignature),
]

interface DocumentChecksOf {
  readonly prefix: string
  /** For people. */
  readonly title: string
  readonly cites: string
  readonly document: (
    endorsement: DcapEndorsement,
  ) => SignedDocument<Interval & { readonly evaluationDataNumber: number }>
}

/** The same questions for both kinds of collateral. */
function documentChecks({
  prefix,
  title,
  cites,
  document,
}: DocumentChecksOf): readonly DcapCheck[] {
  return [
    judged(`${prefix}.present`, cites, (all) => document(all).present),
    judged(`${prefix}.well-formed`, cites, (all) => document(all).wellFormed),
    judged(`${prefix}.matches`, `${cites}; ${QVL}.9, .10 and .14`, (all) => document(all).matches),
    judged(`${prefix}.signer`, `${PROFILE} section 1.3`, (all) => document(all).role),
    ...pathChecks<Subject>({
      prefix: `${prefix}.issuer-chain`,
      cites: `${PROFILE} section 1.3; RFC 5280 section 6.1`,
      path: ({ endorsement }) => reached(document(endorsement).path),
    }),
    judged(
      `${prefix}.issuer-chain.same-root`,
      `${PROFILE} section 1.3`,
      (all) => document(all).sameRoot,
    ),
    judged(
      `${prefix}.signer-not-revoked`,
      'RFC 5280 section 5.3',
      (all) => document(all).signerNotRevoked,
    ),
    judged(`${prefix}.signature`, `${cites}, signature`, (all) => document(all).signature),
    check(`${prefix}.current`, `${cites}, issueDate and nextUpdate`, ({ endorsement, at }) =>
      judgeDates(title, reached(document(endorsement).document), at),
    ),
  ]
}

/** Both ends: a document of tomorrow is as wrong as one of last year. */
function judgeDates(title: string, document: Interval, at: Date): Judgement {
  if (holdsAt(document, at)) return true
  const { notBefore, notAfter } = document
  const observed = `${notBefore.toISOString()} to ${notAfter.toISOString()}`
  return refuse(
    `the ${title} is ${at < notBefore ? 'not yet issued' : 'past its next update'}: it is for ${observed}, not for ${at.toISOString()}`,
    observed,
    `a document for ${at.toISOString()}`,
  )
}

function judgeSignature({ evidence, endorsement }: Subject): Judgement {
  const { signature, signed } = evidence
  const key = endorsement.qe.attestationKey
  if (!key)
    return refuse(
      'the attestation key is not a point of P-256',
      toHex(evidence.attestationKey),
      'a public key of P-256',
    )
  const der = derFromBigEndian(signature.subarray(0, 32), signature.subarray(32))
  return (
    ecdsaP256Sha256.verifies(key, signed, der) ||
    refuse(
      'the signature on the quote was not made by its attestation key: header, body or signature is not the original',
      `signature ${toHex(signature)}`,
      `a signature by ${toHex(evidence.attestationKey)}`,
    )
  )
}
