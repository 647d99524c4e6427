/**
 * Which allowed name does this address belong to? Policies name hosts and the kernel sees addresses: the allowed names are resolved
 * again and again, and an address keeps its name for a while after it left the answers, as connections do. Whoever answers for a
 * name decides what counts as it: TLS, and not this, says who is at the other end.
 */
import { Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'

export interface HostNames {
  /** Empty where it belongs to none. */
  readonly hostOf: (address: string) => string
  /** Of all names, for a sensor that lets nothing else through. */
  readonly addresses: () => readonly string[]
  readonly refresh: () => Promise<void>
  readonly close: () => void
}

export interface HostNamesRequest {
  readonly hosts: readonly string[]
  /** Every address of a name; rejects where there is none. For tests. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
  /** Milliseconds, by a clock that nobody sets. */
  readonly clock?: () => number
}

const EVERY_MS = 30_000
const KEPT_MS = 10 * 60_000
/** A name server that answers with thousands must not fill our memory, nor the sensor’s. */
const MOST_ADDRESSES = 4096

/** Resolves after the first answers. A name that cannot be resolved has no address until it can. */
export async function hostNames({
  hosts,
  resolve = resolved,
  clock = () => performance.now(),
}: HostNamesRequest): Promise<HostNames> {
  const known = new Map<string, { readonly host: string; readonly until: number }>()
  const refresh = async () => {
    await Promise.all(
      hosts.map(async (host) => {
        const addresses = isIP(host) === 0 ? await resolve(host).catch(() => []) : [host]
        for (const address of addresses)
          if (known.size < MOST_ADDRESSES || known.has(address))
            known.set(address, { host, until: clock() + KEPT_MS })
      }),
    )
    for (const [address, { until }] of known) if (until < clock()) known.delete(address)
  }
  await refresh()
  const timer = setInterval(() => void refresh(), EVERY_MS)
  timer.unref()
  return {
    hostOf: (address) => known.get(address.replace(/^::ffff:(?=\d+\.)/, ''))?.host ?? '',
    addresses: () => [...known.keys()],
    refresh,
    close: () => clearInterval(timer),
  }
}

async function resolved(host: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
}
