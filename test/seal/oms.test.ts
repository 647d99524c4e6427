/** Signatures of OpenSSF Model Signing 1.0: ours, one by the package model-signing, and what is refused of them. */
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { ModelRefused } from '#src/seal/model-refused.ts'
import { openSignature, readSignature, signModel } from '#src/seal/oms-bundle.ts'
import { rootOf, sha256Of } from '#src/seal/oms-root.ts'
import { modelOf, readStatement, writeStatement } from '#src/seal/oms-statement.ts'

const model = modelOf('llama', [
  { path: 'sub/b.bin', digest: sha256Of(Buffer.from('w\n')) },
  { path: 'sub.z', digest: sha256Of(Buffer.from('x')) },
  { path: 'a.txt', digest: sha256Of(Buffer.from('hello\n')) },
])

/** Made by model-signing 1.1.1 over the same three files. Its order is that of the parts of a path. */
const theirs = {
  publicKey: `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECt58//5YbZQdP45vmiDlBIGWD1db
zWnfql3S3Xhni3dlxN1UqGm1PlImOuS92QRgPcHBObZcpQoBnv12UiKglw==
-----END PUBLIC KEY-----
`,
  bundle: Buffer.from(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: {
        publicKey: { hint: '535d2c8a4340ea717015ea188c8b926a32a0f02a8d02eb2627fcaaf7b26b29f6' },
        tlogEntries: [],
      },
      dsseEnvelope: {
        payload:
          'ewogICJfdHlwZSI6ICJodHRwczovL2luLXRvdG8uaW8vU3RhdGVtZW50L3YxIiwKICAic3ViamVjdCI6IFsKICAgIHsKICAgICAgIm5hbWUiOiAibSIsCiAgICAgICJkaWdlc3QiOiB7CiAgICAgICAgInNoYTI1NiI6ICI1YTMxMTcyZDM2ZWU3YTU5Yjg1NTAzZmQwZTA5NGY3ZjAyNDgzMmJjYmM4MzQ3OTQwN2ZkOWU3MzJmMTEwNjE2IgogICAgICB9CiAgICB9CiAgXSwKICAicHJlZGljYXRlVHlwZSI6ICJodHRwczovL21vZGVsX3NpZ25pbmcvc2lnbmF0dXJlL3YxLjAiLAogICJwcmVkaWNhdGUiOiB7CiAgICAic2VyaWFsaXphdGlvbiI6IHsKICAgICAgImhhc2hfdHlwZSI6ICJzaGEyNTYiLAogICAgICAibWV0aG9kIjogImZpbGVzIiwKICAgICAgImlnbm9yZV9wYXRocyI6IFsKICAgICAgICAiLmdpdGh1YiIsCiAgICAgICAgIi5naXRhdHRyaWJ1dGVzIiwKICAgICAgICAiLmdpdGlnbm9yZSIsCiAgICAgICAgIi5naXQiCiAgICAgIF0sCiAgICAgICJhbGxvd19zeW1saW5rcyI6IGZhbHNlCiAgICB9LAogICAgInJlc291cmNlcyI6IFsKICAgICAgewogICAgICAgICJuYW1lIjogImEudHh0IiwKICAgICAgICAiYWxnb3JpdGhtIjogInNoYTI1NiIsCiAgICAgICAgImRpZ2VzdCI6ICI1ODkxYjViNTIyZDVkZjA4NmQwZmYwYjExMGZiZDlkMjFiYjRmYzcxNjNhZjM0ZDA4Mjg2YTJlODQ2ZjZiZTAzIgogICAgICB9LAogICAgICB7CiAgICAgICAgIm5hbWUiOiAic3ViL2IuYmluIiwKICAgICAgICAiYWxnb3JpdGhtIjogInNoYTI1NiIsCiAgICAgICAgImRpZ2VzdCI6ICJjZjk0NWI1MjM2ZTEwMWRiZTA0NzFkNTIwMGYyOGIxYWU2NGYyMWMxZjM1YmY1NWZjZjQwY2QwZmU0MmNkOGU3IgogICAgICB9LAogICAgICB7CiAgICAgICAgIm5hbWUiOiAic3ViLnoiLAogICAgICAgICJhbGdvcml0aG0iOiAic2hhMjU2IiwKICAgICAgICAiZGlnZXN0IjogIjJkNzExNjQyYjcyNmIwNDQwMTYyN2NhOWZiYWMzMmY1Yzg1MzBmYjE5MDNjYzRkYjAyMjU4NzE3OTIxYTQ4ODEiCiAgICAgIH0KICAgIF0KICB9Cn0=',
        payloadType: 'application/vnd.in-toto+json',
        signatures: [
          {
            sig: 'MEUCIAqiSiQhvw+lWK0gg8V51P8oC/bxYVCRsBaHebF6mkW2AiEA2hRS9FfTfQqcX+/FxSAUL9Fp0sKW8UmnDsAPDlrMCGU=',
            keyid: '',
          },
        ],
      },
    }),
  ),
}

const curves = ['P-256', 'P-384', 'P-521']

describe('a signature', () => {
  test.each(curves)('by a key on %s holds for whoever has its public half', (namedCurve) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve })
    const bundle = Buffer.from(signModel(model, privateKey))
    expect(openSignature(bundle, publicKey)).toEqual(model)
    expect(readSignature(bundle)).toEqual(model)
  })

  test.each(curves)('by another key on %s does not', (namedCurve) => {
    const [one, other] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve }))
    if (!one || !other) throw new Error('two were made')
    const bundle = Buffer.from(signModel(model, one.privateKey))
    expect(() => openSignature(bundle, other.publicKey)).toThrow(ModelRefused)
  })

  test('by model-signing holds, over its own order of the files', () => {
    const signed = openSignature(theirs.bundle, createPublicKey(theirs.publicKey))
    expect(signed.files.map(({ path }) => path)).toEqual(['a.txt', 'sub/b.bin', 'sub.z'])
    expect(model.files.map(({ path }) => path)).toEqual(['a.txt', 'sub.z', 'sub/b.bin'])
    expect(new Map(signed.files.map(({ path, digest }) => [path, digest]))).toEqual(
      new Map(model.files.map(({ path, digest }) => [path, digest])),
    )
    expect(signed.root).toBe(rootOf(signed.files.map(({ digest }) => digest)))
  })

  test.each(['rsa', 'ed25519', 'P-256K'])('is not made by a key of kind %s', (kind) => {
    expect(() => signModel(model, otherKey(kind))).toThrow(TypeError)
  })

  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const whole = JSON.parse(signModel(model, privateKey))
  const altered = (change: (bundle: typeof whole) => void) => {
    const copy = structuredClone(whole)
    change(copy)
    return Buffer.from(JSON.stringify(copy))
  }

  test.each([
    [
      'another payload',
      (b: typeof whole) => {
        b.dsseEnvelope.payload = Buffer.from(writeStatement(modelOf('x', model.files))).toString(
          'base64',
        )
      },
    ],
    [
      'another type of payload',
      (b: typeof whole) => {
        b.dsseEnvelope.payloadType = 'text/plain'
      },
    ],
    [
      'another media type',
      (b: typeof whole) => {
        b.mediaType = 'application/vnd.dev.sigstore.bundle.v0.2+json'
      },
    ],
    [
      'no signature',
      (b: typeof whole) => {
        b.dsseEnvelope.signatures = []
      },
    ],
    [
      'two signatures',
      (b: typeof whole) => {
        b.dsseEnvelope.signatures.push(b.dsseEnvelope.signatures[0])
      },
    ],
    [
      'a certificate in place of a key',
      (b: typeof whole) => {
        b.verificationMaterial = { certificate: { rawBytes: 'AA==' }, tlogEntries: [] }
      },
    ],
    [
      'an altered signature',
      (b: typeof whole) => {
        b.dsseEnvelope.signatures[0].sig = Buffer.alloc(70).toString('base64')
      },
    ],
  ])('with %s is refused', (_, change) => {
    expect(() => openSignature(altered(change), publicKey)).toThrow(ModelRefused)
  })

  test.each([
    [
      'keyid null',
      (b: typeof whole) => {
        b.dsseEnvelope.signatures[0].keyid = null
      },
    ],
    [
      'no keyid',
      (b: typeof whole) => {
        delete b.dsseEnvelope.signatures[0].keyid
      },
    ],
    [
      'no hint but the older rawBytes',
      (b: typeof whole) => {
        b.verificationMaterial.publicKey = {
          rawBytes: 'AA==',
          keyDetails: 'PKIX_ECDSA_P256_SHA_256',
        }
      },
    ],
    [
      'no list of log entries',
      (b: typeof whole) => {
        delete b.verificationMaterial.tlogEntries
      },
    ],
  ])('with %s holds: section 11.1 of the specification', (_, change) => {
    expect(openSignature(altered(change), publicKey)).toEqual(model)
  })
})

describe('a statement', () => {
  const whole = JSON.parse(Buffer.from(writeStatement(model)).toString())
  const altered = (change: (statement: typeof whole) => void) => {
    const copy = structuredClone(whole)
    change(copy)
    return Buffer.from(JSON.stringify(copy))
  }

  test('reads as it was written', () => expect(readStatement(writeStatement(model))).toEqual(model))

  test.each([
    [
      'another root',
      'root',
      (s: typeof whole) => {
        s.subject[0].digest.sha256 = '0'.repeat(64)
      },
    ],
    ['files in another order', 'root', (s: typeof whole) => s.predicate.resources.reverse()],
    ['a file left out', 'root', (s: typeof whole) => s.predicate.resources.pop()],
    ['two subjects', 'subject', (s: typeof whole) => s.subject.push(s.subject[0])],
    [
      'shards',
      'no shards',
      (s: typeof whole) => {
        s.predicate.serialization.method = 'shards'
      },
    ],
    [
      'another hash',
      'only sha256',
      (s: typeof whole) => {
        s.predicate.serialization.hash_type = 'blake3'
      },
    ],
    [
      'symbolic links',
      'symbolic links',
      (s: typeof whole) => {
        s.predicate.serialization.allow_symlinks = true
      },
    ],
    [
      'the predicate of version 0.2',
      'predicateType',
      (s: typeof whole) => {
        s.predicateType = 'https://model_signing/Digests/v0.1'
      },
    ],
    [
      'a file twice',
      'twice',
      (s: typeof whole) => s.predicate.resources.push(s.predicate.resources[0]),
    ],
    [
      'no files',
      'resources',
      (s: typeof whole) => {
        s.predicate.resources = []
      },
    ],
  ])('with %s is refused: %s', (_, says, change) => {
    expect(() => readStatement(altered(change))).toThrow(says)
  })
})

function otherKey(kind: string): KeyObject {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  if (kind === 'ed25519') return generateKeyPairSync('ed25519').privateKey
  return generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey
}
