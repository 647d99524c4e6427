/** `vouchsafe checks`: every check that this build makes, printed from the check values themselves, as docs/checks.md is. */
import { releaseChecks } from '../policy/release-checks.ts'
import { revocationChecks } from '../policy/revocation-checks.ts'
import { consequences } from '../policy/runtime/consequence.ts'
import { runtimeChecks } from '../policy/runtime/runtime-checks.ts'
import { bindingChecks } from '../rats/binding.ts'
import type { Check } from '../rats/check.ts'
import type { AnyTee } from '../rats/tee.ts'
import { claimsForm, verifierChecks } from '../rats/verifier-checks.ts'
import { teeByName, tees } from '../tee/registry.ts'
import { answering, type Output, YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe checks [TEE]: list every check, with the claim it informs, its source and whether it may be waived

  TEE                    ${tees.map(({ name }) => name).join(', ')} (default: all)
  --json                 print [{tee, checks: [{id, phase, informs, waivable, cites}], profiles}]

Examples:
  vouchsafe checks
  vouchsafe checks ${tees[0]?.name} --json
`

/** `args` is what follows `checks`. Resolves to the exit code; never rejects. */
export async function checksCommand(args: readonly string[], output: Output): Promise<number> {
  return await answering('checks', args, output, async () => {
    const { values, positionals } = parseArguments('checks', args, options)
    if (values.help) {
      output.out(help)
      return YES
    }
    const chosen = positionals.length === 0 ? tees : positionals.map(known)
    output.out(values.json ? `${JSON.stringify(chosen.map(checksOf))}\n` : checksMarkdown(chosen))
    return YES
  })
}

function known(name: string): AnyTee {
  const tee = teeByName(name)
  if (!tee)
    throw new Mistake(
      `${name} is not a TEE that this build verifies.`,
      `Choose among ${tees.map((each) => each.name).join(', ')}, or name none for all.`,
    )
  return tee
}

interface CheckRow {
  readonly id: string
  readonly phase: 'structure' | 'authenticate' | 'appraise'
  readonly informs: string
  readonly waivable: string | null
  readonly cites: string
}

function checksOf(tee: AnyTee) {
  const phases = ['structure', 'authenticate', 'appraise'] as const
  const checks = phases.flatMap((phase) =>
    tee[phase].map(
      (check): CheckRow => ({
        id: check.id,
        phase,
        informs: check.informs,
        waivable: ('waivable' in check && check.waivable) || null,
        cites: check.cites,
      }),
    ),
  )
  const profiles = Object.fromEntries(
    Object.entries(tee.profiles).map(([name, waivers]) => [name, Object.fromEntries(waivers)]),
  )
  return { tee: tee.name, checks, profiles }
}

const phaseTitles: Readonly<Record<CheckRow['phase'], string>> = {
  structure: 'Structure: is it evidence of this form at all?',
  authenticate: 'Authenticity: judged in this order, up to the first failure',
  appraise: 'Appraisal: all are judged',
}

/** The whole of docs/checks.md. */
export function checksMarkdown(of: readonly AnyTee[]): string {
  return `${[
    '# Checks',
    '',
    'Printed from the check values by `npm run docs`; `vouchsafe checks` prints the same. Ids are stable for ever: policies,',
    'dashboards and auditors quote them. Every verification lists every id of its TEE, in this order, as `pass`, `fail`,',
    '`not-reached`, `not-applicable` or `waived`. A check without a waiver group can never be waived; `--waive GROUP=REASON`',
    'covers all checks of a group, and whatever is waived caps the result at a warning.',
    ...of.flatMap(teeMarkdown),
    ...(of.length === tees.length
      ? [...serviceMarkdown, ...runtimeMarkdown, ...issuerMarkdown]
      : []),
  ].join('\n')}\n`
}

function teeMarkdown(tee: AnyTee): readonly string[] {
  const { checks, profiles } = checksOf(tee)
  const sections = (['structure', 'authenticate', 'appraise'] as const).flatMap((phase) => [
    '',
    `### ${phaseTitles[phase]}`,
    '',
    '| Id | Informs | Waiver group | Source |',
    '|---|---|---|---|',
    ...checks
      .filter((check) => check.phase === phase)
      .map(
        ({ id, informs, waivable, cites }) =>
          `| \`${id}\` | ${informs} | ${waivable ?? ''} | ${cell(cites)} |`,
      ),
  ])
  return [
    '',
    `## ${tee.name}`,
    ...sections,
    '',
    '### Fields that `--expect` compares',
    '',
    '| Field | Bytes |',
    '|---|---|',
    ...Object.entries(tee.expectations).map(([name, { size }]) => `| \`${name}\` | ${size} |`),
    '',
    '### Profiles',
    '',
    '| Profile | Waives | Because |',
    '|---|---|---|',
    ...Object.entries(profiles).flatMap(([name, waivers]) =>
      profileRows(name, Object.entries(waivers)),
    ),
  ]
}

/** None of them may be waived. */
const serviceChecks: readonly Pick<Check<never>, 'id' | 'informs' | 'cites'>[] = [
  ...bindingChecks,
  ...releaseChecks,
  ...revocationChecks,
]

const serviceMarkdown: readonly string[] = [
  '',
  '## The service',
  '',
  'Whatever the TEE, an attestation is also judged by these, after its own. None can be waived. The rules of the policy repository',
  'follow as `rule.<id>`, and `policy.remote.allows` where a remote policy is asked.',
  '',
  '| Id | Informs | Source |',
  '|---|---|---|',
  ...serviceChecks.map(({ id, informs, cites }) => `| \`${id}\` | ${informs} | ${cell(cites)} |`),
]

const runtimeMarkdown: readonly string[] = [
  '',
  '## A session',
  '',
  'Every message of a session is judged by these besides ([policy.md](policy.md) has `spec.runtime`). None can be waived. What a',
  'failing one costs: `quarantine` revokes the tokens of the session until an operator lets it go on, `suspend` gives nothing new',
  'until a full quote was accepted, `step-up` demands one at once.',
  '',
  '| Id | Informs | Costs | Source |',
  '|---|---|---|---|',
  ...runtimeChecks.map(
    ({ id, informs, cites }) => `| \`${id}\` | ${informs} | ${consequences[id]} | ${cell(cites)} |`,
  ),
]

const issuerMarkdown: readonly string[] = [
  '',
  '## An issuer',
  '',
  '`vouchsafe verify --issuer` judges an issuer’s own evidence by those of its TEE and by these ([self-attestation.md](self-attestation.md)).',
  'What may be waived is waived by its id alone.',
  '',
  '| Id | Informs | Waivable | Source |',
  '|---|---|---|---|',
  ...[...claimsForm, ...verifierChecks].map(
    ({ id, informs, waivable, cites }) =>
      `| \`${id}\` | ${informs} | ${waivable ? 'yes' : ''} | ${cell(cites)} |`,
  ),
]

function profileRows(name: string, waivers: readonly (readonly [string, string])[]) {
  return waivers.length === 0
    ? [`| \`${name}\` | nothing | |`]
    : waivers.map(([check, reason]) => `| \`${name}\` | \`${check}\` | ${cell(reason)} |`)
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
