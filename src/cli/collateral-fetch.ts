/** `vouchsafe collateral fetch`: documents from the vendors, one after another, with patience for what they limit. */
import { Problem } from '../problems.ts'
import type { BundleEntry, EndorsementLibrary } from '../service/endorsement-source.ts'
import { type EndorsementSubject, nameOf, titleOf } from '../service/endorsement-subject.ts'
import { COULD_NOT_TELL, YES } from './answering.ts'
import { type CollateralDeps, entryJson, jsonLine } from './collateral-output.ts'
import { type Progress, progress } from './collateral-progress.ts'
import { subjectsOf, type Wanted } from './collateral-subjects.ts'
import { printable } from './text.ts'

/** A vendor's limit is worth waiting for, an outage is not. */
const LONGEST_WAIT_SECONDS = 120
const MOST_TRIES = 4

interface Fetched {
  readonly entry: BundleEntry
}

interface NotFetched {
  readonly subject: EndorsementSubject
  readonly problem: Problem
}

/** Resolves to the exit code. Throws Mistake. */
export async function fetchCollateral(
  { wanted, json }: { readonly wanted: Wanted; readonly json: boolean },
  deps: CollateralDeps,
): Promise<number> {
  const subjects = subjectsOf(wanted)
  const library = await deps.library()
  const shown = progress(subjects.length, { write: deps.err, isTerminal: deps.terminal })
  const fetched: Fetched[] = []
  const failed: NotFetched[] = []
  for (const subject of subjects) {
    shown.step(titleOf(subject))
    const outcome = await fetchPatiently(library, subject, { shown, wait: deps.wait })
    if ('entry' in outcome) fetched.push(outcome)
    else failed.push(outcome)
  }
  shown.end()
  const missing = failed.filter((each) => !isOtherTees(each, fetched))
  deps.out(
    json
      ? jsonLine({
          fetched: fetched.map(({ entry }) => entryJson(entry)),
          failed: missing.map(failureJson),
        })
      : fetchText(fetched, missing, deps.now()),
  )
  return missing.length === 0 ? YES : COULD_NOT_TELL
}

async function fetchPatiently(
  library: EndorsementLibrary,
  subject: EndorsementSubject,
  { shown, wait }: { readonly shown: Progress; readonly wait: CollateralDeps['wait'] },
): Promise<Fetched | NotFetched> {
  for (let tries = 1; ; tries++)
    try {
      const { issuedAt, fetchedAt, notAfter } = await library.fetch(subject)
      return { entry: { subject, issuedAt, fetchedAt, notAfter } }
    } catch (problem) {
      if (!(problem instanceof Problem) || problem.code !== 'collateral-unavailable') throw problem
      const seconds = problem.retryAfterSeconds ?? LONGEST_WAIT_SECONDS
      if (tries === MOST_TRIES || isNotPublished(problem) || seconds > LONGEST_WAIT_SECONDS)
        return { subject, problem }
      shown.note(`trying again in ${seconds} s`)
      await wait(seconds)
    }
}

function isNotPublished({ members }: Problem): boolean {
  return members.reason === 'not-published'
}

/** A platform family may be known for SGX alone: what Intel has for one TEE answers for both. */
function isOtherTees({ subject, problem }: NotFetched, fetched: readonly Fetched[]): boolean {
  return (
    subject.document === 'intel-tcb-info' &&
    isNotPublished(problem) &&
    fetched.some(
      ({ entry }) =>
        entry.subject.document === 'intel-tcb-info' && entry.subject.fmspc === subject.fmspc,
    )
  )
}

function failureJson({ subject, problem }: NotFetched) {
  const { code, detail, retryAfterSeconds = null } = problem
  return { name: nameOf(subject), code, detail, retryAfterSeconds }
}

function fetchText(fetched: readonly Fetched[], missing: readonly NotFetched[], now: Date): string {
  const lines = fetched.map(({ entry }) => {
    const until = entry.notAfter.toISOString()
    return `${nameOf(entry.subject)} ${entry.notAfter < now ? 'ended' : 'until'} ${until}`
  })
  const failures = missing.map(({ problem }) => `not fetched: ${printable(problem.detail)}`)
  return `${[...lines, ...failures].join('\n')}\n`
}
