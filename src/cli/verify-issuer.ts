/**
 * `vouchsafe verify --issuer URL`: does the verifier that issues these tokens itself run in a TEE, from a program that I
 * approve, and are the keys that it publishes those that its hardware vouches for? docs/self-attestation.md.
 */
import { randomBytes } from 'node:crypto'
import { fromBase64Url, toBase64Url } from '../bytes/encoding.ts'
import { type Anchor, anchorSet } from '../pki/anchor.ts'
import { type Finding, firstFailure, type Waivers } from '../rats/check.ts'
import { endorsements } from '../rats/endorsements.ts'
import { findingJson } from '../rats/finding-json.ts'
import { proofCache } from '../rats/proof-cache.ts'
import { verifierChecks } from '../rats/verifier-checks.ts'
import type { VerifierClaims } from '../rats/verifier-claims.ts'
import type { Fetch } from '../service/endorsement-source.ts'
import { type JudgedIssuer, judgeIssuer, teeOfAnswer } from '../service/judge-issuer.ts'
import { type Advised, adviceFor } from './advice.ts'
import { Mistake, namedValue } from './arguments.ts'
import { expectationsOf, profileOf, waiversOf } from './conditions.ts'
import { readEndorsements } from './endorsement-input.ts'
import { issuerDocuments, issuerUrlOf } from './issuer-documents.ts'
import { coloured, plain, printable } from './text.ts'
import { verdictText } from './verdict.ts'
import type { VerifyDeps } from './verify.ts'

export interface IssuerDeps {
  /** Bounded in time and size, and follows no redirect. */
  readonly fetch: Fetch
  /** Roots in a folder. Throws Problem. */
  readonly simulatedRoots: (folder: string) => Promise<readonly Anchor[]>
}

export interface IssuerOptions {
  readonly issuer: string
  readonly nonce?: string
  readonly 'policy-digest'?: string
  readonly 'simulated-roots'?: string
  readonly 'keys-in-tee'?: boolean
  readonly endorsements?: readonly string[]
  readonly expect?: readonly string[]
  readonly waive?: readonly string[]
  readonly profile?: string
  readonly strict?: boolean
  readonly verbose?: boolean
  readonly json?: boolean
}

const NONCE_SIZE = 32
const PROOFS = 16
/** Keys and the log's key change, rarely, and then between two questions. */
const CHANGING = [
  'verifier.claims.jwks',
  'verifier.claims.spiffe-bundle',
  'verifier.claims.log-key',
]
const KEYS_IN_TEE = 'verifier.keys.in-tee'

/** Throws Mistake and Problem. What is printed, and what the exit code is made of, is the caller's. */
export async function verifyIssuer(
  options: IssuerOptions,
  deps: VerifyDeps & { readonly network: IssuerDeps },
): Promise<JudgedIssuer> {
  const asking: Asking = {
    issuer: issuerUrlOf(options.issuer),
    nonce: nonceOf(options.nonce),
    policyDigest: policyDigestOf(options['policy-digest']),
  }
  const first = await judged(asking, options, deps)
  const failed = first.appraisal.findings.filter(({ outcome }) => outcome === 'fail')
  const mayHaveChanged = failed.length > 0 && failed.every(({ id }) => CHANGING.includes(id))
  const judgement = mayHaveChanged ? await judged(asking, options, deps) : first
  deps.out(
    options.json
      ? issuerJson(asking.issuer, judgement)
      : issuerText(asking.issuer, judgement, { options, deps }),
  )
  return judgement
}

interface Asking {
  readonly issuer: string
  /** Another for each question, unless the caller gave one. */
  readonly nonce: () => string
  readonly policyDigest: string | undefined
}

async function judged(
  { issuer, nonce: nextNonce, policyDigest }: Asking,
  options: IssuerOptions,
  { network, files, anchors: vendors, now }: VerifyDeps & { readonly network: IssuerDeps },
): Promise<JudgedIssuer> {
  const nonce = nextNonce()
  const { answer, published } = await issuerDocuments(network.fetch, issuer, nonce)
  const at = now()
  const tee = teeOfAnswer(answer)
  const folder = options['simulated-roots']
  const simulated = folder === undefined ? [] : await network.simulatedRoots(folder)
  const { ofTee, ofVerifier } = waiversGiven(options.waive ?? [])
  return judgeIssuer(
    { asked: { issuer, nonce, at, policyDigest }, answer, published },
    {
      at,
      anchors: anchorSet([...vendors.anchors, ...simulated], vendors.intermediates),
      endorsements: endorsements(
        answer.endorsements,
        await readEndorsements(files, options.endorsements ?? []),
      ),
      waivers: new Map([...profileOf(tee, options.profile), ...waiversOf(tee, ofTee)]),
      proofs: proofCache(PROOFS),
      expected: expectationsOf(tee, options.expect ?? []),
      verifierWaivers: options['keys-in-tee']
        ? ofVerifier
        : new Map([[KEYS_IN_TEE, 'not demanded: --keys-in-tee demands it'], ...ofVerifier]),
    },
  )
}

function nonceOf(given: string | undefined): () => string {
  if (given === undefined) return () => toBase64Url(randomBytes(NONCE_SIZE))
  const size = fromBase64Url(given)?.length ?? 0
  if (size < 16 || size > 64)
    throw new Mistake(
      `--nonce ${given} is not 16 to 64 bytes in unpadded base64url.`,
      'Leave it out: a fresh one is made. One that was used before proves nothing about now.',
    )
  return () => given
}

function policyDigestOf(given: string | undefined): string | undefined {
  if (given === undefined || /^sha256:[0-9a-f]{64}$/.test(given)) return given
  throw new Mistake(
    `--policy-digest ${given} is no digest.`,
    'Write it as sha256:<64 hex digits>, as `vouchsafe policy lint` and tokens have it.',
  )
}

/** The TEE's own are judged by conditions.ts, when its name is known. Throws Mistake. */
function waiversGiven(given: readonly string[]) {
  const ofVerifier = new Map<string, string>()
  const ofTee: string[] = []
  const waivable = verifierChecks.filter((check) => check.waivable).map(({ id }) => id)
  for (const text of given) {
    if (!text.startsWith('verifier.')) {
      ofTee.push(text)
      continue
    }
    const { name, value } = namedValue('waive', text, 'CHECK=REASON')
    if (!waivable.includes(name) || value.trim() === '' || ofVerifier.has(name))
      throw new Mistake(
        `--waive ${text} waives nothing.`,
        `Of an issuer’s own checks these may be waived, each once and with a reason: ${waivable.join(', ')}.`,
      )
    ofVerifier.set(name, value.trim())
  }
  return { ofTee, ofVerifier: ofVerifier as Waivers }
}

function issuerJson(issuer: string, { appraisal, claims: verifier }: JudgedIssuer): string {
  const { tee, status, trustVector, findings, claims } = appraisal
  return `${JSON.stringify({
    issuer,
    tee,
    status,
    trustVector,
    findings: findings.map(findingJson),
    claims,
    verifier: verifier ?? null,
  })}\n`
}

function issuerText(
  issuer: string,
  { appraisal, claims }: JudgedIssuer,
  { options, deps }: { readonly options: IssuerOptions; readonly deps: VerifyDeps },
): string {
  const tee = teeOfAnswer({ tee: appraisal.tee })
  const expected = (options.expect ?? []).map((text) => text.split('=')[0] ?? '')
  const text = verdictText({
    tee,
    appraisal,
    at: deps.now(),
    expected,
    verbose: options.verbose ?? false,
    strict: options.strict ?? false,
    paint: deps.colour ? coloured : plain,
    advice: adviceAbout({ tee, appraisal, expected }),
  })
  return `${text}${claims ? saysOfItself(issuer, claims) : ''}`
}

/** Bound to the evidence, and worth what the verdict says that this is worth. */
function saysOfItself(issuer: string, claims: VerifierClaims): string {
  const { build, policy_digest: policy, keys, time } = claims
  return `${[
    `issuer ${issuer}`,
    `  program ${printable(build)}, at ${printable(time)}`,
    `  policy  ${printable(policy) || 'none accepted'}`,
    `  keys    ${keys}`,
  ].join('\n')}\n`
}

function adviceAbout(advised: Advised): readonly string[] {
  const failure = firstFailure(advised.appraisal.findings)
  return failure?.id.startsWith('verifier.') ? [adviceAgainst(failure)] : adviceFor(advised)
}

function adviceAgainst({ id, observed }: Finding): string {
  switch (id) {
    case 'verifier.launch.expected':
      return `say with --expect what may run there; ${String(observed)} was launched. Take that value from the program that you approve, not from here.`
    case KEYS_IN_TEE:
      return 'ask its operator for an issuer whose key-encryption key is released to it alone, or leave --keys-in-tee out.'
    case 'verifier.claims.policy':
      return 'compare the policy repositories: the issuer decides by the one whose digest was observed.'
    default:
      return 'take no token of this issuer on the strength of its evidence. Ask again; where it stays so, somebody answers for the issuer who is not it.'
  }
}
