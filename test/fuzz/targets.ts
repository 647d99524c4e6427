/** Every parser that meets bytes which an attacker may have written, with seeds that lead deep into it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Malformed } from '../../src/bytes/malformed.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { decodeCrl } from '../../src/pki/crl.ts'
import { readAllowedSigners } from '../../src/policy/signatures/allowed-signers.ts'
import { readCommit, withSignature } from '../../src/policy/signatures/commit-object.ts'
import { readDsseEnvelope } from '../../src/policy/signatures/dsse.ts'
import { readOpenPgpKeys } from '../../src/policy/signatures/openpgp.ts'
import { readSshKey, sshKeyText } from '../../src/policy/signatures/ssh-key.ts'
import { isGenuine, readSshSignature } from '../../src/policy/signatures/ssh-signature.ts'
import { decodeVector } from '../../src/rats/vector.ts'
import { partsOfCollateralJson } from '../../src/tee/dcap/collateral-json.ts'
import { decodeEventLog } from '../../src/tee/dcap/event-log/decode.ts'
import { coverage } from '../../src/tee/dcap/event-log/payload.ts'
import { replay } from '../../src/tee/dcap/event-log/replay.ts'
import { decodeQeIdentity } from '../../src/tee/dcap/qe-identity.ts'
import { decodeTcbInfo } from '../../src/tee/dcap/tcb-info.ts'
import { tees } from '../../src/tee/registry.ts'
import { decodeCertificateTable } from '../../src/tee/sev-snp/certificate-table.ts'
import { decodeVekExtensions } from '../../src/tee/sev-snp/vek.ts'
import { openPgpKey } from '../policy/openpgp-keys.ts'
import { armor } from '../policy/ssh-blobs.ts'
import { fixtures } from '../vectors/fixture.ts'

export interface Target {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  /** Throws Malformed for what it refuses; anything else is a finding. */
  readonly parse: (input: Uint8Array) => void
}

const sshSignatures = readdirSync(join(import.meta.dirname, '../policy/recorded'))
  .filter((name) => name.endsWith('.sig'))
  .map((name) => readFileSync(join(import.meta.dirname, '../policy/recorded', name), 'utf8'))
const good = fixtures.filter(({ vector }) => vector.header.expect === 'pass')
const text = (input: Uint8Array) => Buffer.from(input).toString('utf8')
const bytes = (input: string) => new Uint8Array(Buffer.from(input))

export const targets: readonly Target[] = [
  ...tees.map((tee): Target => {
    const own = good.filter((fixture) => fixture.tee === tee)
    return {
      name: `${tee.name} evidence`,
      seeds: own.map(({ vector }) => vector.evidence.quote),
      parse(quote) {
        tee.recognises(quote)
        const decoding = tee.decode({ quote })
        if ('evidence' in decoding) JSON.stringify(tee.inspect(decoding.evidence))
        else if (!tee.structure.some(({ id }) => id === decoding.fault.id))
          throw new Error(`a fault under an unknown rule: ${decoding.fault.id}`)
      },
    }
  }),
  {
    name: 'certificate',
    seeds: good.flatMap(({ vector }) => vector.parts.certificates).slice(0, 12),
    parse(der) {
      const certificate = decodeCertificate(der)
      try {
        decodeVekExtensions(certificate)
      } catch (error) {
        // The one parser that throws plain errors: its caller turns each into a refusal.
        if (!(error instanceof Error) || error instanceof RangeError) throw error
      }
    },
  },
  {
    name: 'revocation list',
    seeds: good.flatMap(({ vector }) => vector.parts.crls).slice(0, 12),
    parse: (der) => void decodeCrl(der),
  },
  {
    name: 'certificate table',
    seeds: fixtures.flatMap(({ vector }) => vector.evidence.auxblob ?? []).slice(0, 6),
    parse: (table) => void decodeCertificateTable(table),
  },
  {
    name: 'event log',
    seeds: fixtures.flatMap(({ vector }) => vector.evidence.eventLog ?? []).slice(0, 6),
    parse(input) {
      const log = decodeEventLog(input)
      replay(log)
      coverage(log)
    },
  },
  {
    name: 'TCB info',
    seeds: good.flatMap(({ vector }) => vector.parts.tcbInfos.map(({ body }) => body)).slice(0, 6),
    parse: (body) => void decodeTcbInfo(body),
  },
  {
    name: 'QE identity',
    seeds: good
      .flatMap(({ vector }) => vector.parts.qeIdentities.map(({ body }) => body))
      .slice(0, 6),
    parse: (body) => void decodeQeIdentity(body),
  },
  {
    name: 'collateral JSON',
    seeds: [collateralSeed()],
    parse: (input) => void partsOfCollateralJson(text(input)),
  },
  {
    name: 'vector file',
    seeds: good
      .slice(0, 3)
      .map(({ name }) =>
        bytes(readFileSync(join(import.meta.dirname, '../../fixtures', name), 'utf8')),
      ),
    parse: (input) => void decodeVector(text(input)),
  },
  {
    name: 'SSH signature',
    seeds: sshSignatures.map((armored) => bytes(armored)),
    parse: (input) => void isGenuine(readSshSignature(input), bytes('the bytes\n'), 'git'),
  },
  {
    // Behind the armor, where a changed byte is not stopped by base64.
    name: 'SSH signature blob',
    seeds: sshSignatures.map(blobOf),
    parse: (input) => void isGenuine(readSshSignature(armor(input)), bytes('the bytes\n'), 'git'),
  },
  {
    name: 'SSH key',
    seeds: sshKeys().map(({ blob }) => blob),
    parse: (blob) => void readSshKey(blob),
  },
  {
    name: 'allowed signers',
    seeds: [bytes(allowedSignersSeed())],
    parse: (input) => void readAllowedSigners(input),
  },
  {
    name: 'commit object',
    seeds: commitSeeds(),
    parse(input) {
      const { signature, payload } = readCommit(input)
      if (signature?.kind === 'ssh') isGenuine(readSshSignature(signature.armored), payload, 'git')
    },
  },
  {
    name: 'DSSE envelope',
    seeds: [
      bytes(
        '{"payload":"aGVsbG8gd29ybGQ=","payloadType":"x","signatures":[{"keyid":"SHA256:a","sig":"AAAA"}]}',
      ),
    ],
    parse: (input) => void readDsseEnvelope(input, 'x'),
  },
  {
    name: 'OpenPGP keys',
    seeds: [1, 2].map((seed) => openPgpKey(seed).armored),
    parse: (input) => void readOpenPgpKeys(input),
  },
]

/** Runs one input. Returns what escaped, or undefined when the parser did as it should. */
export function escapedFrom({ parse }: Target, input: Uint8Array): unknown {
  try {
    parse(input)
    return undefined
  } catch (error) {
    return error instanceof Malformed ? undefined : error
  }
}

function blobOf(armored: string): Uint8Array {
  return new Uint8Array(Buffer.from(armored.split('\n').slice(1, -2).join(''), 'base64'))
}

function sshKeys() {
  return sshSignatures.map((armored) => readSshSignature(bytes(armored)).key)
}

function allowedSignersSeed(): string {
  const options = [
    '',
    'namespaces="git,a@v1"',
    'valid-after="20250101Z",valid-before="202601010000"',
  ]
  return sshKeys()
    .map((key, index) => `p${index}@x ${options[index % 3]} ${sshKeyText(key)} comment\n`)
    .join('# one\n\n')
}

function commitSeeds(): readonly Uint8Array[] {
  const person = 'A <a@example.com> 1780000000 +0000'
  return (['sha1', 'sha256'] as const).flatMap((format) => {
    const name = 'ab'.repeat(format === 'sha1' ? 20 : 32)
    const payload = bytes(
      `tree ${name}\nparent ${name}\nauthor ${person}\ncommitter ${person}\nencoding x\n\nsubject\n`,
    )
    return sshSignatures.map((armored) => withSignature(payload, armored, format))
  })
}

function collateralSeed(): Uint8Array {
  const parts = good.find(({ vector }) => vector.parts.tcbInfos.length > 0)?.vector.parts
  const [tcbInfo] = parts?.tcbInfos ?? []
  const [qeIdentity] = parts?.qeIdentities ?? []
  if (!parts || !tcbInfo || !qeIdentity) throw new Error('no fixture carries collateral')
  const hex = (input: Uint8Array | undefined) => Buffer.from(input ?? []).toString('hex')
  const pem = (ders: readonly Uint8Array[]) =>
    ders
      .map(
        (der) =>
          `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64').replace(/.{64}/g, '$&\n').trimEnd()}\n-----END CERTIFICATE-----\n`,
      )
      .join('')
  return bytes(
    JSON.stringify({
      tcb_info: text(tcbInfo.body),
      tcb_info_signature: hex(tcbInfo.signature),
      tcb_info_issuer_chain: pem(tcbInfo.issuerChain),
      qe_identity: text(qeIdentity.body),
      qe_identity_signature: hex(qeIdentity.signature),
      qe_identity_issuer_chain: pem(qeIdentity.issuerChain),
      pck_crl: hex(parts.crls[1]),
      root_ca_crl: hex(parts.crls[0]),
    }),
  )
}
