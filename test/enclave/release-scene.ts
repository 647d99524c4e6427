/** A service that has secrets, and agents that its policy gives them to: what the tests of releases and leases share. */
import type { ReleasedSecret } from '../../enclave/client/released-secret.ts'
import {
  bearer,
  manifest,
  policyOf,
  post,
  type RunningService,
  runService,
} from '../http/running-service.ts'
import { agentAt } from './agent-scene.ts'

export const SECRET = 'correct horse battery staple'

/** Of `secret:db-ro` the second version is SECRET. */
export async function serviceWithSecrets(): Promise<RunningService> {
  const service = await runService()
  service.policy.current = await releasing(service)
  await put(service, 'secret:db-ro', `${SECRET}, before`)
  await put(service, 'secret:db-ro', SECRET)
  await put(service, 'secret:other', 'another')
  return service
}

export const releasing = ({ url }: Pick<RunningService, 'url'>) =>
  policyOf(
    manifest((text) =>
      text.replace(
        'kms.example\n      ttl: 240s',
        `${url}\n      ttl: 240s\n      scopes: ["secret:db-ro", "secret:other", "secret:kept", "secret:two"]`,
      ),
    ),
  )

export const agent = async (at: RunningService, change: Parameters<typeof agentAt>[1] = {}) =>
  await agentAt(at, { audience: at.url, ...change })

export async function put(
  at: RunningService,
  name: string,
  secret: string | Uint8Array,
  settings: object = { leaseSeconds: 60 },
) {
  const base64 = Buffer.from(secret).toString('base64')
  const body = { name, secret: base64, acceptsSimulated: true, ...settings }
  const { status, json } = await post(
    `${at.url}/v1/resources`,
    JSON.stringify(body),
    bearer('secret-admin'),
  )
  if (status !== 200) throw new Error(JSON.stringify(json))
}

export const textOf = ({ secret }: Pick<ReleasedSecret, 'secret'>) => Buffer.from(secret).toString()
