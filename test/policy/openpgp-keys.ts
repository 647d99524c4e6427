/** OpenPGP public keys made by hand: enough to be taken apart, without self-signatures. */
import { createHash } from 'node:crypto'
import { joined, utf8 } from './ssh-blobs.ts'

/** Old-format packet with a one-octet length. */
export function packet(tag: number, body: Uint8Array): Uint8Array {
  return joined(new Uint8Array([0x80 | (tag << 2), body.length]), body)
}

/** Version 4, EdDSA on Ed25519, with a point that nobody has the secret of. */
export function keyBody(seed: number): Uint8Array {
  return joined(
    new Uint8Array([4, 0, 0, 0, seed, 22, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 0x0f, 1, 1, 7, 0x40]),
    new Uint8Array(32).fill(seed),
  )
}

export function armored(
  packets: Uint8Array,
  { headers = '', checksum = '' }: { readonly headers?: string; readonly checksum?: string } = {},
): Uint8Array {
  const base64 = Buffer.from(packets).toString('base64').replace(/.{64}/g, '$&\n').trimEnd()
  return utf8(
    `-----BEGIN PGP PUBLIC KEY BLOCK-----\n${headers}\n${base64}\n${checksum}-----END PGP PUBLIC KEY BLOCK-----\n`,
  )
}

export function openPgpKey(seed: number) {
  const body = keyBody(seed)
  const keyring = joined(packet(6, body), packet(13, utf8('A <a@example.com>')))
  const fingerprint = createHash('sha1')
    .update(new Uint8Array([0x99, 0, body.length]))
    .update(body)
    .digest('hex')
    .toUpperCase()
  return { keyring, fingerprint, armored: armored(keyring) }
}
