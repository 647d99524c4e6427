/**
 * Is this evidence the word of this issuer, now, about the very keys that it publishes, and from a program that the relying
 * party approved? What is asked of a verifier's own evidence beside what is asked of any: docs/self-attestation.md.
 */
import { createHash } from 'node:crypto'
import { sameBytes, toHex } from '../bytes/encoding.ts'
import { type Check, type Judgement, notApplicable, refuse } from './check.ts'
import { readVerifierClaims, type VerifierClaims, verifierReportDataOf } from './verifier-claims.ts'

/** What the relying party asked, and of whom. */
export interface AskedVerifier {
  readonly issuer: string
  readonly nonce: string
  /** When the answer came. */
  readonly at: Date
  /** `sha256:<hex>`; undefined: any. */
  readonly policyDigest: string | undefined
}

/** What stands at the issuer's addresses, as it was received. */
export interface PublishedByVerifier {
  /** `issuer` of the discovery document. */
  readonly discoveryIssuer: string
  readonly jwks: Uint8Array
  readonly spiffeBundle: Uint8Array
  /** Undefined where there is nothing at that address. */
  readonly logKey: string | undefined
}

/** Authentic evidence with the claims that came beside it. */
export interface PresentedVerifier {
  /** The claims, as received. */
  readonly text: string
  readonly claims: VerifierClaims
  /** The key set that came with the evidence, as received. */
  readonly carriedJwks: string
  /** What the TEE's `bind` found; undefined where that evidence carries no binding. */
  readonly reportData: Uint8Array | undefined
  /** Hex of what was launched. */
  readonly launch: string
  /** Hex of every value that the caller expects of some field. */
  readonly expected: readonly string[]
  readonly asked: AskedVerifier
  readonly published: PublishedByVerifier
}

const cites = 'docs/self-attestation.md, checks'
/** Either way: a clock that is further off issues tokens that no relying party should take. */
const MOST_CLOCK_DIFFERENCE_SECONDS = 300

/** Judged first: without it there are no claims to ask about. */
export const claimsForm: readonly Check<string>[] = [
  {
    id: 'verifier.claims.canonical',
    informs: 'instance-identity',
    cites,
    judge: (text) =>
      readVerifierClaims(text) !== undefined ||
      refuse(
        'the claims are not the one canonical form of exactly the members that a verifier states, so two readers could find two meanings',
        text.slice(0, 200),
        'RFC 8785 JSON of the members in docs/self-attestation.md, all strings',
      ),
  },
]

export const verifierChecks: readonly Check<PresentedVerifier>[] = [
  {
    id: 'verifier.binding.report-data',
    informs: 'instance-identity',
    cites,
    judge({ text, reportData }) {
      const expected = verifierReportDataOf(text)
      if (reportData && sameBytes(reportData, expected)) return true
      return refuse(
        reportData
          ? 'the evidence was made for other claims, or is an agent’s and not a verifier’s'
          : 'this evidence has no field that the guest chose, so nothing ties it to the claims',
        reportData ? toHex(reportData) : null,
        toHex(expected),
      )
    },
  },
  {
    id: 'verifier.claims.nonce',
    informs: 'instance-identity',
    cites,
    judge: ({ claims, asked }) =>
      agree('the evidence answers another nonce: it was made before, or for somebody else', {
        observed: claims.nonce,
        expected: asked.nonce,
      }),
  },
  {
    id: 'verifier.claims.issuer',
    informs: 'instance-identity',
    cites,
    judge: ({ claims, asked }) =>
      agree('the evidence is about another issuer', {
        observed: claims.issuer,
        expected: asked.issuer,
      }),
  },
  {
    id: 'verifier.discovery.issuer',
    informs: 'instance-identity',
    cites: 'OpenID Connect Discovery 1.0 section 4.3',
    judge: ({ published, asked }) =>
      agree('the discovery document is another issuer’s', {
        observed: published.discoveryIssuer,
        expected: asked.issuer,
      }),
  },
  {
    id: 'verifier.claims.jwks',
    informs: 'instance-identity',
    cites,
    judge: ({ claims, published }) =>
      agree('the key set at jwks_uri is not the one that the evidence vouches for', {
        observed: sha256(published.jwks),
        expected: claims.jwks_sha256,
      }),
  },
  {
    id: 'verifier.claims.jwks-carried',
    informs: 'instance-identity',
    cites,
    judge: ({ claims, carriedJwks }) =>
      agree('the key set that came with the evidence is not the one that it vouches for', {
        observed: sha256(carriedJwks),
        expected: claims.jwks_sha256,
      }),
  },
  {
    id: 'verifier.claims.spiffe-bundle',
    informs: 'instance-identity',
    cites,
    judge: ({ claims, published }) =>
      agree('the SPIFFE bundle of the issuer is not the one that the evidence vouches for', {
        observed: sha256(published.spiffeBundle),
        expected: claims.spiffe_bundle_sha256,
      }),
  },
  { id: 'verifier.claims.log-key', informs: 'instance-identity', cites, judge: logKey },
  {
    id: 'verifier.claims.policy',
    informs: 'configuration',
    cites,
    judge: ({ claims, asked }) =>
      asked.policyDigest === undefined
        ? notApplicable('no policy was asked for')
        : agree('the verifier decides by another policy', {
            observed: claims.policy_digest,
            expected: asked.policyDigest,
          }),
  },
  {
    id: 'verifier.claims.time',
    informs: 'configuration',
    cites,
    judge({ claims: { time }, asked: { at } }) {
      const seconds = Math.abs(at.getTime() - new Date(time).getTime()) / 1000
      // Not the other way round: what is no time at all compares as false.
      return (
        seconds <= MOST_CLOCK_DIFFERENCE_SECONDS ||
        refuse(
          `the verifier’s clock and this one differ by more than ${MOST_CLOCK_DIFFERENCE_SECONDS} s`,
          time,
          at.toISOString(),
        )
      )
    },
  },
  {
    id: 'verifier.launch.expected',
    informs: 'executables',
    cites,
    waivable: 'attributes',
    judge: ({ launch, expected }) =>
      expected.includes(launch) ||
      refuse(
        'genuine hardware says so, and anybody can rent that: nothing says that what was launched on it is a verifier that you approve',
        launch,
        'what was launched among the values of --expect',
      ),
  },
  {
    id: 'verifier.keys.in-tee',
    informs: 'runtime-opaque',
    cites,
    waivable: 'attributes',
    judge: ({ claims: { keys } }) =>
      keys === 'in-tee' ||
      refuse(
        'the key that opens the signing keys is also held outside of the TEE, and whoever holds it can sign tokens elsewhere',
        keys,
        'in-tee',
      ),
  },
]

function logKey({ claims, published }: PresentedVerifier): Judgement {
  const observed = published.logKey ?? ''
  if (observed === '' && claims.log_key === '')
    return notApplicable('this service keeps no transparency log')
  return agree('the key of the transparency log is not the one that the evidence vouches for', {
    observed,
    expected: claims.log_key,
  })
}

function agree(
  sentence: string,
  { observed, expected }: { readonly observed: string; readonly expected: string },
): Judgement {
  return observed === expected || refuse(sentence, observed, expected)
}

function sha256(received: Uint8Array | string): string {
  return createHash('sha256').update(received).digest('hex')
}
