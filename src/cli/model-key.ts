/** The key of a model into a running service, by the request that `vouchsafe release put` and `rotate` make. */
import { putResponse } from '../service/resource-report.ts'
import type { Files } from './files.ts'
import { askService } from './policy-service.ts'

export interface ModelKeyPut {
  readonly url: string
  readonly tokenFile: string
  readonly tenant: string
  /** `model:llama-small` */
  readonly name: string
  /** Whether simulated evidence may have it. Undefined: as it is, and not where it is new. */
  readonly acceptsSimulated: boolean | undefined
  readonly secret: Uint8Array
}

/** Added, or the next version of what is there, which keeps its settings. Throws Mistake. */
export async function putModelKey(
  { url, tokenFile, tenant, name, acceptsSimulated, secret }: ModelKeyPut,
  deps: { readonly fetch: typeof globalThis.fetch; readonly files: Files },
): Promise<{ readonly version: number }> {
  const body = {
    ...{ tenant, name, secret: Buffer.from(secret).toString('base64') },
    ...(acceptsSimulated !== undefined && { acceptsSimulated }),
  }
  const question = { method: 'POST', path: '/v1/resources', body } as const
  return await askService(question, putResponse, { url, tokenFile, deps })
}
