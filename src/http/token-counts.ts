/** How many tokens were issued in which form, and revoked for which reason? Counted where they are kept, so that none is issued and not counted. */
import type { Store } from '../service/ports.ts'
import type { RecordedForm, Revocation, TokenRecord } from '../service/token-ports.ts'

export interface TokenCounts {
  /** Does what the given store does, and counts. */
  readonly store: Store
  /** Since this process began; every form and reason is there from the start, so that a rate has a beginning. */
  readonly figures: () => TokenFigures
}

export interface TokenFigures {
  readonly issued: Readonly<Record<RecordedForm, number>>
  readonly revoked: Readonly<Record<Revocation['reason'], number>>
}

export function countTokens(store: Store): TokenCounts {
  const issued = { possession: 0, federation: 0, workload: 0, broker: 0 }
  const revoked = { operator: 0, policy: 0, collateral: 0 }
  const count = (outcome: string, { tokens }: { readonly tokens: readonly TokenRecord[] }) => {
    if (outcome === 'recorded') for (const { form } of tokens) issued[form]++
  }
  return {
    store: {
      ...store,
      async recordAttestation(attestation) {
        const outcome = await store.recordAttestation(attestation)
        count(outcome, attestation)
        return outcome
      },
      async openSession(attestation, ...session) {
        const outcome = await store.openSession(attestation, ...session)
        count(outcome, attestation)
        return outcome
      },
      async renewSession(attestation, step) {
        const outcome = await store.renewSession(attestation, step)
        count(outcome, attestation)
        return outcome
      },
      async recordSessionTokens(given) {
        const outcome = await store.recordSessionTokens(given)
        count(outcome, given)
        return outcome
      },
      async revokeTokens(jtis, revocation, leafOf) {
        const tokens = await store.revokeTokens(jtis, revocation, leafOf)
        revoked[revocation.reason] += tokens.length
        return tokens
      },
      async changeSession(change) {
        // A transaction may be tried twice.
        const fallen = new Set<string>()
        const outcome = await store.changeSession({
          ...change,
          leafOf(token) {
            fallen.add(token.jti)
            return change.leafOf(token)
          },
        })
        if (outcome === 'changed' && change.revocation)
          revoked[change.revocation.reason] += fallen.size
        return outcome
      },
    },
    figures: () => ({ issued: { ...issued }, revoked: { ...revoked } }),
  }
}
