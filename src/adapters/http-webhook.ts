/** One webhook, over HTTP. Only the configuration names addresses; nothing of what it answers but the status is read. */
import type { Webhook } from '../service/webhooks.ts'

/** Whoever takes longer to say yes is told again. */
const TIMEOUT_MS = 8_000

/** `url`: https, or http to this machine. */
export function httpWebhook(url: string, timeoutMs = TIMEOUT_MS): Webhook['send'] {
  return async ({ headers, body }) => {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { ...headers, 'user-agent': 'vouchsafe' },
        body,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      })
      await response.body?.cancel()
      return response.status
    } catch (cause) {
      throw new Error(reasonOf(cause, timeoutMs))
    }
  }
}

/** Without the address, which may hold a secret in its path. */
function reasonOf(cause: unknown, timeoutMs: number): string {
  if (!(cause instanceof Error)) return 'gave no answer'
  if (cause.name === 'TimeoutError') return `gave no answer within ${timeoutMs / 1000} s`
  const { cause: inner } = cause
  const code = inner instanceof Error && 'code' in inner ? ` (${String(inner.code)})` : ''
  return `cannot be reached${code}`
}
