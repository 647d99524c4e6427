/** Who is at the other end? The peer of the socket: what X-Forwarded-For says is the sender's word, and so is not read. */

/**
 * On a socket for both families an IPv4 address comes mapped (RFC 4291 section 2.5.5.2), and is told as everybody writes it.
 * Empty where the peer is gone already.
 */
export function peerAddress(remoteAddress: string | undefined): string {
  return (remoteAddress ?? '').replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
}
