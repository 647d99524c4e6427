/**
 * Is this evidence about this agent, for this verifier, now? The questions that tie authentic evidence to the claims that
 * arrived with it: design section 4. Never waivable.
 */
import { sameBytes, toHex } from '../bytes/encoding.ts'
import { type Check, refuse } from './check.ts'
import { type RuntimeClaims, reportDataOf } from './runtime-claims.ts'

export interface Bound {
  readonly claims: RuntimeClaims
  /** What the TEE's `bind` found in authentic evidence; undefined where that evidence carries no binding. */
  readonly reportData: Uint8Array | undefined
  /** URL of the issuer that may answer this evidence, another for simulated than for real hardware; null where there is none. */
  readonly issuer: string | null
}

const cites = 'docs/design.md, binding'

export const bindingChecks: readonly Check<Bound>[] = [
  {
    id: 'binding.report-data',
    informs: 'instance-identity',
    cites,
    judge({ claims, reportData }) {
      const expected = reportDataOf(claims)
      if (!reportData)
        return refuse(
          'this evidence has no field that the guest chose, so nothing ties it to the claims',
          null,
          toHex(expected),
        )
      return (
        sameBytes(reportData, expected) ||
        refuse(
          'the evidence was made for other claims: another challenge, key, agent, tenant or verifier',
          toHex(reportData),
          toHex(expected),
        )
      )
    },
  },
  {
    id: 'binding.verifier',
    informs: 'instance-identity',
    cites,
    judge: ({ claims: { verifier }, issuer }) =>
      verifier === issuer ||
      refuse(
        issuer === null
          ? 'this verifier has no issuer that may answer evidence of this assurance'
          : `the evidence was made for the verifier ${verifier}, and this one answers it as ${issuer}`,
        verifier,
        issuer,
      ),
  },
]
