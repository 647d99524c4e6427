/** How many tokens were issued in which form, and revoked for which reason? Counted where they are kept, so that none is issued and not counted. */
import type { TokenForm } from '../rats/release.ts'
import type { Store } from '../service/ports.ts'
import type { Revocation } from '../service/token-ports.ts'

export interface TokenCounts {
  /** Does what the given store does, and counts. */
  readonly store: Store
  /** Since this process began; every form and reason is there from the start, so that a rate has a beginning. */
  readonly figures: () => TokenFigures
}

export interface TokenFigures {
  readonly issued: Readonly<Record<TokenForm, number>>
  readonly revoked: Readonly<Record<Revocation['reason'], number>>
}

export function countTokens(store: Store): TokenCounts {
  const issued = { possession: 0, federation: 0, workload: 0 }
  const revoked = { operator: 0, policy: 0, collateral: 0 }
  return {
    store: {
      ...store,
      async recordAttestation(attestation) {
        const outcome = await store.recordAttestation(attestation)
        if (outcome === 'recorded') for (const { form } of attestation.tokens) issued[form]++
        return outcome
      },
      async revokeTokens(jtis, revocation, leafOf) {
        const tokens = await store.revokeTokens(jtis, revocation, leafOf)
        revoked[revocation.reason] += tokens.length
        return tokens
      },
    },
    figures: () => ({ issued: { ...issued }, revoked: { ...revoked } }),
  }
}
