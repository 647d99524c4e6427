/** What to do next about a verdict, from what its findings are and never from which: a new check needs no line here. */
import type { Appraisal } from '../rats/appraisal.ts'
import { type Finding, firstFailure } from '../rats/check.ts'
import type { AnyTee } from '../rats/tee.ts'
import { waivableChecks } from './conditions.ts'

export interface Advised {
  readonly tee: AnyTee
  readonly appraisal: Appraisal
  readonly expected: readonly string[]
}

export function adviceFor({ tee, appraisal, expected }: Advised): readonly string[] {
  const failure = firstFailure(appraisal.findings)
  if (failure) return adviceAgainst(failure, tee, appraisal.findings)
  if (appraisal.assurance === 'simulated')
    return [
      'nothing is wrong with this evidence but that a simulator made it, and that is never taken for hardware.',
    ]
  const uncompared = Object.keys(tee.expectations).filter((field) => !expected.includes(field))
  return uncompared.length === 0
    ? []
    : [
        `this says which hardware and in which state, and compares nothing that was not asked for. To compare what runs on it, give --expect NAME=HEX for: ${uncompared.join(', ')}.`,
      ]
}

function adviceAgainst(
  failure: Finding,
  tee: AnyTee,
  findings: readonly Finding[],
): readonly string[] {
  const failed = findings.filter(({ outcome }) => outcome === 'fail')
  const has = (checks: readonly { readonly id: string }[]) =>
    checks.some(({ id }) => id === failure.id)
  if (has(tee.structure))
    return [
      'these bytes were never made by such hardware in this form: take the evidence again, raw and whole.',
    ]
  const authentic = !has(tee.authenticate)
  return [
    authentic
      ? 'the evidence is authentic and says this of its machine: change the machine or the guest, or correct what you expect.'
      : 'the evidence could not be authenticated, so nothing that it says is believed. Where an endorsement is missing or out of date, give it with --endorsements, and with --at the instant to judge as of.',
    ...waiverAdvice(failed, tee),
  ]
}

/** Only where a waiver would help: when everything that failed may be waived. */
function waiverAdvice(failed: readonly Finding[], tee: AnyTee): readonly string[] {
  const waivable = waivableChecks(tee)
  if (!failed.every(({ id }) => waivable.has(id))) return []
  const profiles = Object.keys(tee.profiles).filter((name) =>
    failed.every(({ id }) => {
      const profile = tee.profiles[name]
      return profile?.has(id) || profile?.has(waivable.get(id) ?? '')
    }),
  )
  const groups = [...new Set(failed.map(({ id }) => waivable.get(id)))]
  return [
    ...profiles.map((name) => `if it runs on that cloud, --profile ${name} waives this.`),
    `if you accept it and can say why: ${groups.map((group) => `--waive '${group}=REASON'`).join(' ')}. The result is then a warning.`,
  ]
}
