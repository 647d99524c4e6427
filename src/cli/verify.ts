/** `vouchsafe verify`: is this evidence genuine, and does it say what I expect? A stable interface: docs/design.md, "Command line". */
import { Malformed } from '../bytes/malformed.ts'
import { type AnchorSet, anchorSet } from '../pki/anchor.ts'
import { decodeCertificate } from '../pki/certificate.ts'
import { Problem } from '../problems.ts'
import { type Appraisal, checkIds, verify } from '../rats/appraisal.ts'
import type { Waivers } from '../rats/check.ts'
import { type Endorsements, endorsements } from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import { proofCache } from '../rats/proof-cache.ts'
import type { Vector, VectorHeader } from '../rats/vector.ts'
import { answering, type Output, REFUSED, YES } from './answering.ts'
import { Mistake, onePath, parseArguments } from './arguments.ts'
import { expectationsOf, instantOf, profileOf, referenceOf, waiversOf } from './conditions.ts'
import { readEndorsements } from './endorsement-input.ts'
import { type EvidenceInput, readEvidence } from './evidence-input.ts'
import { type Files, readFile } from './files.ts'
import { resultJson } from './result-json.ts'
import { coloured, plain } from './text.ts'
import { verdictText } from './verdict.ts'
import { type IssuerDeps, type IssuerOptions, verifyIssuer } from './verify-issuer.ts'

export interface VerifyDeps extends Output {
  readonly files: Files
  readonly now: () => Date
  /** The vendors' roots, and only those. */
  readonly anchors: AnchorSet
  /** Whether configuration accepts the simulated roots that a vector brings; `--simulated` says so for one run. */
  readonly simulatedAllowed: boolean
  /** For --issuer, which alone asks anybody. */
  readonly network?: IssuerDeps
  /** Whether `out` leads to a terminal that wants colour. */
  readonly colour?: boolean
}

const options = {
  issuer: { type: 'string' },
  nonce: { type: 'string' },
  'policy-digest': { type: 'string' },
  'simulated-roots': { type: 'string' },
  'keys-in-tee': { type: 'boolean' },
  endorsements: { type: 'string', multiple: true },
  'event-log': { type: 'string' },
  at: { type: 'string' },
  expect: { type: 'string', multiple: true },
  waive: { type: 'string', multiple: true },
  profile: { type: 'string' },
  strict: { type: 'boolean' },
  simulated: { type: 'boolean' },
  verbose: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe verify EVIDENCE: is this hardware evidence genuine, and does it say what you expect?

  EVIDENCE               raw SEV-SNP report; raw TDX or SGX quote, zero padding after the end allowed;
                         folder of a TSM report (outblob, auxblob, provider); .vector file
  --endorsements PATH    certificates and CRLs (PEM or DER), Intel collateral (JSON), a GHCB certificate table,
                         or a folder of these; repeatable
  --event-log FILE       CC event log (CCEL) that explains the runtime measurement registers of a TDX quote
  --at RFC3339           instant at which to judge, with its zone (default: now)
  --expect NAME=HEX      value that a field must have, whole; repeatable
  --waive CHECK=REASON   let a check or group (revocation, tcb, attributes) pass with a warning; repeatable
  --profile NAME         waive what a cloud's machines are known for: strict (nothing), aws, azure, gcp, alibaba
  --strict               a warning is a refusal
  --simulated            judge a .vector file under the simulated roots and conditions that it carries
  --verbose              list every check, not only what failed or was waived
  --json                 print {tee, status, trustVector, findings, claims}

vouchsafe verify --issuer URL: does the issuer of these tokens itself run in a TEE, from a program that you approve?

  --issuer URL           fetch its evidence for a fresh nonce, its discovery document, keys and log key, and judge them
  --nonce BASE64URL      16 to 64 bytes of your own in place of the fresh nonce
  --policy-digest DIGEST sha256:<hex> of the policy by which it must decide
  --keys-in-tee          refuse an issuer whose signing keys can be opened outside of its TEE, which else is a warning
  --simulated-roots PATH folder of simulated roots (PEM) to judge it under besides the vendors', as vouchsafe dev makes
  and of the above --endorsements, --expect, --waive, --profile, --strict, --verbose and --json

Without --issuer nothing is fetched: what is not given is missing. Vendor roots are built in. Exits 0 (affirming, or warning without
--strict), 2 (refused) or 1 (could not tell).

Examples:
  vouchsafe verify report.bin --endorsements vcek.der --endorsements crl.der
  vouchsafe verify report.bin --endorsements certs/ --waive 'revocation=no CRL is at hand' --expect measurement=4f1a...
  vouchsafe verify quote.bin --endorsements collateral.json --at 2026-03-05T10:50:03Z --profile gcp --json
  vouchsafe verify /sys/kernel/config/tsm/report/mine --endorsements certs/
  vouchsafe verify --issuer https://verifier.example --expect measurement=4f1a...
`

/** One verification keeps a handful of proofs and ends with the process. */
const PROOFS = 16

/** `args` is what follows `verify`. Resolves to the exit code; never rejects. */
export async function verifyCommand(args: readonly string[], deps: VerifyDeps): Promise<number> {
  return await answering('verify', args, deps, async () => {
    const { values, positionals } = parseArguments('verify', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    if (values.issuer !== undefined)
      return await issuerVerdict({ ...values, issuer: values.issuer }, positionals, deps)
    assertNoneOf(values, onlyIssuer, 'belongs to --issuer, which is missing')
    const input = await readEvidence(deps.files, onePath('verify', 'EVIDENCE', positionals))
    const trust = trustOf(input, deps, values.simulated ?? false)
    if (trust.note) deps.err(`vouchsafe verify: ${trust.note}\n`)

    const { tee } = input
    const expected = new Map([
      ...(trust.header?.expectations ?? []),
      ...expectationsOf(tee, values.expect ?? []),
    ])
    const at = values.at === undefined ? (trust.header?.at ?? deps.now()) : instantOf(values.at)
    const waivers: Waivers = new Map([
      ...profileOf(tee, values.profile ?? trust.header?.profile),
      ...(trust.header?.waivers ?? []),
      ...waiversOf(tee, values.waive ?? []),
    ])
    const evidence = await withEventLog(input, values['event-log'], deps.files)
    const supplied = await readEndorsements(deps.files, values.endorsements ?? [])
    const appraisal = verify(
      tee,
      evidence,
      {
        at,
        anchors: trust.anchors,
        endorsements: withVectorParts(supplied, input),
        waivers,
        proofs: proofCache(PROOFS),
      },
      referenceOf(tee, trust.header?.reference ?? {}, expected),
    )
    const strict = values.strict ?? false
    deps.out(
      values.json
        ? resultJson(appraisal)
        : verdictText({
            tee,
            appraisal,
            at,
            expected: [...expected.keys()],
            verbose: values.verbose ?? false,
            strict,
            paint: deps.colour ? coloured : plain,
          }),
    )
    return exitCodeOf(appraisal, { strict })
  })
}

const onlyIssuer = ['nonce', 'policy-digest', 'simulated-roots', 'keys-in-tee'] as const
const onlyFiles = ['event-log', 'at', 'simulated'] as const

async function issuerVerdict(
  values: IssuerOptions,
  positionals: readonly string[],
  deps: VerifyDeps,
): Promise<number> {
  const { network } = deps
  if (!network) throw new Error('this build asks nobody')
  assertNoneOf(values, onlyFiles, 'goes with evidence in a file and not with --issuer')
  if (positionals.length > 0)
    throw new Mistake(
      `--issuer fetches its evidence, and ${positionals.join(', ')} was given too.`,
      'Run the command once for the issuer and once for the file.',
    )
  const { appraisal } = await verifyIssuer(values, { ...deps, network })
  return exitCodeOf(appraisal, { strict: values.strict ?? false })
}

function assertNoneOf(values: object, names: readonly string[], why: string): void {
  for (const name of names)
    if (Object.hasOwn(values, name))
      throw new Mistake(`--${name} ${why}.`, 'See `vouchsafe verify --help`.')
}

/** A log that nobody would read is refused, lest it pass for one that was replayed. The subject in a check's id says who reads one. */
async function withEventLog(
  { tee, evidence }: EvidenceInput,
  path: string | undefined,
  files: Files,
): Promise<Evidence> {
  if (path === undefined) return evidence
  if (!checkIds(tee).some((id) => id.includes('.event-log.')))
    throw new Mistake(
      `--event-log ${path}: no check of ${tee.name} reads an event log.`,
      'Leave it out.',
    )
  return { ...evidence, eventLog: await readFile(files, path, '--event-log') }
}

interface Trust {
  readonly anchors: AnchorSet
  /** The conditions that a vector asks for, where they are accepted. */
  readonly header?: VectorHeader
  readonly note?: string
}

/**
 * Whoever wrote a vector chose its roots, instant, waivers and expectations. They count only where simulation was asked
 * for, and then in place of the vendors' roots; otherwise the file is a container of evidence and endorsements.
 */
function trustOf(
  { vector }: EvidenceInput,
  { anchors, simulatedAllowed }: VerifyDeps,
  asked: boolean,
): Trust {
  if (!vector)
    return asked
      ? {
          anchors,
          note: '--simulated changes nothing here: only a .vector file brings simulated roots.',
        }
      : { anchors }
  if (!asked && !simulatedAllowed)
    return {
      anchors,
      note: 'judged under the vendors’ roots; the roots, instant, waivers and expectations that this vector carries are left out. To use them, give --simulated.',
    }
  return { anchors: simulatedAnchors(vector), header: vector.header }
}

function simulatedAnchors(vector: Vector): AnchorSet {
  try {
    return anchorSet(
      vector.anchors.map(({ der, product }) => ({
        certificate: decodeCertificate(der),
        product,
        assurance: 'simulated',
      })),
    )
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    throw new Problem('endorsement-unreadable', `an anchor of the vector: ${cause.message}`, {
      cause,
    })
  }
}

function withVectorParts(supplied: Endorsements, { vector }: EvidenceInput): Endorsements {
  return vector ? endorsements(vector.parts, supplied) : supplied
}

function exitCodeOf(
  { status }: Appraisal,
  { strict }: { readonly strict: boolean },
): typeof YES | typeof REFUSED {
  switch (status) {
    case 'affirming':
      return YES
    case 'warning':
      return strict ? REFUSED : YES
    case 'contraindicated':
    case 'none':
      return REFUSED
  }
}
