/**
 * Which attested handshakes of the Key Broker does a revocation mean? Their cookies and tokens are bearers of secrets until
 * they end, so that whoever revokes an agent's tokens ends these too. Who is revoked may attest again, as with other tokens:
 * what must not is for the policy to name.
 */
import { thumbprintOf } from './broker-attest.ts'
import { handshakeRevocationLeaf } from './log-leaves.ts'
import type { AttestedBrokerSession } from './release-ports.ts'
import type { Revocation, TokenSelection } from './token-ports.ts'
import type { Verifier } from './verifier.ts'

/** What the store reads at once, and ends in one transaction. */
const PAGE = 1000

/** Resolves to the jtis of their tokens, which are their own ids. Throws Problem('storage-unavailable'). */
export async function revokeHandshakes(
  { store, random }: Pick<Verifier, 'store' | 'random'>,
  { tenant, selection }: { readonly tenant: string; readonly selection: TokenSelection },
  revocation: Revocation,
): Promise<readonly string[]> {
  const { at } = revocation
  const ended: string[] = []
  let after: string | undefined
  for (;;) {
    const page = await store.attestedBrokerSessions(tenant, { at, limit: PAGE, after })
    const meant = page.filter((each) => isMeant(each, selection)).map(({ id }) => id)
    const leafOf = (each: AttestedBrokerSession) =>
      handshakeRevocationLeaf(each, revocation, random)
    const fallen = meant.length > 0 ? await store.endBrokerSessions(meant, at, leafOf) : []
    ended.push(...fallen.map(({ id }) => id))
    if (page.length < PAGE) return ended
    after = page.at(-1)?.id
  }
}

/** Every member that is there must agree. */
function isMeant(
  { id, attested }: AttestedBrokerSession,
  { jti, appraisal, jkt, environment, agent }: TokenSelection,
): boolean {
  return (
    (jti === undefined || jti === id) &&
    (appraisal === undefined || appraisal === attested.appraisal) &&
    (environment === undefined || environment === attested.environment) &&
    (agent === undefined || agent === attested.agent) &&
    // attestForBroker wrote it.
    (jkt === undefined || jkt === thumbprintOf(JSON.parse(attested.teePublicKey)))
  )
}
