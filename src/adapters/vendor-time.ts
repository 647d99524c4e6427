/** What time is it, say the vendors? The Date header (RFC 9110 section 6.6.1) of whichever answers first, to the second. */
import type { Config } from '../config.ts'

const LONGEST_MS = 5_000

/** Rejects where neither answers. Any answer will do, a refusal too. */
export async function vendorTime({
  vendors: { amdKds, intelPcs },
}: Pick<Config, 'vendors'>): Promise<{ readonly by: string; readonly date: Date }> {
  return await Promise.any([amdKds, intelPcs].map(dateOf))
}

async function dateOf(address: string): Promise<{ readonly by: string; readonly date: Date }> {
  const response = await fetch(address, {
    method: 'HEAD',
    redirect: 'manual',
    signal: AbortSignal.timeout(LONGEST_MS),
  })
  const date = new Date(response.headers.get('date') ?? '')
  if (Number.isNaN(date.getTime())) throw new Error(`${address} does not say what time it is`)
  return { by: new URL(address).host, date }
}
