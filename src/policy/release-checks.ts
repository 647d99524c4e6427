/** May this release be given out at all: is it in force, does it know this kind of hardware, and may it speak to this audience? */
import { holdsAt } from '../pki/interval.ts'
import { type Check, refuse } from '../rats/check.ts'
import type { AgentRelease } from '../rats/release.ts'

export interface ReleaseRequest {
  readonly release: AgentRelease
  readonly at: Date
  /** A TEE descriptor's name. */
  readonly tee: string
  /** Undefined asks for the release's only audience. */
  readonly audience: string | undefined
}

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
    id: 'release.audience',
    informs: 'configuration',
    cites: `${DESIGN}: spec.release`,
    judge({ release: { rules }, audience }) {
      const audiences = rules.map((rule) => rule.audience)
      if (audience === undefined)
        return (
          rules.length === 1 ||
          refuse('the release allows several audiences and the request names none', null, audiences)
        )
      return (
        audiences.includes(audience) ||
        refuse(`the release allows no token for ${audience}`, audience, audiences)
      )
    },
  },
]
