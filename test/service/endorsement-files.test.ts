/** Are endorsements told apart by what they are, and refused with a sentence when they are nothing? */
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/bytes/encoding.ts'
import { Problem } from '../../src/problems.ts'
import { endorsementsOfFile } from '../../src/service/endorsement-files.ts'
import { pem, tableOf, vector } from '../cli/command.ts'
import { chain, day, crl as revocationList } from '../pki/authority.ts'

const { certificates, crls } = vector('sev-snp/milan-v3-good').parts
const [vcek = new Uint8Array(), ask = new Uint8Array()] = certificates
const [crl = new Uint8Array()] = crls
const td = vector('tdx/td15-v5-good')
const [tcbInfo] = td.parts.tcbInfos
const collateral = JSON.stringify({
  tcb_info: Buffer.from(tcbInfo?.body ?? []).toString('utf8'),
  tcb_info_signature: toHex(tcbInfo?.signature ?? new Uint8Array()),
  pck_crl: toHex(td.parts.crls[0] ?? new Uint8Array()),
})

const bytesOf = (file: string | Uint8Array) =>
  typeof file === 'string' ? new Uint8Array(Buffer.from(file)) : file
const hex = (all: readonly Uint8Array[]) => all.map(toHex)

describe('reads', () => {
  it.each<[string, string | Uint8Array, readonly Uint8Array[], readonly Uint8Array[]]>([
    ['a certificate in DER', vcek, [vcek], []],
    ['a revocation list in DER', crl, [], [crl]],
    ['a certificate in PEM', pem('CERTIFICATE', vcek), [vcek], []],
    [
      'several PEM blocks with text between, in their order',
      `of AMD:\n${pem('CERTIFICATE', ask)}\nand\n${pem('X509 CRL', crl)}${pem('CERTIFICATE', vcek)}`,
      [ask, vcek],
      [crl],
    ],
    ['PEM with Windows line ends', pem('CERTIFICATE', vcek).replaceAll('\n', '\r\n'), [vcek], []],
    ['a certificate table', tableOf({ vcek, ask }), [vcek, ask], []],
    ['collateral', collateral, [], [td.parts.crls[0] ?? new Uint8Array()]],
  ])('%s', (_, file, expectedCertificates, expectedCrls) => {
    const parts = endorsementsOfFile('a file', bytesOf(file))
    expect(hex(parts.certificates)).toEqual(hex(expectedCertificates))
    expect(hex(parts.crls)).toEqual(hex(expectedCrls))
  })

  it('the very bytes that Intel signed', () => {
    const [read] = endorsementsOfFile('a file', bytesOf(collateral)).tcbInfos
    expect(toHex(read?.body ?? new Uint8Array())).toBe(toHex(tcbInfo?.body ?? new Uint8Array()))
  })
})

describe('reads a revocation list after a mass revocation', () => {
  const { root } = chain()
  const revoked = Array.from({ length: 1000 }, (_, n) => ({
    serial: BigInt(n + 1),
    at: day(4),
    reason: 1,
  }))
  const long = revocationList(root, { revoked })
  it.each([
    ['in DER', long],
    ['in PEM', pem('X509 CRL', long)],
  ])('%s', (_, file) =>
    expect(hex(endorsementsOfFile('a file', bytesOf(file)).crls)).toEqual([toHex(long)]),
  )
})

describe('refuses', () => {
  const flipped = vcek.slice(0, -1)
  it.each<[string, string | Uint8Array, RegExp]>([
    ['an empty file', '', /found an empty file/],
    ['text', 'the VCEK of machine 7', /found none of these/],
    ['a certificate that is cut', flipped, /./],
    [
      'a certificate with a byte behind it',
      Buffer.concat([vcek, Buffer.from([0])]),
      /1 bytes after the end/,
    ],
    [
      'a key',
      pem('PRIVATE KEY', ask),
      /PEM block 1 at .* found a PRIVATE KEY, expected CERTIFICATE or X509 CRL/,
    ],
    ['another DER structure', Buffer.from('3003020101', 'hex'), /another DER structure/],
    [
      'DER that only begins as a certificate does',
      Buffer.from('30063004a0020500', 'hex'),
      /certificate at .* expected an X\.509 certificate in DER/,
    ],
    ['DER that only looks like a CRL', Buffer.from('300b3009020101300030001700', 'hex'), /crl at /],
    ['DER that is cut after its tag', Buffer.from('30', 'hex'), /./],
    [
      'a CRL that is labelled as a certificate',
      pem('CERTIFICATE', crl),
      /found a X509 CRL labelled CERTIFICATE/,
    ],
    [
      'a certificate that is labelled as a CRL',
      pem('X509 CRL', vcek),
      /found a CERTIFICATE labelled X509 CRL/,
    ],
    [
      'a PEM block that does not end',
      pem('CERTIFICATE', vcek).replace(/-----END.*/s, ''),
      /1 PEM blocks begun, 0 ended/,
    ],
    [
      'a PEM block that ends as another',
      pem('CERTIFICATE', vcek).replace('END CERTIFICATE', 'END X509 CRL'),
      /1 PEM blocks begun, 0 ended/,
    ],
    ['PEM with a foreign character', pem('CERTIFICATE', vcek).replace('\nM', '\n*'), /not base64/],
    [
      'an encrypted PEM block',
      '-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END CERTIFICATE-----',
      /PEM/,
    ],
    [
      'too many PEM blocks',
      pem('CERTIFICATE', vcek).repeat(257),
      /257 PEM blocks, expected at most 256/,
    ],
    ['a quote, although there is PEM in it', td.evidence.quote, /found none of these/],
    ['JSON that is no collateral', '{"hello":"world"}', /found no part of it/],
    ['JSON that is cut', '{"tcb_info": "', /./],
    [
      'a table that points outside of itself',
      tableOf({ vcek }).slice(0, 100),
      /as a table: certificate table\.VCEK/,
    ],
    ['a table of something else than certificates', tableOf({ vcek: new Uint8Array(32) }), /./],
    [
      'more than 8 MiB',
      new Uint8Array(8 * 1024 * 1024 + 1),
      /8388609 bytes, expected at most 8388608/,
    ],
  ])('%s', (_, file, reason) => {
    const refused = () => endorsementsOfFile('the/name.of.it', bytesOf(file))
    expect(refused).toThrow(Problem)
    expect(refused).toThrow(/^endorsement-unreadable: the\/name\.of\.it: .+ found .+, expected /s)
    expect(refused).toThrow(reason)
  })
})
