/**
 * How far does the hardware's word reach? It measured the launch; a configuration whose digest it reports says what else
 * belongs to the agent; all other parts are the agent's own claim, and whoever relies on a token must see the difference.
 */
import { toHex } from '../bytes/encoding.ts'
import type { AgentRelease, Layer, ReferenceValue } from '../rats/release.ts'
import { configFieldOf, isBound } from './documents/runtime-config.ts'

/** Of evidence that matches this reference value of this release: the launch first, then the configuration, artifacts, models. */
export function layersOf(
  { runtimeConfig, artifacts, models }: AgentRelease,
  referenceValue: ReferenceValue,
): readonly Layer[] {
  const field = configFieldOf(referenceValue)
  const through =
    runtimeConfig && isBound(field, runtimeConfig)
      ? { by: field.name, config: runtimeConfig }
      : undefined
  const named = (subject: string, digest: string): Layer =>
    layer(subject, digest, through?.config.names.has(digest) ? through.by : undefined)
  return [
    ...launchOf(referenceValue),
    ...(runtimeConfig
      ? [layer('runtime-config', `sha256:${runtimeConfig.sha256}`, through?.by)]
      : []),
    ...artifacts.map(({ name, digest }) => named(`artifact:${name}`, digest)),
    ...models.map(({ name, digest }) => named(`model:${name}`, digest)),
  ]
}

function layer(subject: string, digest: string, through: string | undefined): Layer {
  return { subject, digest, bound: through === undefined ? 'claimed' : 'hardware', through }
}

/** MRTD is the firmware alone; what it boots is in the RTMRs, which the reference value must name as well. */
function launchOf({ tee, reference }: ReferenceValue): readonly Layer[] {
  switch (tee) {
    case 'sev-snp':
      return launch('sha384', reference.measurement, 'measurement')
    case 'tdx':
      return launch('sha384', reference.mrTd, 'mrTd')
    case 'sgx':
      // By signer alone, the hardware says only whose code it is.
      return reference.mrEnclave
        ? launch('sha256', reference.mrEnclave, 'mrEnclave')
        : launch('sha256', reference.mrSigner, 'mrSigner')
    case 'sample':
      return []
  }
}

function launch(
  algorithm: string,
  digest: Uint8Array | undefined,
  through: string,
): readonly Layer[] {
  return digest ? [layer('launch', `${algorithm}:${toHex(digest)}`, through)] : []
}
