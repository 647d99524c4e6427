/**
 * Endorsements in one signed file, for sites that reach no vendor:
 *
 *     vouchsafe-collateral-bundle/v1 LF
 *     <Ed25519 signature, base64> LF
 *     <manifest, one line of JSON> LF
 *     <the objects, one after another, in the order of the manifest>
 *
 * The signature covers a domain tag and the manifest's bytes as they stand; the manifest covers every object by size and
 * SHA-256; nothing may follow. So there is no byte that can change, and the signature is checked before anything is parsed.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { z } from 'zod'
import { concat } from '../bytes/encoding.ts'
import { Malformed } from '../bytes/malformed.ts'
import { reader } from '../bytes/reader.ts'
import { BundleRefused } from '../service/endorsement-source.ts'

interface BundleManifest {
  readonly created: Date
  /** SHA-256 of the signer's SubjectPublicKeyInfo, hex: so that a refusal can say whose bundle it is. */
  readonly signer: string
  /** In the order of names. */
  readonly entries: readonly ManifestEntry[]
}

export interface ManifestEntry {
  readonly name: string
  readonly sha256: string
  readonly size: number
  readonly issuedAt: Date
  readonly fetchedAt: Date
  readonly notAfter: Date
}

export interface BundleObject {
  readonly entry: ManifestEntry
  readonly bytes: Uint8Array
}

const FIRST_LINE = 'vouchsafe-collateral-bundle/v1\n'
const DOMAIN = 'vouchsafe/collateral-bundle/v1\0'
const SIGNATURE_CHARACTERS = 88
const LARGEST_BUNDLE = 64 * 1024 * 1024
const LARGEST_MANIFEST = 8 * 1024 * 1024
const LINE_FEED = 0x0a

export function encodeBundle(
  objects: readonly BundleObject[],
  { created, key }: { readonly created: Date; readonly key: KeyObject },
): Uint8Array {
  const ordered = objects.toSorted((a, b) => (a.entry.name < b.entry.name ? -1 : 1))
  const entries = ordered.map(({ entry }) => ({
    name: entry.name,
    sha256: entry.sha256,
    size: entry.size,
    issuedAt: entry.issuedAt,
    fetchedAt: entry.fetchedAt,
    notAfter: entry.notAfter,
  }))
  const signer = fingerprintOf(createPublicKey(key))
  const manifest = utf8(JSON.stringify({ created, signer, entries }))
  const signature = sign(null, concat(utf8(DOMAIN), manifest), key).toString('base64')
  const head = utf8(`${FIRST_LINE}${signature}\n`)
  return concat(head, manifest, utf8('\n'), ...ordered.map(({ bytes }) => bytes))
}

export interface OpenedBundle {
  readonly manifest: BundleManifest
  readonly objects: readonly BundleObject[]
}

/** Throws BundleRefused unless every byte is as `key` signed it. What the objects say is not looked at. */
export function decodeBundle(bundle: Uint8Array, key: KeyObject): OpenedBundle {
  try {
    return decode(bundle, key)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    throw new BundleRefused(`the bundle is not whole: ${cause.message}`, { cause })
  }
}

function decode(bundle: Uint8Array, key: KeyObject): OpenedBundle {
  if (bundle.length > LARGEST_BUNDLE)
    throw new BundleRefused(
      `the bundle has ${bundle.length} bytes, expected at most ${LARGEST_BUNDLE}`,
    )
  const source = reader(bundle, 'bundle')
  const first = latin1(source.bytes('first line', Math.min(FIRST_LINE.length, source.left)))
  if (first !== FIRST_LINE)
    throw new BundleRefused('the file is not a collateral bundle of version 1')
  const signature = signatureOf(latin1(source.bytes('signature', SIGNATURE_CHARACTERS + 1)))
  const line = manifestLine(bundle.subarray(source.offset))
  const signed = source.bytes('manifest', line)
  if (!verify(null, concat(utf8(DOMAIN), signed), key, signature))
    throw new BundleRefused(
      `the bundle is not signed by the configured key ${fingerprintOf(key)}${claimedSigner(signed)}`,
    )
  source.bytes('end of manifest', 1)
  const manifest = manifestOf(signed)
  const objects = manifest.entries.map((entry) => {
    const bytes = source.bytes(entry.name, entry.size)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    if (sha256 !== entry.sha256)
      throw new BundleRefused(`${entry.name} has SHA-256 ${sha256}, signed was ${entry.sha256}`)
    return { entry, bytes }
  })
  source.done()
  return { manifest, objects }
}

/** One spelling: base64 has spare bits at its end. */
function signatureOf(line: string): Uint8Array {
  const signature = Buffer.from(line, 'base64')
  if (signature.length !== 64 || `${signature.toString('base64')}\n` !== line)
    throw new BundleRefused('the second line of the bundle is not an Ed25519 signature in base64')
  return signature
}

function manifestLine(rest: Uint8Array): number {
  const end = rest.subarray(0, LARGEST_MANIFEST).indexOf(LINE_FEED)
  if (end === -1) throw new BundleRefused('the third line of the bundle has no end')
  return end
}

/** Said by nobody we trust: it only helps to find out which key is meant. */
function claimedSigner(manifest: Uint8Array): string {
  const [, claimed] = /"signer":"([0-9a-f]{64})"/.exec(latin1(manifest.subarray(0, 1024))) ?? []
  return claimed === undefined ? '' : `; it says that ${claimed} signed it`
}

const instant = z.iso.datetime().transform((text) => new Date(text))
const manifestSchema = z.strictObject({
  created: instant,
  signer: z.string(),
  entries: z.array(
    z.strictObject({
      name: z.string(),
      sha256: z.string(),
      size: z.int().nonnegative(),
      issuedAt: instant,
      fetchedAt: instant,
      notAfter: instant,
    }),
  ),
})

/** Signed by now; still written by another version, perhaps. */
function manifestOf(line: Uint8Array): BundleManifest {
  try {
    return manifestSchema.parse(JSON.parse(Buffer.from(line).toString('utf8')))
  } catch (cause) {
    throw new BundleRefused('the manifest is signed, but not one that this version understands', {
      cause,
    })
  }
}

/** SHA-256 of the SubjectPublicKeyInfo, hex. */
export function fingerprintOf(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
