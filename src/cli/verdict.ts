/** The result of `verify` for people: the verdict first, then every finding that stands in its way, then what to do next. */
import type { Appraisal } from '../rats/appraisal.ts'
import { type Datum, type Finding, firstFailure, type Outcome } from '../rats/check.ts'
import type { AnyTee } from '../rats/tee.ts'
import { adviceFor } from './advice.ts'
import { counted, type Paint, printable, shortened, type Tone } from './text.ts'

export interface Verdict {
  readonly tee: AnyTee
  readonly appraisal: Appraisal
  readonly at: Date
  /** Fields that the caller gave with `--expect`. */
  readonly expected: readonly string[]
  readonly verbose: boolean
  readonly strict: boolean
  readonly paint: Paint
  /** What to do next, where the findings are not only about hardware. */
  readonly advice?: readonly string[]
}

export function verdictText(verdict: Verdict): string {
  const { appraisal, verbose, paint } = verdict
  const shown = appraisal.findings.filter(
    ({ outcome }) => verbose || outcome === 'fail' || outcome === 'waived',
  )
  const lines = [
    headline(verdict),
    paint('faint', `judged as of ${verdict.at.toISOString()}; ${vectorText(appraisal)}`),
    '',
    ...shown.flatMap((finding) => findingLines(finding, paint)),
    ...(shown.length > 0 ? [''] : []),
    countsText(appraisal.findings),
    ...(verdict.advice ?? adviceFor(verdict)).map((advice) => `Next: ${printable(advice)}`),
  ]
  return `${lines.join('\n')}\n`
}

function headline({ appraisal, paint, strict }: Verdict): string {
  const { tee, status, findings, assurance } = appraisal
  const waived = findings.filter(({ outcome }) => outcome === 'waived')
  switch (status) {
    case 'affirming':
      return `${paint('good', 'AFFIRMING')} ${tee}`
    case 'warning':
      return `${paint('doubtful', 'WARNING')} ${tee}: ${counted(waived.length, 'check')} waived (${waived.map(({ id }) => id).join(', ')})${strict ? ', which --strict refuses' : ''}`
    case 'contraindicated':
    case 'none':
      return `${paint('bad', 'REFUSED')} ${tee} by ${firstFailure(findings)?.id ?? (assurance === 'simulated' ? 'its simulated root: no check failed' : 'want of any claim')}`
  }
}

function vectorText({ trustVector }: Appraisal): string {
  const claims = Object.entries(trustVector).map(([claim, value]) => `${claim} ${value}`)
  return `trust vector: ${claims.join(', ') || 'nothing'}`
}

const tones: Readonly<Record<Outcome, Tone>> = {
  pass: 'good',
  fail: 'bad',
  waived: 'doubtful',
  'not-applicable': 'faint',
  'not-reached': 'faint',
}

function findingLines(finding: Finding, paint: Paint): readonly string[] {
  const { id, outcome, detail, cites } = finding
  const head = `${paint(tones[outcome], outcome.padEnd(14))} ${id}`
  const brief = outcome !== 'fail' && outcome !== 'waived'
  if (brief) return [detail === undefined ? head : `${head}: ${printable(detail)}`]
  return [
    head,
    ...(detail === undefined ? [] : [indented(printable(shortened(detail, 1000)))]),
    ...datumLine('observed', finding.observed),
    ...datumLine('expected', finding.expected),
    indented(`${paint('faint', 'cites')}     ${cites}`),
  ]
}

function datumLine(name: string, datum: Datum | undefined): readonly string[] {
  return datum === undefined || datum === null
    ? []
    : [indented(`${name}  ${printable(shortened(datumText(datum)))}`)]
}

function datumText(datum: Datum): string {
  return typeof datum === 'object' && datum !== null
    ? datum.map(datumText).join(', ')
    : String(datum)
}

function indented(text: string): string {
  return `${' '.repeat(15)}${text}`
}

function countsText(findings: readonly Finding[]): string {
  const count = (outcome: Outcome) => findings.filter((each) => each.outcome === outcome).length
  return `${counted(findings.length, 'check')}: ${count('pass')} passed, ${count('fail')} failed, ${count('waived')} waived, ${count('not-applicable')} not applicable, ${count('not-reached')} not reached`
}
