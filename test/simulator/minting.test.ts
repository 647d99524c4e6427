/** Does the simulator mint certificates, lists and signatures that others accept, the same ones every time? */
import { constants, generateKeyPairSync, verify, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { amdPki } from '../../enclave/simulator/amd.ts'
import { snpProducts } from '../../enclave/simulator/amd-vek.ts'
import { keyUsage, mintCertificate } from '../../enclave/simulator/mint/certificate.ts'
import { integer, tlv } from '../../enclave/simulator/mint/der.ts'
import { freshChance } from '../../enclave/simulator/mint/fresh.ts'
import { name } from '../../enclave/simulator/mint/name.ts'
import {
  type Chance,
  ecdsaSha256,
  ecdsaSha384,
  pkcs1Sha256,
  pssSha256,
  pssSha384,
} from '../../enclave/simulator/mint/signing.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { toHex } from '../../src/bytes/encoding.ts'
import { anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { decodeCrl, freshness, isRevoked, revocationSource } from '../../src/pki/crl.ts'
import { decodeDer, unsignedInteger } from '../../src/pki/der.ts'
import { validatePath } from '../../src/pki/path.ts'
import { rsaPssSha384 } from '../../src/pki/scheme.ts'
import { decodeVekExtensions } from '../../src/tee/sev-snp/vek.ts'
import { profileOf } from './shape.ts'

const CERTS = fileURLToPath(new URL('../../certs/amd/', import.meta.url))
const VECTORS = fileURLToPath(new URL('../../../shared/vectors/', import.meta.url))
const RECORDED = {
  Milan: `${VECTORS}automata-network+amd-sev-snp-attestation-sdk/automata-milan-v2.vcek.der`,
  Genoa: `${VECTORS}confidential-containers+trustee/azure-genoa-v3.vcek.der`,
  Turin: `${VECTORS}virtee+sev/vcek_turin.der`,
} as const
const ISSUED = new Date('2026-01-01T00:00:00Z')
const seeded = seededChance('test')
const message = new TextEncoder().encode('message')

describe('DER', () => {
  test.each([
    [0, '020100'],
    [127, '02017f'],
    [128, '02020080'],
    [219, '020200db'],
    [-37, '0201db'],
    [0x010000, '0203010000'],
    [1n << 159n, `021500${(1n << 159n).toString(16)}`],
  ])('writes the INTEGER %s minimally', (value, hex) => expect(toHex(integer(value))).toBe(hex))

  test('reads back what it wrote', () => {
    for (const value of [0, 1, 127, 128, 255, 256, 65535])
      expect(unsignedInteger(decodeDer(integer(value), 'integer'))).toBe(value)
  })

  test.each([0, 127, 128, 255, 256, 70000])('writes a length of %s', (size) =>
    expect(decodeDer(tlv(0x04, new Uint8Array(size)), 'octets').contents).toHaveLength(size),
  )
})

describe('seeded keys', () => {
  const { rsa4096, p256, p384 } = seeded
  const pss = (saltLength: number) => ({ padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

  test.each([
    ['RSASSA-PSS SHA-384', rsa4096('stranger'), pssSha384, pss(48)],
    ['RSASSA-PSS SHA-256', rsa4096('stranger'), pssSha256, pss(32)],
    [
      'RSASSA-PKCS1-v1_5',
      rsa4096('stranger'),
      pkcs1Sha256,
      { padding: constants.RSA_PKCS1_PADDING },
    ],
    ['ECDSA P-256', p256('k'), ecdsaSha256, {}],
    ['ECDSA P-384', p384('k'), ecdsaSha384, {}],
    ['ECDSA P-384 over SHA-256', p384('k'), ecdsaSha256, {}],
    ['ECDSA P-256 over SHA-384', p256('k'), ecdsaSha384, {}],
  ])(
    'make %s signatures that node verifies, and only for their message',
    (_, key, scheme, options) => {
      const signature = key.sign(message, scheme)
      const holds = (text: Uint8Array) =>
        verify(scheme.digest, text, { key: key.publicKey, ...options }, signature)
      expect(holds(message)).toBe(true)
      expect(holds(message.subarray(1))).toBe(false)
      expect(toHex(key.sign(message, scheme))).toBe(toHex(signature))
    },
  )

  test('salt RSASSA-PSS by the message', () => {
    const key = rsa4096('stranger')
    const wrongSalt = { key: key.publicKey, ...pss(47) }
    expect(verify('sha384', message, wrongSalt, key.sign(message, pssSha384))).toBe(false)
  })

  test('differ by label, by kind and by seed', () => {
    const point = (chance: Chance, label: string) =>
      toHex(chance.p256(label).publicKey.export({ format: 'der', type: 'spki' }))
    const points = [point(seeded, 'a'), point(seeded, 'b'), point(seededChance('other'), 'a')]
    expect(new Set(points).size).toBe(3)
    expect(toHex(seeded.bytes('a', 32))).not.toBe(toHex(seeded.bytes('b', 32)))
  })

  test('refuse a scheme of another kind of key', () => {
    expect(() => p256('k').sign(message, pssSha384)).toThrow(TypeError)
    expect(() => rsa4096('stranger').sign(message, ecdsaSha256)).toThrow(TypeError)
  })
})

describe('fresh keys', () => {
  let chance: Chance
  beforeAll(async () => {
    chance = await freshChance(['ark'])
  })

  test('are the same for one label and others in another process', async () => {
    expect(chance.p384('a')).toBe(chance.p384('a'))
    const other = await freshChance()
    const spki = (from: Chance) =>
      toHex(from.p384('a').publicKey.export({ format: 'der', type: 'spki' }))
    expect(spki(other)).not.toBe(spki(chance))
    expect(toHex(other.bytes('a', 16))).not.toBe(toHex(chance.bytes('a', 16)))
  })

  test('sign', () => {
    const key = chance.rsa4096('ark')
    const options = { key: key.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }
    expect(verify('sha384', message, options, key.sign(message, pssSha384))).toBe(true)
    const ec = chance.p256('k')
    expect(verify('sha256', message, ec.publicKey, ec.sign(message, ecdsaSha256))).toBe(true)
  })
})

describe.each(snpProducts)('the PKI of %s', (product) => {
  const pki = amdPki({ chance: seeded, product, issued: ISSUED })
  const hwid = seeded.bytes('hwid', product === 'Turin' ? 8 : 64)
  const tcb = {
    bootloader: 4,
    tee: 0,
    snp: 24,
    microcode: 219,
    ...(product === 'Turin' && { fmc: 1 }),
  }
  const vcek = pki.vcek({ hwid, tcb })
  const vlek = pki.vlek({ cspId: 'CN=cloud.example', tcb })
  const anchors = anchorSet([
    { certificate: decodeCertificate(pki.ark.der), product, assurance: 'simulated' },
  ])

  test.each([
    ['VCEK', vcek, pki.ask],
    ['VLEK', vlek, pki.asvk],
  ])('has a faultless path from ARK to %s', (_, vek, issuer) => {
    const { faults, anchor } = validatePath({
      leaf: decodeCertificate(vek.der),
      candidates: [decodeCertificate(issuer.der)],
      anchors,
      scheme: rsaPssSha384,
      intermediates: 1,
    })
    expect([...faults.values()]).toEqual([])
    expect(anchor?.product).toBe(product)
    expect(() => new X509Certificate(vek.der)).not.toThrow()
  })

  test('certifies the TCB, chip and provider that were asked for', () => {
    const chip = decodeVekExtensions(decodeCertificate(vcek.der))
    expect(chip.tcb).toEqual(tcb)
    expect(chip.hwid).toEqual(hwid)
    expect(chip.product.name).toBe(product)
    const cloud = decodeVekExtensions(decodeCertificate(vlek.der))
    expect(cloud.cspId).toBe('CN=cloud.example')
    expect(cloud.hwid).toBeUndefined()
  })

  test('publishes a list that the ARK signed, with the chosen serials and dates', () => {
    const crl = decodeCrl(pki.crl({ revoked: [{ serial: pki.ask.serial, at: ISSUED, reason: 1 }] }))
    const ark = decodeCertificate(pki.ark.der)
    const source = revocationSource(ark, [crl], rsaPssSha384)
    expect(source.forged).toBeUndefined()
    expect(isRevoked(decodeCertificate(pki.ask.der), source)).toBe(true)
    expect(isRevoked(decodeCertificate(pki.asvk.der), source)).toBe(false)
    expect(freshness(source)?.notBefore).toEqual(ISSUED)
  })

  test.each(['ark', 'ask', 'asvk'] as const)('has the shape of the published %s', (role) => {
    const published = readFileSync(`${CERTS}${role}-${product.toLowerCase()}.pem`)
    expect(profileOf(pki[role].der)).toBe(profileOf(new X509Certificate(published).raw))
  })

  const recorded = RECORDED[product]
  test.skipIf(!existsSync(recorded))(
    'has the shape of a recorded VCEK (skipped: not at hand)',
    () => {
      const der = new Uint8Array(readFileSync(recorded))
      expect(profileOf(vcek.der)).toBe(profileOf(der))
    },
  )

  test('is byte for byte the same when minted again', () => {
    const again = amdPki({ chance: seededChance('test'), product, issued: ISSUED })
    expect(toHex(again.vcek({ hwid, tcb }).der)).toBe(toHex(vcek.der))
    expect(toHex(again.ark.der)).toBe(toHex(pki.ark.der))
    expect(toHex(again.crl())).toBe(toHex(pki.crl()))
  })
})

describe('an alteration', () => {
  const subject = name(['CN', 'subject'])
  const usual = {
    serial: 1n,
    issuer: subject,
    subject,
    notBefore: ISSUED,
    notAfter: new Date('2060-01-01T00:00:00Z'),
    extensions: [keyUsage(0, 1)],
    scheme: ecdsaSha256,
    signedBy: seeded.p256('a'),
  }

  test('that adds a second extension of one kind is minted, and refused by the verifier', () => {
    const twice = mintCertificate(seeded.p256('a'), usual, ({ extensions }) => ({
      extensions: [...extensions, ...extensions],
    }))
    expect(() => decodeCertificate(twice.der)).toThrow('appears twice')
  })

  test('that lets another key sign keeps the issuer name', () => {
    const forged = mintCertificate(seeded.p256('a'), usual, () => ({ signedBy: seeded.p256('b') }))
    const { publicKey } = seeded.p256('a')
    const node = new X509Certificate(forged.der)
    expect(node.verify(publicKey)).toBe(false)
    expect(
      new X509Certificate(mintCertificate(seeded.p256('a'), usual).der).verify(publicKey),
    ).toBe(true)
  })

  test('that moves a date past 2049 writes GeneralizedTime', () => {
    const { notAfter, keyUsage: usage } = decodeCertificate(
      mintCertificate(seeded.p256('a'), usual).der,
    )
    expect(notAfter.toISOString()).toBe('2060-01-01T00:00:00.000Z')
    expect(usage).toEqual(new Set([0, 1]))
  })

  test('that replaces the public key certifies that key', () => {
    const { publicKey } = generateKeyPairSync('ed25519')
    const odd = mintCertificate(seeded.p256('a'), usual, () => ({ publicKey }))
    expect(decodeCertificate(odd.der).keyType).toBe('ed25519')
  })
})
