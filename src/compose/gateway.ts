/** `vouchsafe gateway`, put together: the relying-party kit behind a port of its own, which a gateway asks before it hands a request on. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ForwardAuthOptions, forwardAuth } from '../../kit/relying-party/forward-auth.ts'
import { forwardAuthListener } from '../../kit/relying-party/node.ts'
import { type RelyingPartyOptions, relyingParty } from '../../kit/relying-party/relying-party.ts'
import type { GatewaySettings, RunningGateway } from '../cli/gateway.ts'

/** A token has up to 7,400 characters, and gateways add headers of their own. */
const limits = { headersTimeout: 5_000, requestTimeout: 10_000, maxHeaderSize: 64 * 1024 }

/** Throws TypeError for settings that cannot be meant; rejects where the address cannot be had. */
export async function startGateway(
  { listen, gateway, publicUrl, ...given }: GatewaySettings,
  say: (entry: Readonly<Record<string, unknown>>) => void,
): Promise<RunningGateway> {
  // Unchecked here on purpose: the kit looks at every member, as it must for users of JavaScript.
  const party = relyingParty(given as RelyingPartyOptions)
  const decided: ForwardAuthOptions['decided'] = (verdict, { method, path }) =>
    say({
      at: new Date().toISOString(),
      method,
      path,
      ...(verdict.accepted
        ? {
            decision: 'accepted',
            subject: verdict.claims.subject,
            jti: verdict.claims.jti,
            proved: verdict.proved,
          }
        : { decision: 'refused', reason: verdict.reason, detail: verdict.detail }),
    })
  const answerTo = forwardAuthListener(forwardAuth(party, { gateway, publicUrl, decided }))
  const server = createServer(limits, (request, response) => {
    if (request.url === '/healthz') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n')
      return
    }
    answerTo(request, response).catch(() => response.destroy())
  })
  const address = await listening(server, listen)
  const follower = party.follow((state) =>
    say({ at: new Date().toISOString(), revocations: state }),
  )
  return {
    address,
    close: async () => {
      follower.close()
      await new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    },
  }
}

async function listening(
  server: Server,
  { host, port }: GatewaySettings['listen'],
): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(new Error(`cannot listen on ${host}:${port}: ${cause.message}`)),
    )
    server.listen(port, host, resolve)
  })
  // A TCP server that listens has an address with a port.
  const taken = (server.address() as AddressInfo).port
  return `http://${host.includes(':') ? `[${host}]` : host}:${taken}`
}
