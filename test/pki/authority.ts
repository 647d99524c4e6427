/** A three-level P-256 chain with fresh keys, each certificate open to alteration: what the path and CRL tests judge. */
import {
  type Alteration,
  basicConstraints,
  keyUsage,
  type MintedCertificate,
  mintCertificate,
} from '../../enclave/simulator/mint/certificate.ts'
import { type CrlFields, crlNumber, mintCrl } from '../../enclave/simulator/mint/crl.ts'
import { freshChance } from '../../enclave/simulator/mint/fresh.ts'
import { name } from '../../enclave/simulator/mint/name.ts'
import { ecdsaSha256 } from '../../enclave/simulator/mint/signing.ts'

export const chance = await freshChance()
export const day = (n: number) => new Date(Date.UTC(2026, 0, n))

const life = { notBefore: day(1), notAfter: day(30) }
const rootName = name(['CN', 'Root'])
const middleName = name(['CN', 'Middle'])

export interface Chain {
  readonly root: MintedCertificate
  readonly middle: MintedCertificate
  readonly leaf: MintedCertificate
}

export function chain(
  alter: { root?: Alteration; middle?: Alteration; leaf?: Alteration } = {},
  prefix = '',
): Chain {
  const rootKey = chance.p256(`${prefix}root`)
  const root = mintCertificate(
    rootKey,
    {
      serial: 1n,
      issuer: rootName,
      subject: rootName,
      ...life,
      extensions: [keyUsage(5, 6), basicConstraints(true, 1)],
      scheme: ecdsaSha256,
      signedBy: rootKey,
    },
    alter.root,
  )
  const middle = mintCertificate(
    chance.p256(`${prefix}middle`),
    {
      serial: 2n,
      issuer: rootName,
      subject: middleName,
      ...life,
      extensions: [keyUsage(5, 6), basicConstraints(true, 0)],
      scheme: ecdsaSha256,
      signedBy: rootKey,
    },
    alter.middle,
  )
  const leaf = mintCertificate(
    chance.p256(`${prefix}leaf`),
    {
      serial: 3n,
      issuer: middleName,
      subject: name(['CN', 'Leaf']),
      ...life,
      extensions: [keyUsage(0), basicConstraints(false)],
      scheme: ecdsaSha256,
      signedBy: middle.key,
    },
    alter.leaf,
  )
  return { root, middle, leaf }
}

export function crl(authority: MintedCertificate, fields: Partial<CrlFields> = {}): Uint8Array {
  return mintCrl({
    version: 1,
    issuer: authority.subject,
    thisUpdate: day(5),
    nextUpdate: day(15),
    revoked: [],
    extensions: [crlNumber(1)],
    scheme: ecdsaSha256,
    signedBy: authority.key,
    ...fields,
  })
}
