/** An event as it is told outside, on the stream and to webhooks: names, and where a token's status stands; never a secret. */
import { statusListUrl } from './status-lists.ts'
import type { ServiceEvent } from './token-ports.ts'

export function toldEvent({
  at,
  kind,
  tenant,
  fields,
}: ServiceEvent): Readonly<Record<string, unknown>> {
  const common = { at: at.toISOString(), tenant: tenant ?? null }
  const { list, index: idx, ...others } = fields
  if (kind !== 'token.revoked' || typeof list !== 'number') return { ...common, ...fields }
  return { ...common, ...others, status: { uri: statusListUrl(`${others.issuer}`, list), idx } }
}
