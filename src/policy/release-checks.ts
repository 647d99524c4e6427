/** May this release be given out at all: is it in force, does it know this kind of hardware, and may it have the tokens that were asked for? */
import { holdsAt } from '../pki/interval.ts'
import { type Check, notApplicable, refuse } from '../rats/check.ts'
import type { AgentRelease } from '../rats/release.ts'
import type { Assurance } from '../rats/trust-vector.ts'
import { askedRules } from './asked-rules.ts'

export interface ReleaseRequest {
  readonly release: AgentRelease
  readonly at: Date
  /** A TEE descriptor's name. */
  readonly tee: string
  /** None asks for the release's only one. */
  readonly audiences: readonly string[]
  /** Undefined where the evidence is not authentic, or nobody answers for it. */
  readonly bearer: { readonly assurance: Assurance; readonly subject: string } | undefined
  /** Whether the evidence was brought in a session. */
  readonly isInSession: boolean
}

/** What Google's workload identity federation takes as google.subject; nobody else that clouds' tokens go to allows less. */
const LONGEST_SUBJECT_BYTES = 127
/** SPIFFE-ID section 2.1 and 2.2: a trust domain of these characters, and a path without empty or dot segments. */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/

const DESIGN = 'docs/design.md, policy repository'

export const releaseChecks: readonly Check<ReleaseRequest>[] = [
  {
    id: 'release.validity',
    informs: 'executables',
    cites: `${DESIGN}: metadata.notBefore and notAfter`,
    judge({ release, at }) {
      const { notBefore, notAfter } = release
      const expected = `${notBefore.toISOString()} to ${notAfter.toISOString()}`
      return (
        holdsAt(release, at) ||
        refuse(
          `the release is ${at < notBefore ? 'not yet' : 'no longer'} in force at ${at.toISOString()}`,
          at.toISOString(),
          expected,
        )
      )
    },
  },
  {
    id: 'release.tee',
    informs: 'executables',
    cites: `${DESIGN}: spec.referenceValues`,
    judge({ release, tee }) {
      const known = [...new Set(release.referenceValues.map((entry) => entry.tee))]
      return (
        known.some((name) => name === tee) ||
        refuse(`the release has no reference value for ${tee}`, tee, known)
      )
    },
  },
  {
    id: 'release.session',
    informs: 'executables',
    cites: `${DESIGN}: spec.runtime.session`,
    judge({ release, isInSession }) {
      if (!release.runtime?.isSessionRequired)
        return notApplicable('the release gives tokens for one attestation alone as well')
      return (
        isInSession ||
        refuse(
          'the release gives tokens only inside of a session: open one at POST /v1/sessions',
          'one attestation alone',
          'a session',
        )
      )
    },
  },
  {
    id: 'release.audience',
    informs: 'configuration',
    cites: `${DESIGN}: spec.release`,
    judge({ release, audiences }) {
      if (askedRules(release, audiences)) return true
      const allowed = release.rules.map((rule) => rule.audience)
      if (audiences.length === 0)
        return refuse(
          'the release allows several audiences and the request names none',
          null,
          allowed,
        )
      const unknown = audiences.filter((audience) => !allowed.includes(audience))
      return refuse(`the release allows no token for ${unknown.join(', ')}`, audiences, allowed)
    },
  },
  {
    id: 'release.federation',
    informs: 'configuration',
    cites: 'docs/tokens.md, federation',
    // Clouds read iss, sub and aud and no trust claim: whatever such a token says of simulation, they would not see it.
    judge({ release, audiences, bearer }) {
      const asked = askedRules(release, audiences)?.filter(({ form }) => form === 'federation')
      if (!asked?.length) return notApplicable('no federation token is asked for')
      const to = asked.map(({ audience }) => audience).join(', ')
      if (bearer?.assurance !== 'hardware')
        return refuse(
          `no federation token for ${to}: the evidence is not that of a vendor's hardware`,
          bearer?.assurance ?? null,
          'hardware',
        )
      const { subject } = bearer
      if (!SPIFFE_ID.test(subject))
        return refuse(
          `no federation token for ${to}: ${subject} is no SPIFFE ID; give the service a public URL with a host name`,
          subject,
          'spiffe://<host name>/<path>',
        )
      const bytes = Buffer.byteLength(subject)
      return (
        bytes <= LONGEST_SUBJECT_BYTES ||
        refuse(
          `no federation token for ${to}: the subject ${subject} is too long for clouds; shorten the names of tenant, environment or agent, or the service's host name`,
          bytes,
          LONGEST_SUBJECT_BYTES,
        )
      )
    },
  },
]
