/** `vouchsafe doctor`: would this machine serve? One line per question, and for each that fails what to mend. */
import { answering, type Output, REFUSED, YES } from './answering.ts'
import { parseArguments } from './arguments.ts'
import { type DoctorPorts, examinationGroups } from './doctor-examinations.ts'
import { type Diagnosis, diagnose, groupText, worstOf } from './doctor-tree.ts'
import { flagsOf, settingOptions } from './setting-options.ts'

export interface DoctorDeps extends Output, DoctorPorts {
  readonly colour: boolean
}

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...settingOptions,
} as const

const help = `vouchsafe doctor: check what \`vouchsafe serve\` needs, with the same settings

  --config FILE          and the flags of \`vouchsafe serve\`
  --json                 print {healthy, checks: [{group, name, state, detail, advice}]}

Looks at Node, programs, clock (against the database and the vendors), vendor roots, settings, who else may read the files
that they name, ports, disk, database, keys, collateral, operators, and for every tenant whether its repository can be fetched,
its policy would be accepted and its OPA answers. Accepts nothing and changes nothing, but for a data directory with clones
that it may have to make. Exits 0 (healthy, warnings included), 2 (not) or 1 (could not tell).

Example:
  VOUCHSAFE_POLICY=/srv/policy VOUCHSAFE_POLICY_PIN=sha256:... vouchsafe doctor --json
`

/** `args` is what follows `doctor`. Resolves to the exit code; never rejects. */
export async function doctorCommand(args: readonly string[], deps: DoctorDeps): Promise<number> {
  return await answering('doctor', args, deps, async () => {
    const { values } = parseArguments('doctor', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const diagnoses: Diagnosis[] = []
    for (const { name, examinations } of examinationGroups(deps, flagsOf(values))) {
      const own: Diagnosis[] = []
      for (const examination of examinations) own.push(await diagnose(name, examination))
      diagnoses.push(...own)
      if (!values.json) deps.out(groupText(name, own, deps))
    }
    const healthy = worstOf(diagnoses) !== 'failure'
    if (values.json) deps.out(`${JSON.stringify({ healthy, checks: diagnoses })}\n`)
    else
      deps.out(
        healthy ? '\nHealthy.\n' : '\nNot healthy: `vouchsafe serve` would not do its work.\n',
      )
    return healthy ? YES : REFUSED
  })
}
