/**
 * Does this issuer run where the relying party wants it to run? Its own evidence is judged by the very code that judges agents',
 * and then by what is asked of verifiers alone. Pure: whoever asks brings what he was answered.
 */
import { toHex } from '../bytes/encoding.ts'
import { Problem } from '../problems.ts'
import { type Appraisal, conclude } from '../rats/appraisal.ts'
import { type Authentic, authenticate, type Conditions } from '../rats/authentication.ts'
import {
  checklist,
  type Finding,
  judgeAll,
  judgeInSequence,
  reachNone,
  type Waivers,
} from '../rats/check.ts'
import type { AnyTee, Endorsed } from '../rats/tee.ts'
import { statusOf, trustVector } from '../rats/trust-vector.ts'
import type { VerifierAnswer } from '../rats/verifier-answer.ts'
import {
  type AskedVerifier,
  claimsForm,
  type PublishedByVerifier,
  verifierChecks,
} from '../rats/verifier-checks.ts'
import { readVerifierClaims, type VerifierClaims } from '../rats/verifier-claims.ts'
import { teeByName } from '../tee/registry.ts'

export interface AnsweredIssuer {
  readonly asked: AskedVerifier
  readonly answer: VerifierAnswer
  readonly published: PublishedByVerifier
}

export interface IssuerConditions extends Conditions {
  /** Field of the TEE's reference value to expected bytes. */
  readonly expected: ReadonlyMap<string, Uint8Array>
  /** For the checks of verifiers, by id; those of `waivers` are for the TEE's. */
  readonly verifierWaivers: Waivers
}

export interface JudgedIssuer {
  /** Findings: the form of the claims, the TEE's, then the rest of `verifier.*`; always all of them. */
  readonly appraisal: Appraisal
  /** Undefined unless the evidence is bound to them. */
  readonly claims: VerifierClaims | undefined
}

/** Throws Problem('evidence-unrecognised') for a TEE that this build does not verify. */
export function teeOfAnswer({ tee: name }: Pick<VerifierAnswer, 'tee'>): AnyTee {
  const tee = teeByName(name)
  if (tee) return tee
  throw new Problem(
    'evidence-unrecognised',
    `the issuer’s evidence is of the TEE ${JSON.stringify(name)}, which this build does not verify`,
  )
}

export function judgeIssuer(issuer: AnsweredIssuer, conditions: IssuerConditions): JudgedIssuer {
  const { answer } = issuer
  const { expected, waivers } = conditions
  const tee = teeOfAnswer(answer)
  const findings: Finding[] = []
  judgeInSequence(checklist(claimsForm), answer.claims, none, findings)

  const authentication = authenticate(tee, answer.evidence, conditions)
  const reference = referenceOf(tee, expected)
  const { claims: fields, findings: ofTee } = conclude(tee, authentication, waivers, reference)
  findings.push(...ofTee)

  const { authentic } = authentication
  const own: Finding[] = []
  const claims = readVerifierClaims(answer.claims)
  if (claims && authentic) judgeOwn({ issuer, claims, tee, authentic }, conditions, own)
  else reachNone(checklist(verifierChecks), own)
  findings.push(...own)

  const assurance = authentic?.assurance
  const vector = trustVector({ findings, assurance })
  return {
    appraisal: {
      tee: tee.name,
      status: statusOf(vector),
      trustVector: vector,
      findings,
      claims: fields,
      assurance,
    },
    claims: isBound(own) ? claims : undefined,
  }
}

const none: Waivers = new Map()

interface Presented {
  readonly issuer: AnsweredIssuer
  readonly claims: VerifierClaims
  readonly tee: AnyTee
  readonly authentic: Authentic<unknown, Endorsed>
}

function judgeOwn(
  { issuer: { asked, answer, published }, claims, tee, authentic }: Presented,
  { expected, verifierWaivers }: IssuerConditions,
  findings: Finding[],
): void {
  const { evidence, endorsement } = authentic
  const presented = {
    text: answer.claims,
    claims,
    carriedJwks: answer.jwks,
    reportData: tee.bind(evidence),
    launch: tee.identify(evidence, endorsement).launch,
    expected: [...expected.values()].map(toHex),
    asked,
    published,
  }
  judgeAll(checklist(verifierChecks), presented, verifierWaivers, findings)
}

function isBound(findings: readonly Finding[]): boolean {
  return findings.some(
    ({ id, outcome }) => id === 'verifier.binding.report-data' && outcome === 'pass',
  )
}

function referenceOf(tee: AnyTee, expected: ReadonlyMap<string, Uint8Array>): unknown {
  let reference: unknown = tee.noReference
  for (const [field, value] of expected)
    reference = tee.expectations[field]?.apply(reference, value) ?? reference
  return reference
}
