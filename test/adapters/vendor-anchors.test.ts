/** Are the shipped roots loaded as anchors, and is a folder refused in which any of them is not the one its manifest names? */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { vendorAnchors } from '../../src/adapters/vendor-anchors.ts'

const shipped = new URL('../../certs/', import.meta.url)

it('loads four hardware roots, AMD’s under their products, and the intermediates as mere candidates', async () => {
  const { anchors, intermediates } = await vendorAnchors(shipped)
  expect(
    anchors.map(({ certificate, product, assurance }) => [
      certificate.commonName,
      product,
      assurance,
    ]),
  ).toEqual([
    ['ARK-Milan', 'Milan', 'hardware'],
    ['ARK-Genoa', 'Genoa', 'hardware'],
    ['ARK-Turin', 'Turin', 'hardware'],
    ['Intel SGX Root CA', undefined, 'hardware'],
  ])
  expect(intermediates.map(({ commonName }) => commonName)).toEqual(
    ['Milan', 'Genoa', 'Turin'].flatMap((line) => [`SEV-${line}`, `SEV-VLEK-${line}`]),
  )
})

describe('refuses', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vouchsafe-certs-'))
    cpSync(shipped, folder, { recursive: true })
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const load = () => vendorAnchors(pathToFileURL(`${folder}/`))
  const file = (name: string) => join(folder, name)

  it('a root that was exchanged for another', async () => {
    cpSync(file('amd/ark-genoa.pem'), file('amd/ark-milan.pem'))
    await expect(load()).rejects.toThrow(
      /^configuration-invalid: the vendor root .*ark-milan\.pem is not usable: its SHA-256 is 4c65/,
    )
  })

  it('a root that is missing', async () => {
    rmSync(file('intel/sgx-root-ca.pem'))
    await expect(load()).rejects.toThrow(/sgx-root-ca\.pem is not usable: ENOENT/)
  })

  it('a file with something behind the certificate', async () => {
    writeFileSync(file('amd/ark-milan.pem'), `${readFileSync(file('amd/ark-milan.pem'))}more`)
    await expect(load()).rejects.toThrow(/ark-milan\.pem is not usable/)
  })

  it.each([
    ['no JSON', '['],
    ['another shape', '{}'],
    [
      'a path out of the folder',
      '[{"file":"../x.pem","product":"Milan","role":"ark","sha256":"00"}]',
    ],
    [
      'an unknown role',
      '[{"file":"amd/ark-milan.pem","product":"Milan","role":"root","sha256":"00"}]',
    ],
  ])('a manifest of %s', async (_, manifest) => {
    writeFileSync(file('manifest.json'), manifest)
    await expect(load()).rejects.toThrow(/manifest\.json is not usable/)
  })
})
