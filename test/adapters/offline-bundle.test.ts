/** Does a bundle carry everything, and is it refused for any byte, signer, name or date that is not as it was signed? */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { heldOf } from '../../src/adapters/endorsement-cache.ts'
import { encodeParts } from '../../src/adapters/endorsement-cache-encoding.ts'
import { examine } from '../../src/adapters/endorsement-cache-examine.ts'
import { endorsementLibrary } from '../../src/adapters/offline-bundle.ts'
import { encodeBundle, type ManifestEntry } from '../../src/adapters/offline-bundle-format.ts'
import { noFetch } from '../../src/adapters/vendor-fetch.ts'
import { toHex } from '../../src/bytes/encoding.ts'
import { type EndorsementParts, noParts } from '../../src/rats/endorsements.ts'
import { BundleRefused } from '../../src/service/endorsement-source.ts'
import { type EndorsementSubject, nameOf } from '../../src/service/endorsement-subject.ts'
import { movableClock, removeFolders, rig } from '../fakes/endorsement-rig.ts'
import {
  FMSPC,
  milanChip,
  type VendorServer,
  vendorServer,
  vendors,
} from '../fakes/vendor-server.ts'

const issued = new Date('2026-01-01T00:00:00Z')
const now = new Date('2026-01-02T00:00:00Z')
const published = vendors(issued)
const { amd } = published
let server: VendorServer
beforeAll(async () => {
  server = await vendorServer(published)
})
afterAll(async () => {
  await server.close()
  await removeFolders()
})

const subjects: readonly EndorsementSubject[] = [
  { document: 'amd-cert-chain', product: 'Milan', key: 'vcek' },
  { document: 'amd-crl', product: 'Milan', key: 'vcek' },
  {
    document: 'amd-vcek',
    product: 'Milan',
    chipId: toHex(milanChip.hwid),
    tcb: '04000000000018db',
  },
  { document: 'intel-tcb-info', tee: 'tdx', fmspc: FMSPC },
  { document: 'intel-qe-identity', tee: 'tdx' },
  { document: 'intel-root-crl' },
]
const milanCrl: EndorsementSubject = { document: 'amd-crl', product: 'Milan', key: 'vcek' }

const operator = generateKeyPairSync('ed25519')
const somebody = generateKeyPairSync('ed25519')
const pem = (key: KeyObject) =>
  `${key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' })}`
const publicKey = pem(operator.publicKey)

async function library(fetch?: typeof noFetch) {
  const clock = movableClock(now)
  const { cache } = await rig({
    base: server.base,
    clock,
    ...(fetch && { fetch }),
    cache: { whenDiskFails: 'throw' },
  })
  return { clock, cache, ...endorsementLibrary(cache, clock) }
}

async function exported(): Promise<Uint8Array> {
  const connected = await library()
  for (const subject of subjects) await connected.fetch(subject)
  return (await connected.exportBundle(pem(operator.privateKey))).bytes
}

describe('a bundle', () => {
  test('carries everything that is held to a site that asks no vendor', async () => {
    const connected = await library()
    for (const subject of subjects) await connected.fetch(subject)
    const { bytes, entries, signer } = await connected.exportBundle(pem(operator.privateKey))
    expect(entries.map(({ subject }) => nameOf(subject))).toEqual(subjects.map(nameOf).toSorted())

    const site = await library(noFetch)
    const imported = await site.importBundle({ bytes, publicKey, olderIsAllowed: false })
    expect(imported).toEqual({ created: now, signer, entries })
    for (const subject of subjects)
      expect(await site.cache.get(subject)).toEqual(await connected.cache.get(subject))
  })

  test('of the same documents is the same bytes', async () => {
    expect(toHex(await exported())).toBe(toHex(await exported()))
  })

  test('may be imported twice', async () => {
    const bytes = await exported()
    const site = await library(noFetch)
    for (const _ of [1, 2]) await site.importBundle({ bytes, publicKey, olderIsAllowed: false })
    expect(await site.cache.all()).toHaveLength(subjects.length)
  })

  test('of nothing is not written', async () => {
    const { exportBundle } = await library()
    await expect(exportBundle(pem(operator.privateKey))).rejects.toThrow('nothing is held')
  })

  test('outlives the restart of the site', async () => {
    const clock = movableClock(now)
    const bytes = await exported()
    const first = await rig({ base: server.base, clock, fetch: noFetch })
    await endorsementLibrary(first.cache, clock).importBundle({
      bytes,
      publicKey,
      olderIsAllowed: false,
    })
    const { cache } = await rig({
      base: server.base,
      clock,
      fetch: noFetch,
      directory: first.directory,
    })
    expect((await cache.get(milanCrl)).parts.crls).toHaveLength(1)
  })
})

describe('is refused, and nothing of it taken,', () => {
  let good: Uint8Array
  beforeAll(async () => {
    good = await exported()
  })

  async function refusal(bytes: Uint8Array, key = publicKey): Promise<string> {
    const site = await library(noFetch)
    const outcome = await site
      .importBundle({ bytes, publicKey: key, olderIsAllowed: true })
      .catch((error: unknown) => error)
    expect(outcome).toBeInstanceOf(BundleRefused)
    expect(await site.cache.all()).toEqual([])
    return outcome instanceof Error ? outcome.message : ''
  }

  test('a bundle with any one byte changed', async () => {
    const site = await library(noFetch)
    // Every byte of the head and manifest, every seventh of the documents.
    const head = good.indexOf(0x0a, good.indexOf(0x0a, good.indexOf(0x0a) + 1) + 1) + 1
    let tried = 0
    for (let at = 0; at < good.length; at += at < head ? 1 : 7)
      for (const bit of [0x01, 0x20]) {
        const bytes = Uint8Array.from(good)
        bytes[at] = (bytes[at] ?? 0) ^ bit
        await expect(
          site.importBundle({ bytes, publicKey, olderIsAllowed: true }),
          `byte ${at} of ${good.length}`,
        ).rejects.toThrow(BundleRefused)
        tried++
      }
    expect(tried).toBeGreaterThan(4000)
    expect(await site.cache.all()).toEqual([])
  })

  test('a bundle cut anywhere', async () => {
    const site = await library(noFetch)
    for (let end = 0; end < good.length; end += end < 3000 ? 13 : 501)
      await expect(
        site.importBundle({ bytes: good.subarray(0, end), publicKey, olderIsAllowed: true }),
      ).rejects.toThrow(BundleRefused)
  })

  test('a bundle with something after its end', async () =>
    expect(await refusal(Buffer.concat([good, Buffer.from('\n')]))).toContain('after the end'))

  test('a bundle of another signer, whose key is named', async () =>
    expect(await refusal(good, pem(somebody.publicKey))).toMatch(
      /not signed by the configured key [0-9a-f]{64}; it says that [0-9a-f]{64} signed it/,
    ))

  test.each([
    ['a certificate that is no key', 'hello', 'not a public key in PEM'],
    [
      'an RSA key',
      pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey),
      'rsa, expected ed25519',
    ],
    [
      'a P-256 key',
      pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey),
      'ec, expected ed25519',
    ],
  ])('any bundle under %s', async (_, key, says) =>
    expect(await refusal(good, key)).toContain(says),
  )

  test('any bundle to be signed with a key that is not Ed25519', async () => {
    const connected = await library()
    await connected.fetch(milanCrl)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await expect(connected.exportBundle(pem(privateKey))).rejects.toThrow('ec, expected ed25519')
    await expect(connected.exportBundle('')).rejects.toThrow('not a private key in PEM')
  })

  const crlParts: EndorsementParts = { ...noParts, crls: [amd.Milan.crl()] }

  /** Signed by the operator, and wrong all the same. */
  function signed(
    subject: EndorsementSubject,
    parts: EndorsementParts,
    changes: Partial<ManifestEntry> = {},
  ) {
    const { digest: sha256, ...dates } = heldOf(parts, examine(milanCrl, crlParts), now)
    const bytes = encodeParts(parts)
    const { issuedAt, fetchedAt, notAfter } = dates
    const entry = {
      name: nameOf(subject),
      sha256,
      size: bytes.length,
      issuedAt,
      fetchedAt,
      notAfter,
    }
    return { entry: { ...entry, ...changes }, bytes }
  }
  const bundle = (objects: Parameters<typeof encodeBundle>[0], created = now) =>
    encodeBundle(objects, { created, key: createPrivateKey(pem(operator.privateKey)) })

  test('not when nothing is wrong with it', async () => {
    const site = await library(noFetch)
    const bytes = bundle([signed(milanCrl, crlParts)])
    await site.importBundle({ bytes, publicKey, olderIsAllowed: false })
    expect(await site.cache.all()).toHaveLength(1)
  })

  const genoaCrl: EndorsementSubject = { ...milanCrl, product: 'Genoa' }
  const later = new Date('2026-01-02T02:00:00Z')
  test.each<[string, () => Uint8Array, string]>([
    [
      "another product's list under a name",
      () => bundle([signed(genoaCrl, crlParts)]),
      'ARK-Milan, expected ARK-Genoa',
    ],
    [
      'a name that no vendor has',
      () => bundle([signed(milanCrl, crlParts, { name: 'amd/Rome/vcek/crl' })]),
      'not the name',
    ],
    [
      'a name that leads out of the folder',
      () => bundle([signed(milanCrl, crlParts, { name: '../../etc/passwd' })]),
      'not the name',
    ],
    [
      'another date of issue',
      () => bundle([signed(milanCrl, crlParts, { issuedAt: now })]),
      'the manifest says issuedAt',
    ],
    [
      'another end',
      () => bundle([signed(milanCrl, crlParts, { notAfter: later })]),
      'the manifest says notAfter',
    ],
    [
      'a fetch after its creation',
      () => bundle([signed(milanCrl, crlParts, { fetchedAt: later })]),
      'a clock is wrong',
    ],
    [
      'a creation in the future',
      () => bundle([signed(milanCrl, crlParts)], later),
      'a clock is wrong',
    ],
    [
      'another hash',
      () => bundle([signed(milanCrl, crlParts, { sha256: 'a'.repeat(64) })]),
      'signed was aaaa',
    ],
    ['another size', () => bundle([signed(milanCrl, crlParts, { size: 10 })]), 'signed was'],
    [
      'a size beyond its end',
      () => bundle([signed(milanCrl, crlParts, { size: 1e9 })]),
      'not whole',
    ],
    [
      'one document twice',
      () => bundle([signed(milanCrl, crlParts), signed(milanCrl, crlParts)]),
      'twice',
    ],
    [
      'a document too many in a name',
      () => bundle([signed(milanCrl, { ...crlParts, certificates: [amd.Milan.ark.der] })]),
      'of 2 parts',
    ],
    ...[
      ['what is not parts at all', '{"certificates":[]}'],
      ['parts in another spelling', `${Buffer.from(encodeParts(crlParts))} `],
    ].map(([what = '', text = '']): [string, () => Uint8Array, string] => [
      what,
      () => {
        const bytes = Buffer.from(text)
        const sha256 = createHash('sha256').update(bytes).digest('hex')
        return bundle([{ ...signed(milanCrl, crlParts, { size: bytes.length, sha256 }), bytes }])
      },
      'is not what its name says',
    ]),
  ])('a bundle with %s', async (_, make, says) => expect(await refusal(make())).toContain(says))
})

describe('older documents than those held', () => {
  const crl = (thisUpdate: Date) => ({ ...noParts, crls: [amd.Milan.crl({ thisUpdate })] })
  const older = crl(new Date('2025-12-31T00:00:00Z'))
  const newer = crl(new Date('2026-01-01T12:00:00Z'))
  const held = (parts: EndorsementParts) => heldOf(parts, examine(milanCrl, parts), now)

  async function bundleOf(parts: EndorsementParts): Promise<Uint8Array> {
    const connected = await library()
    await connected.fetch({ document: 'intel-root-crl' })
    await connected.cache.put({ subject: milanCrl, held: held(parts) })
    return (await connected.exportBundle(pem(operator.privateKey))).bytes
  }

  test('refuse the whole bundle', async () => {
    const site = await library(noFetch)
    await site.cache.put({ subject: milanCrl, held: held(newer) })
    const bytes = await bundleOf(older)
    await expect(site.importBundle({ bytes, publicKey, olderIsAllowed: false })).rejects.toThrow(
      /^amd\/Milan\/vcek\/crl was issued at 2025-12-31T00:00:00.000Z, before/,
    )
    expect((await site.cache.all()).map(({ held: { digest } }) => digest)).toEqual([
      held(newer).digest,
    ])
  })

  test('are taken when the operator says so', async () => {
    const site = await library(noFetch)
    await site.cache.put({ subject: milanCrl, held: held(newer) })
    const bytes = await bundleOf(older)
    await site.importBundle({ bytes, publicKey, olderIsAllowed: true })
    expect((await site.cache.get(milanCrl)).digest).toBe(held(older).digest)
  })

  test('are replaced by newer ones', async () => {
    const site = await library(noFetch)
    await site.cache.put({ subject: milanCrl, held: held(older) })
    await site.importBundle({ bytes: await bundleOf(newer), publicKey, olderIsAllowed: false })
    expect((await site.cache.get(milanCrl)).digest).toBe(held(newer).digest)
  })
})
