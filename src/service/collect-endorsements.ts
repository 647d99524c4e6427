/**
 * What do the vendors say about this evidence? Finds out which of their documents it needs beyond what came with it, and
 * obtains them. What cannot be had is listed and not thrown: evidence may be refused for a reason of its own, and policy
 * may have waived the freshness of a list.
 */
import { Problem } from '../problems.ts'
import type { Waivers } from '../rats/check.ts'
import {
  type EndorsementParts,
  type Endorsements,
  endorsements,
  noParts,
} from '../rats/endorsements.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AnyTee, Endorsed, Tee } from '../rats/tee.ts'
import { sgx } from '../tee/dcap/sgx.ts'
import { tdx } from '../tee/dcap/tdx.ts'
import { sevSnp } from '../tee/sev-snp/sev-snp.ts'
import { dcapNeeds } from './collect-endorsements-dcap.ts'
import { remembered } from './collect-endorsements-remembered.ts'
import { snpNeeds } from './collect-endorsements-snp.ts'
import type { EndorsementSource, HeldEndorsement } from './endorsement-source.ts'
import type { EndorsementSubject } from './endorsement-subject.ts'

interface Collected {
  /** What was brought and what was obtained, together. */
  readonly endorsements: Endorsements
  /** What is needed and could not be had. When the evidence is not affirmed, the first of these is the answer: ask again later. */
  readonly missing: readonly Missing[]
}

export interface Missing {
  readonly subject: EndorsementSubject
  /** `collateral-unavailable`, with the seconds after which asking again makes sense. */
  readonly problem: Problem
}

/** A release that waives the freshness of revocation lists does without them. */
export function isWaived({ subject }: Pick<Missing, 'subject'>, waivers: Waivers): boolean {
  return subject.document.endsWith('-crl') && waivers.has('revocation')
}

export interface CollectEndorsements {
  (
    evidence: Evidence,
    tee: AnyTee,
    /** What the caller brought along. Never instead of the vendor's own lists and collateral: it might be older, on purpose. */
    brought?: EndorsementParts,
  ): Promise<Collected>
  /** Of its source. Absent: no vendor is asked. */
  readonly renewals?: (() => number) | undefined
}

/** Never rejects for what evidence holds or a vendor does. */
export function endorsementCollector(source: EndorsementSource): CollectEndorsements {
  /** Hashing a TD's collateral takes 17 us (measured), which a warm appraisal would notice. */
  const joined = remembered<Endorsements>(1024)

  const collect = async (evidence: Evidence, tee: AnyTee, brought = noParts) => {
    const needs = endorsementNeeds(evidence, tee, brought)
    const answers = await Promise.all(needs.map((subject) => ask(source, subject)))
    const held = answers.filter((answer) => 'held' in answer).map((answer) => answer.held)
    const missing = answers.filter((answer) => 'problem' in answer)
    const join = () => endorsements(brought, ...held.map(({ parts }) => parts))
    const key = held.map(({ digest }) => digest).join('|')
    // What a stranger brings is never kept: a thousand requests of half a megabyte would stay.
    return { endorsements: brought === noParts ? joined.get(key, join) : join(), missing }
  }
  return Object.assign(collect, { renewals: source.renewals })
}

/** Nothing for evidence that does not decode. */
export function endorsementNeeds(
  evidence: Evidence,
  tee: AnyTee,
  brought: EndorsementParts,
): readonly EndorsementSubject[] {
  return needs.get(tee)?.(evidence, brought) ?? []
}

type Needs = (evidence: Evidence, brought: EndorsementParts) => readonly EndorsementSubject[]

/** One row per TEE; a test asks that every registered TEE has one. */
const needs: ReadonlyMap<AnyTee, Needs> = new Map([
  needsOf(sevSnp, snpNeeds),
  needsOf(tdx, (quote) => dcapNeeds(quote, 'tdx')),
  needsOf(sgx, (quote) => dcapNeeds(quote, 'sgx')),
])

function needsOf<E, N extends Endorsed, R>(
  tee: Tee<E, N, R>,
  read: (evidence: E, brought: EndorsementParts) => readonly EndorsementSubject[],
): readonly [AnyTee, Needs] {
  return [
    tee,
    (evidence, brought) => {
      const decoding = tee.decode(evidence)
      return 'evidence' in decoding ? read(decoding.evidence, brought) : []
    },
  ]
}

async function ask(
  source: EndorsementSource,
  subject: EndorsementSubject,
): Promise<{ readonly held: HeldEndorsement } | Missing> {
  try {
    return { held: await source.get(subject) }
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.code !== 'collateral-unavailable') throw problem
    return { subject, problem }
  }
}
