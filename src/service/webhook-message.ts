/**
 * One event as a webhook is told it: Standard Webhooks 1.0 (standardwebhooks.com), symmetric signatures. The id is the event's and
 * stays the same however often it is sent, by which a receiver knows what it has seen; the time is that of the attempt.
 */
import { createHmac, hash, type KeyObject } from 'node:crypto'
import type { ServiceEvent } from './token-ports.ts'
import { toldEvent } from './told-event.ts'

export interface WebhookMessage {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

/** `secret`: what the receiver has after `whsec_`, decoded. */
export function webhookMessage(
  event: ServiceEvent,
  { secret, at }: { readonly secret: KeyObject; readonly at: Date },
): WebhookMessage {
  const told = toldEvent(event)
  const body = JSON.stringify({ type: event.kind, timestamp: told.at, data: told })
  // A database that was restored counts from an earlier number again, and tells other things under it.
  const id = `evt_${event.sequence}_${hash('sha256', body, 'hex').slice(0, 16)}`
  const timestamp = String(Math.floor(at.getTime() / 1000))
  const signature = createHmac('sha256', secret)
    .update(`${id}.${timestamp}.${body}`)
    .digest('base64')
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signature}`,
    },
  }
}
