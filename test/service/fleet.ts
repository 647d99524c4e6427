/** Many simulated machines of one vendor, and attestations of agents on them as the service would have kept them. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { anchorSet } from '#src/pki/anchor.ts'
import { decodeCertificate } from '#src/pki/certificate.ts'
import { endorsements } from '#src/rats/endorsements.ts'
import type { Evidence } from '#src/rats/evidence.ts'
import { type RuntimeClaims, reportDataOf } from '#src/rats/runtime-claims.ts'
import type { DecidingTenant } from '#src/service/decision.ts'
import type { PendingLeaf } from '#src/service/log-ports.ts'
import type { AppraisalRecord, RecordedAttestation, Store } from '#src/service/ports.ts'
import type { TokenRecord } from '#src/service/token-ports.ts'
import { simulatedTdx } from '../../enclave/simulator/agent.ts'
import { amdPki } from '../../enclave/simulator/amd.ts'
import { certificateTable, tableGuids } from '../../enclave/simulator/certificate-table.ts'
import type { Chance, SigningKey } from '../../enclave/simulator/mint/signing.ts'
import { signReport, usualReport } from '../../enclave/simulator/snp.ts'
import { seededChance } from '../../fixtures/seeded.ts'

export const AT = new Date('2026-06-01T00:00:00Z')
const ISSUED = new Date('2026-05-20T00:00:00Z')
const PRODUCT = 'Genoa'

/** Signatures by node:crypto: ten thousand of the seeded ones would take a minute. */
const chance: Chance = { ...seededChance('fleet'), p384: remembered(nativeKey) }
const pki = amdPki({ chance, product: PRODUCT, issued: ISSUED })
const td = simulatedTdx({ chance, issued: ISSUED })
const tcb = { bootloader: 10, tee: 1, snp: 25, microcode: 84 }

/** Takes simulated evidence of these machines. */
export const tenant: DecidingTenant = {
  name: 'default',
  anchors: anchorSet(
    [{ der: pki.ark.der, product: PRODUCT }, ...td.anchors].map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'simulated',
    })),
  ),
  issuers: {
    hardware: { url: 'https://verifier.example' },
    simulated: { url: 'https://verifier.example/simulated' },
  },
}

export interface Machine {
  readonly attest: (claims: RuntimeClaims, measurement: Uint8Array) => Evidence
  readonly tee: string
  readonly endorsements: ReturnType<typeof endorsements>
}

export function snpMachine(name: string): Machine {
  const chip = {
    product: PRODUCT,
    version: 5,
    hwid: chance.bytes(`chip ${name}`, 64),
    tcb,
  } as const
  const vcek = pki.vcek({ ...chip, label: `vcek ${name}` })
  const auxblob = certificateTable([
    { guid: tableGuids.vcek, certificate: vcek.der },
    { guid: tableGuids.ask, certificate: pki.ask.der },
  ])
  return {
    tee: 'sev-snp',
    endorsements: endorsements({ crls: [crl] }),
    attest: (claims, measurement) => ({
      quote: signReport(
        { ...usualReport(chip), reportData: reportDataOf(claims), measurement },
        vcek.key,
      ),
      auxblob,
    }),
  }
}

const crl = pki.crl()

export const tdxMachine: Machine = {
  tee: 'tdx',
  endorsements: endorsements(td.endorsements),
  attest: (claims, measurement) => td.attest({ reportData: reportDataOf(claims), measurement }),
}

function claimsOf(change: Partial<RuntimeClaims> = {}): RuntimeClaims {
  return {
    nonce: 'n',
    verifier: 'https://verifier.example/simulated',
    sig_jkt: 's',
    enc_jkt: '',
    tenant: tenant.name,
    agent: 'invoice-bot',
    environment: 'prod',
    session: '',
    seq: '0',
    transcript: '',
    ...change,
  }
}

/** One byte, 48 times. */
export function measurementOf(byte: number): Uint8Array {
  return new Uint8Array(48).fill(byte)
}

export interface Attestation {
  readonly machine: Machine
  readonly claims?: Partial<RuntimeClaims>
  readonly measurement?: number
  readonly at?: Date
  readonly audiences?: readonly string[]
}

let made = 0

/** Kept as `attest` keeps it, but for the verdict, which re-appraisal does not read. */
export function attestation({
  machine,
  claims: change,
  measurement = 0xa1,
  at = AT,
  audiences = [],
}: Attestation): AppraisalRecord & { readonly evidence: Evidence } {
  const number = ++made
  const id = `00000000-0000-4000-8000-${number.toString().padStart(12, '0')}`
  const claims = claimsOf({ nonce: `nonce ${number}`, ...change })
  return {
    id,
    requestId: id,
    at,
    tenant: tenant.name,
    environment: claims.environment,
    agent: claims.agent,
    audiences,
    tee: machine.tee,
    verdict: 'issued',
    status: 'affirming',
    trustVector: { hardware: 97 },
    findings: Array.from({ length: 60 }, (_, n) => ({ id: `some.check.n${n}`, outcome: 'pass' })),
    policyCommit: 'c'.repeat(40),
    policyDigest: 'sha256:00',
    manifest: 'agents/prod/invoice-bot.yaml',
    manifestProvenance: undefined,
    referenceValue: undefined,
    layers: [],
    runtimeClaims: claims,
    evidence: machine.attest(claims, measurementOf(measurement)),
    endorsementsDigest: machine.endorsements.digest,
    leafHash: number.toString(16).padStart(64, '0'),
  }
}

export async function stored(
  store: Store,
  asked: Attestation,
  tokens: (record: AppraisalRecord) => readonly TokenRecord[] = () => [],
): Promise<AppraisalRecord> {
  const record = attestation(asked)
  const { digest, ...parts } = asked.machine.endorsements
  await store.recordAttestation(attestationOf(record, { digest, parts }, tokens(record)))
  return record
}

/** Everything that is kept together; its challenge is known by the record's id. */
export function attestationOf(
  record: AppraisalRecord,
  endorsements: RecordedAttestation['endorsements'],
  tokens: readonly TokenRecord[] = [],
): RecordedAttestation {
  return {
    challenge: { id: record.id, expiresAt: record.at },
    appraisal: record,
    endorsements,
    tokens,
    leaf: leafOf(record),
  }
}

/** Stands where a real one would; nobody looks into it. */
function leafOf({ id, leafHash, tenant }: AppraisalRecord): PendingLeaf {
  const empty = new Uint8Array()
  return {
    kind: 'issuance',
    entry: empty,
    leafHash: new Uint8Array(Buffer.from(leafHash, 'hex')),
    salt: empty,
    record: empty,
    tenant,
    subject: id,
  }
}

function nativeKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  return {
    publicKey,
    sign: (message, { digest }) => new Uint8Array(sign(digest, message, privateKey)),
  }
}

function remembered(make: () => SigningKey): (label: string) => SigningKey {
  const known = new Map<string, SigningKey>()
  return (label) => {
    const key = known.get(label) ?? make()
    known.set(label, key)
    return key
  }
}
