/** What `vouchsafe dev --kbs` adds: a release that any stock Key Broker client passes for, and a secret for it. */
import { readFile } from 'node:fs/promises'
import type { DevDirectory } from '../adapters/dev-directory.ts'
import type { BrokerSwitches } from '../service/broker-session.ts'

const PATH = 'default/key/1'
const SECRET = 'test content'

/** Under which the Key Broker face keeps what is put at that path. */
const NAME = 'secret:default.key.1'

export const devBrokerClient = { agent: 'kbs-client', scopes: [NAME] } as const

export const devBrokerSwitches: BrokerSwitches = {
  keyBroker: true,
  sample: true,
  attestationService: true,
}

export const devBrokerShown = { path: PATH, secret: Buffer.from(SECRET).toString('base64') }

/** As an operator would, over HTTP; once, for the database is kept. */
export async function putDemoSecret(
  url: string,
  { store, secretAdmin }: Pick<DevDirectory, 'store' | 'secretAdmin'>,
): Promise<void> {
  if (await store.resourceAtBrokerPath('default', PATH)) return
  const token = (await readFile(secretAdmin.file, 'utf8')).trim()
  const body = {
    name: NAME,
    brokerPath: PATH,
    // Whoever tries this out has sample evidence, and the secret stands above.
    acceptsSimulated: true,
    secret: devBrokerShown.secret,
  }
  const response = await fetch(`${url}/v1/resources`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`the demo secret was refused: ${await response.text()}`)
}
