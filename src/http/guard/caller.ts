/**
 * Whose request is it, for counting? The peer's, or the one whom a proxy that the configuration names vouches for. It decides
 * how many requests are answered and nothing else: an address opens no door.
 */
import { BlockList, isIP } from 'node:net'
import { peerAddress } from '../peer-address.ts'

export interface CallerNames {
  /** `remoteAddress` as the socket has it, `forwardedFor` the header X-Forwarded-For; the answer names a caller, to be counted. */
  readonly callerOf: (remoteAddress: string | undefined, forwardedFor: string | null) => string
  /** Whether the configuration names the peer: then it carries the connections of many. */
  readonly isProxy: (remoteAddress: string | undefined) => boolean
}

/** Proxies in a row. What a header says beyond them costs time to read, and no deployment has as many. */
const MOST_HOPS = 16

/** `trustedProxies`: addresses and CIDR ranges, which the configuration has checked. */
export function callerNames(trustedProxies: readonly string[]): CallerNames {
  const trusted = new BlockList()
  for (const each of trustedProxies) {
    const [address = '', prefix] = each.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }
  const isTrusted = (address: string) => {
    const version = isIP(address)
    return version !== 0 && trusted.check(address, version === 6 ? 'ipv6' : 'ipv4')
  }

  return {
    isProxy: (remoteAddress) => isTrusted(peerOf(remoteAddress)),
    callerOf(remoteAddress, forwardedFor) {
      const peer = peerOf(remoteAddress)
      if (forwardedFor === null || trustedProxies.length === 0 || !isTrusted(peer))
        return countedName(peer)
      return countedName(forwardedBy(peer, forwardedFor, isTrusted))
    },
  }
}

/**
 * From the right, where the nearest proxy wrote: the first that is no proxy of ours. What stands to the left of it is the
 * sender's word, however much of it there is: it is cut off before it is counted. An entry that is no address ends the search
 * at the proxy that wrote it.
 */
function forwardedBy(
  peer: string,
  forwardedFor: string,
  isTrusted: (address: string) => boolean,
): string {
  let nearest = peer
  for (const hop of forwardedFor.split(',').slice(-MOST_HOPS).toReversed()) {
    const address = addressOf(hop.trim())
    if (address === undefined) return nearest
    nearest = address
    if (!isTrusted(address)) return nearest
  }
  return nearest
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function addressOf(hop: string): string | undefined {
  const bare =
    /^\[([^\]]*)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop
  return isIP(bare) === 0 || bare.includes('%') ? undefined : unmapped(bare)
}

/** Without the zone, which names an interface of ours. */
function peerOf(remoteAddress: string | undefined): string {
  return peerAddress(remoteAddress).replace(/%.*$/, '')
}

/** A header may write a mapped IPv4 address (RFC 4291 section 2.5.5.2) in any way: `::ffff:192.0.2.1`, `::FFFF:c000:201`. */
function unmapped(address: string): string {
  if (isIP(address) !== 6) return address
  const groups = groupsOf(address)
  const [high = 0, low = 0] = groups.slice(6)
  return groups.slice(0, 6).join(':') === '0:0:0:0:0:65535'
    ? [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
    : address
}

/** Whoever has an IPv6 address has at least the /64 around it (RFC 6177), and is counted as one. */
function countedName(address: string): string {
  return isIP(address) === 6
    ? `${groupsOf(address)
        .slice(0, 4)
        .map((group) => group.toString(16))
        .join(':')}::/64`
    : address
}

/** The eight groups of an IPv6 address without a zone: `::` stands for any number of zeros, an IPv4 address at the end for two groups. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail = ''] = address.split('::').map(inHexadecimal)
  const [before, after] = [head, tail].map((part) => (part === '' ? [] : part.split(':')))
  const zeros = Array<string>(8 - (before?.length ?? 0) - (after?.length ?? 0)).fill('0')
  return [...(before ?? []), ...zeros, ...(after ?? [])].map((group) => Number.parseInt(group, 16))
}

function inHexadecimal(groups: string): string {
  return groups.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...octets: readonly string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = octets.slice(0, 4).map(Number)
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  })
}
