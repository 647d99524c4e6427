/**
 * Are the shipped vendor certificates the ones we mean? The hashes stand here a second time, as literals: whoever slips
 * a root into certs/ has to change this file too, where a reviewer looks.
 */
import { constants, createHash, verify, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fromBER, type Sequence } from 'asn1js'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

const folder = new URL('../certs/', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, folder), 'utf8')

/** SHA-256 of the DER certificate. The vendors' fingerprints, not values computed from certs/. */
const known: Readonly<Record<string, string>> = {
  'amd/ark-milan.pem': '69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd',
  'amd/ask-milan.pem': '67d303bd3905fd38db8b20e0793699870e7fa612eaad5dec358293fd8c0bac1b',
  'amd/asvk-milan.pem': 'c5e081f59b7efab1fe2f8b505e159704e72f29cab7ef7cf628a05a42439082f5',
  'amd/ark-genoa.pem': '4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1',
  'amd/ask-genoa.pem': '5464738c1546aed5f2cecf1dc98c5c960a92e8913238a61711bc90ec6e828521',
  'amd/asvk-genoa.pem': '197e610743a917d6b9bb982a5a9226ccc0a15b611be0619e626aca9151457372',
  'amd/ark-turin.pem': '1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a',
  'amd/ask-turin.pem': '5b77ef5fe7a7a004fd9032668fba9d0fda22f88c4442069a479636a6ae3b3185',
  'amd/asvk-turin.pem': '104e10a8bd060a3c20a434261a57d0588fd65a88915b4f65b08bdecaf8df1a3c',
  'intel/sgx-root-ca.pem': '44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3',
}

const Manifest = z.array(
  z.strictObject({
    file: z.string(),
    vendor: z.enum(['amd', 'intel']),
    product: z.enum(['Milan', 'Genoa', 'Turin', 'DCAP']),
    role: z.enum(['ark', 'ask', 'asvk', 'sgx-root']),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    source: z.strictObject({ package: z.string(), version: z.string(), path: z.string() }),
  }),
)
const manifest = Manifest.parse(JSON.parse(read('manifest.json')))
const readme = read('README.md')
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(fileURLToPath(folder), join(entry.parentPath, entry.name)))

describe('the folder, the manifest and this test name the same files', () => {
  test('nothing in certs/ is unlisted, nothing listed is missing', () =>
    expect(files.toSorted()).toEqual(
      ['README.md', 'manifest.json', ...Object.keys(known)].toSorted(),
    ))

  test('the manifest lists each file once, with the hash written out here', () => {
    expect(manifest).toHaveLength(Object.keys(known).length)
    expect(Object.fromEntries(manifest.map(({ file, sha256 }) => [file, sha256]))).toEqual(known)
  })

  test('there is one anchor for each AMD product and one for Intel', () =>
    expect(
      manifest
        .filter(({ role }) => role === 'ark' || role === 'sgx-root')
        .map(({ vendor, product }) => `${vendor} ${product}`)
        .toSorted(),
    ).toEqual(['amd Genoa', 'amd Milan', 'amd Turin', 'intel DCAP']))
})

describe.each(manifest)('$file', ({ file, vendor, product, role, sha256, source }) => {
  const pem = read(file)
  const certificate = new X509Certificate(pem)

  test('has the known hash', () => {
    expect(hash(certificate.raw)).toBe(known[file])
    expect(hash(certificate.raw)).toBe(sha256)
  })

  test('holds one certificate and nothing else', () =>
    expect(pem).toBe(
      `-----BEGIN CERTIFICATE-----\n${wrapped(certificate.raw)}\n-----END CERTIFICATE-----\n`,
    ))

  test('is named after what it is', () => {
    const amdNames = { ark: 'ARK', ask: 'SEV', asvk: 'SEV-VLEK', 'sgx-root': '' }
    expect(commonName(certificate.subject)).toBe(
      vendor === 'amd' ? `${amdNames[role]}-${product}` : 'Intel SGX Root CA',
    )
    expect(certificate.ca).toBe(true)
  })

  test('stands in the README with its name, dates, source and both hashes', () => {
    const [facts = '', hashes = ''] = readme
      .split('\n')
      .filter((line) => line.startsWith(`| \`${file}\` |`))
    const day = (at: Date) => at.toISOString().slice(0, 10)
    expect(facts).toBe(
      `| \`${file}\` | ${commonName(certificate.subject)} | ${day(certificate.validFromDate)} to ${day(certificate.validToDate)} | \`${source.package}\` ${source.version}, \`${source.path}\` | Apache-2.0 |`,
    )
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
    expect(hashes).toBe(`| \`${file}\` | \`${sha256}\` | \`${hash(spki)}\` |`)
  })
})

describe.each(['milan', 'genoa', 'turin'])('AMD %s', (product) => {
  const ark = new X509Certificate(read(`amd/ark-${product}.pem`))

  test.each(['ark', 'ask', 'asvk'])('the ARK signed the %s', (role) =>
    expect(signedBy(ark, new X509Certificate(read(`amd/${role}-${product}.pem`)))).toBe(true),
  )

  test.each(['ask', 'asvk'])('no other product’s ARK signed the %s', (role) => {
    const intermediate = new X509Certificate(read(`amd/${role}-${product}.pem`))
    for (const other of ['milan', 'genoa', 'turin'].filter((name) => name !== product))
      expect(signedBy(new X509Certificate(read(`amd/ark-${other}.pem`)), intermediate)).toBe(false)
  })

  test('a salt of another length, or another hash, is not accepted as that signature', () => {
    expect(signedBy(ark, ark, { saltLength: 32 })).toBe(false)
    expect(signedBy(ark, ark, { algorithm: 'sha256' })).toBe(false)
  })
})

test('the Intel root signed itself', () => {
  const root = new X509Certificate(read('intel/sgx-root-ca.pem'))
  expect(root.subject).toBe(root.issuer)
  expect(root.verify(root.publicKey)).toBe(true)
})

/** RSASSA-PSS over the received to-be-signed bytes, with the parameters that AMD prescribes: SHA-384, MGF1 SHA-384, salt 48. */
function signedBy(
  issuer: X509Certificate,
  subject: X509Certificate,
  { algorithm = 'sha384', saltLength = 48 } = {},
): boolean {
  // A certificate that node:crypto parsed is a SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }.
  const [tbs, , signature] = (fromBER(subject.raw).result as Sequence).valueBlock.value
  if (!tbs || !signature) throw new Error(`${subject.subject} is not a certificate`)
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return verify(
    algorithm,
    tbs.valueBeforeDecodeView,
    { key: issuer.publicKey, padding, saltLength },
    // The tail of the BIT STRING: an RSA-4096 signature is 512 bytes.
    signature.valueBeforeDecodeView.subarray(-512),
  )
}

function hash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function wrapped(der: Buffer): string {
  return (der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')
}

function commonName(name: string): string | undefined {
  return /^CN=(.+)$/m.exec(name)?.[1]
}
