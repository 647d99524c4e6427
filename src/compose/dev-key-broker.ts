/** What `vouchsafe dev --kbs` adds: a release that any stock Key Broker client passes for, and a secret for it. */
import { readFile } from 'node:fs/promises'
import type { DevDirectory } from '../adapters/dev-directory.ts'
import type { BrokerSwitches } from '../service/broker-session.ts'

const PATH = 'default/key/1'
const SECRET = 'test content'

/** The name is the one under which the Key Broker face keeps what is put at that path. */
export const devBrokerClient = { agent: 'kbs-client', scopes: ['secret:default.key.1'] } as const

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
  const response = await fetch(`${url}/kbs/v0/resource/${PATH}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    body: SECRET,
  })
  if (!response.ok) throw new Error(`the demo secret was refused: ${await response.text()}`)
}
