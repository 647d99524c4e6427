/** The result of `vouchsafe policy verify` for people: the verdict first, then why, then what was judged. */
import { mistakeText } from '../policy/policy.ts'
import type { PolicyVerdict } from './policy-verify.ts'
import { coloured, plain, printable } from './text.ts'

export function verdictText(verdict: PolicyVerdict, colour: boolean): string {
  const { accepted, condition, commit, candidate, branch } = verdict
  const paint = colour ? coloured : plain
  const where = candidate === null ? '' : ` ${candidate.slice(0, 12)} of ${branch}`
  const cannotTell = condition === 'FetchFailed'
  const head = accepted
    ? `${paint('good', 'ACCEPTED')}${where}`
    : `${paint(cannotTell ? 'doubtful' : 'bad', cannotTell ? 'COULD NOT TELL' : 'REFUSED')}${where}: ${condition}${commit === null || commit === candidate ? '' : ` at ${commit.slice(0, 12)}`}`
  return `${[
    head,
    ...sentences(verdict).map((line) => `  ${printable(line)}`),
    row('started', startText(verdict)),
    ...verdict.judged.map((one, index) => row(index === 0 ? 'judged' : '', judgedText(one))),
    ...(verdict.digest === null ? [] : [row('policy', verdict.digest)]),
    ...(verdict.trustDigest === null ? [] : [row('trust', verdict.trustDigest)]),
  ].join('\n')}\n`
}

/** Mistakes stand in some messages already. */
function sentences({ message, mistakes }: PolicyVerdict): readonly string[] {
  const untold = mistakes.filter((mistake) => !message.includes(mistake.message))
  return [...message.split('\n'), ...untold.map(mistakeText)]
}

function startText({ start }: PolicyVerdict): string {
  switch (start.kind) {
    case 'accepted':
      return `after ${start.at?.slice(0, 12)}, taken as accepted`
    case 'commit':
      return `at the pinned commit ${start.at?.slice(0, 12)}, taken as it is`
    case 'trust-digest':
      return `at the oldest commit with the pinned trust files`
    case 'first-commit':
      return 'at the first commit, taken on trust: nothing vouches for it'
  }
}

function judgedText({ commit, principal, approvals }: PolicyVerdict['judged'][number]): string {
  const approved = Object.entries(approvals).map(
    ([path, by]) => `${path} approved by ${by.join(', ') || 'nobody'}`,
  )
  return printable(
    `${commit.slice(0, 12)} signed by ${principal ?? 'whoever'}${approved.length > 0 ? `; ${approved.join('; ')}` : ''}`,
  )
}

function row(name: string, text: string): string {
  return `  ${name.padEnd(9)}${text}`
}
