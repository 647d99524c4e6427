/** A service that speaks the Key Broker protocol, a policy with one release for it, and a secret at default/key/1. */
import { putResource } from '#src/service/put-resource.ts'
import type { SettingsChange } from '#src/service/resource-settings.ts'
import {
  AT,
  manifest,
  policyOf,
  type RunningService,
  runService,
  type ServiceRequest,
} from '../http/running-service.ts'

export const SECRET = 'test content'
export const PATH = 'default/key/1'

/** SNP as the simulator's machine launches it, and sample evidence; what it may have is the secret and nothing else. */
export function brokerManifest(change: (text: string) => string = (text) => text): string {
  return change(
    manifest((text) =>
      text
        .replace(
          '  release:\n',
          '    - id: tried-out\n      tee: sample\n      svn: "1"\n  release:\n',
        )
        .replace('      ttl: 240s\n', '      ttl: 240s\n      scopes: ["secret:demo"]\n'),
    ),
  )
}

export async function brokerService(
  request: ServiceRequest & { readonly manifestText?: string } = {},
): Promise<RunningService> {
  const { manifestText = brokerManifest(), ...others } = request
  const service = await runService({
    policy: await policyOf(manifestText),
    broker: { keyBroker: true, sample: true, attestationService: true },
    ...others,
  })
  await put(service, 'secret:demo', { brokerPath: PATH })
  return service
}

/** Accepts simulated evidence, unless `settings` says otherwise: clients here have no other. */
export async function put(
  { verifier }: RunningService,
  name: string,
  settings: SettingsChange,
  secret = SECRET,
): Promise<void> {
  const given = { acceptsSimulated: true, ...settings }
  await putResource(
    verifier,
    { tenant: 'default', name, settings: given, secret: Buffer.from(secret), by: 'sara' },
    AT,
  )
}
