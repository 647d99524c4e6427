/**
 * Is this evidence about this agent, for this verifier, now? The questions that tie authentic evidence to the claims that
 * arrived with it: design section 4. Never waivable.
 */
import { fromHex, sameBytes, toHex } from '../bytes/encoding.ts'
import type { BrokerBinding } from './broker-binding.ts'
import { type Check, notApplicable, refuse } from './check.ts'
import { type RuntimeClaims, reportDataOf } from './runtime-claims.ts'

export interface Bound {
  readonly claims: RuntimeClaims
  /** Where the evidence came by a protocol that binds it in another way; undefined: by the claims. */
  readonly broker?: BrokerBinding | undefined
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
    judge({ claims, broker, reportData }) {
      const expected = broker ? brokerReportData(broker) : reportDataOf(claims)
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
    judge({ claims: { verifier }, broker, issuer }) {
      if (broker && issuer !== null)
        return notApplicable(
          'the Key Broker protocol names no verifier: what is released is sealed to the bound key',
        )
      return (
        (!broker && verifier === issuer) ||
        refuse(
          issuer === null
            ? 'this verifier has no issuer that may answer evidence of this assurance'
            : `the evidence was made for the verifier ${verifier}, and this one answers it as ${issuer}`,
          verifier,
          issuer,
        )
      )
    },
  },
]

/** Throws for what is no report data, which fails the check. */
function brokerReportData({ reportData }: BrokerBinding): Uint8Array {
  const expected = fromHex(reportData)
  if (expected?.length === 64) return expected
  throw new Error('the binding that was kept is not 64 bytes in hex')
}
