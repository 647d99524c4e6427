/**
 * A relying party: a ledger that takes bookings from the attested agent and from nobody else, in as many lines as it needs. It
 * holds no key of anybody's; it checks tokens and proofs with `vouchsafe/relying-party`, and hears of revocations at once.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { attestedOnly } from '../../kit/relying-party/node.ts'
import { relyingParty } from '../../kit/relying-party/relying-party.ts'

export interface Ledger {
  readonly address: string
  /** What was booked, with the subject of the token that came with it. */
  readonly bookings: readonly { readonly by: string; readonly booking: unknown }[]
  readonly close: () => void
}

export async function openLedger(issuer: string): Promise<Ledger> {
  const bookings: { by: string; booking: unknown }[] = []
  const party = relyingParty({
    issuer,
    audience: 'kms.example',
    // `simulated` because the example has no hardware: leave it out, and such tokens are refused.
    required: { assurance: 'simulated', environment: 'prod', agent: 'invoice-bot' },
  })
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP server that listens has an address with a port.
  const { port } = server.address() as AddressInfo
  const publicUrl = `http://127.0.0.1:${port}`
  const admit = attestedOnly(party, { publicUrl })
  server.on('request', async (request, response) => {
    const admitted = await admit(request, response)
    if (!admitted) return
    const text = Buffer.from(admitted.body ?? []).toString()
    bookings.push({ by: admitted.claims.subject, booking: JSON.parse(text) })
    response.writeHead(201, { 'content-type': 'application/json' }).end('{}')
  })
  const follower = party.follow()
  return {
    address: `${publicUrl}/bookings`,
    bookings,
    close() {
      follower.close()
      server.close()
      server.closeAllConnections()
    },
  }
}
