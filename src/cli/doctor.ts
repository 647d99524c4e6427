/** `vouchsafe doctor`: would this machine serve? One line per question, and for each that fails what to mend. */
import { answering, type Output, REFUSED, YES } from './answering.ts'
import { parseArguments } from './arguments.ts'
import { type DoctorPorts, examinations } from './doctor-examinations.ts'
import type { Examination } from './examination.ts'
import { coloured, plain, printable, type Tone } from './text.ts'

export interface DoctorDeps extends Output, DoctorPorts {
  readonly colour: boolean
}

interface Diagnosis {
  readonly name: string
  readonly state: 'ok' | 'warning' | 'failure'
  readonly detail: string
  /** What to do, unless all is well. */
  readonly advice: string | null
}

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe doctor: check what \`vouchsafe serve\` needs, with the same settings

  --json                 print {healthy, checks: [{name, state, detail, advice}]}

Looks at settings, Node, clock, vendor roots, data directory, database, stored keys, operators, git, and for every tenant
whether its repository can be fetched, its policy would be accepted and its OPA answers. Accepts nothing and changes
nothing, but for a database and clones that it may have to make. Exits 0 (healthy, warnings included), 2 (not) or
1 (could not tell).

Example:
  VOUCHSAFE_POLICY=/srv/policy VOUCHSAFE_POLICY_PIN=sha256:... vouchsafe doctor --json
`

const tones: Readonly<Record<Diagnosis['state'], Tone>> = {
  ok: 'good',
  warning: 'doubtful',
  failure: 'bad',
}

/** `args` is what follows `doctor`. Resolves to the exit code; never rejects. */
export async function doctorCommand(args: readonly string[], deps: DoctorDeps): Promise<number> {
  return await answering('doctor', args, deps, async () => {
    const { values } = parseArguments('doctor', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const diagnoses: Diagnosis[] = []
    for (const examination of examinations(deps)) {
      const diagnosis = await diagnose(examination)
      diagnoses.push(diagnosis)
      if (!values.json) deps.out(diagnosisText(diagnosis, deps.colour))
    }
    const healthy = diagnoses.every(({ state }) => state !== 'failure')
    if (values.json) deps.out(`${JSON.stringify({ healthy, checks: diagnoses })}\n`)
    else
      deps.out(
        healthy ? '\nHealthy.\n' : '\nNot healthy: `vouchsafe serve` would not do its work.\n',
      )
    return healthy ? YES : REFUSED
  })
}

async function diagnose({ name, advice, examine }: Examination): Promise<Diagnosis> {
  try {
    const found = await examine()
    if (typeof found === 'string') return { name, state: 'ok', detail: found, advice: null }
    return { name, state: 'warning', detail: found.warning, advice: found.advice ?? advice }
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    return { name, state: 'failure', detail, advice }
  }
}

function diagnosisText({ name, state, detail, advice }: Diagnosis, colour: boolean): string {
  const paint = colour ? coloured : plain
  const lines = detail.split('\n').map(printable)
  return [
    `${paint(tones[state], state.padEnd(8))} ${name.padEnd(16)} ${lines.join(`\n${' '.repeat(26)}`)}`,
    ...(advice === null ? [] : [`${' '.repeat(26)}${paint('faint', printable(advice))}`]),
    '',
  ].join('\n')
}
