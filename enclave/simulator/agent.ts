/**
 * Platforms for `vouchsafe dev` and for tests: confidential VMs that exist only as keys, and agents that run in them. Their
 * evidence is real in every byte but for the root it chains to, so it is judged by the code that judges hardware.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import type { EndorsementParts } from '../../src/rats/endorsements.ts'
import type { Evidence } from '../../src/rats/evidence.ts'
import type { VectorAnchor } from '../../src/rats/vector.ts'
import type { TdBody } from '../../src/tee/dcap/layouts.ts'
import { amdPki } from './amd.ts'
import type { SnpProduct } from './amd-vek.ts'
import { certificateTable, tableGuids } from './certificate-table.ts'
import { tdQuote } from './dcap.ts'
import { usualTd15Body } from './dcap-bodies.ts'
import { intelMachine } from './intel-machine.ts'
import type { Chance, SigningKey } from './mint/signing.ts'
import { type ReportFields, type SnpChip, signReport, usualReport } from './snp.ts'

export interface SimulatedPlatform<Fields> {
  /** Name of the TEE, as the registry has it. */
  readonly tee: string
  /** To be loaded as simulated roots, and only where the configuration says so. */
  readonly anchors: readonly VectorAnchor[]
  /** What the vendor would publish. */
  readonly endorsements: EndorsementParts
  readonly attest: (request: AttestRequest<Fields>) => Evidence
}

interface AttestRequest<Fields> {
  /** 64 bytes. */
  readonly reportData: Uint8Array
  /** 48 bytes: what was launched. */
  readonly measurement: Uint8Array
  /** Any other field of the report, by the layout's names. */
  readonly fields?: Partial<Fields>
}

export interface PlatformRequest {
  readonly chance: Chance
  /** Instant from which all that is issued holds: AMD's list for a year, Intel's collateral for 30 days. */
  readonly issued: Date
}

const DEV_TCB: SnpChip['tcb'] = { fmc: 1, bootloader: 10, tee: 1, snp: 25, microcode: 84 }

/** The RSA keys that a simulated SNP platform takes from its chance: name them to `freshChance`, which then makes them side by side. */
export function snpKeyLabels(product: SnpProduct): readonly string[] {
  return [`ark-${product.toLowerCase()}`, `ask-${product.toLowerCase()}`]
}

/** Report version 5; the certificate table brings VCEK and ASK, as a host that was set up for it does. */
export function simulatedSnp(
  { chance, issued }: PlatformRequest,
  product: SnpProduct = 'Genoa',
): SimulatedPlatform<ReportFields> {
  const hwid = chance.bytes('hwid', product === 'Turin' ? 8 : 64)
  const chip = simulatedChip(product, hwid)
  const pki = amdPki({ chance, product, issued })
  const vcek = pki.vcek(chip)
  const auxblob = certificateTable([
    { guid: tableGuids.vcek, certificate: vcek.der },
    { guid: tableGuids.ask, certificate: pki.ask.der },
  ])
  return {
    tee: 'sev-snp',
    anchors: [{ der: pki.ark.der, product }],
    endorsements: { certificates: [], crls: [pki.crl()], tcbInfos: [], qeIdentities: [] },
    attest: reporting({ chip, key: vcek.key, auxblob }),
  }
}

export function simulatedChip(product: SnpProduct, hwid: Uint8Array): SnpChip {
  return { product, version: 5, hwid, tcb: tcbOf(product) }
}

/** What a chip needs to attest: its own key and its table, nothing of its vendor's. */
export function reporting({
  chip,
  key,
  auxblob,
}: {
  readonly chip: SnpChip
  readonly key: SigningKey
  readonly auxblob: Uint8Array
}): SimulatedPlatform<ReportFields>['attest'] {
  return ({ reportData, measurement, fields }) => ({
    quote: signReport({ ...usualReport(chip), reportData, measurement, ...fields }, key),
    auxblob,
  })
}

/** A version 5 quote of a TDX 1.5 module; `measurement` is MRTD. */
export function simulatedTdx(request: PlatformRequest): SimulatedPlatform<TdBody> {
  const machine = intelMachine(request)
  const platform = machine.quoting('tdx')
  return {
    tee: 'tdx',
    anchors: [{ der: machine.pki.root.der, product: undefined }],
    endorsements: machine.collateral('tdx'),
    attest: ({ reportData, measurement, fields }) => ({
      quote: tdQuote(platform, {
        version: 5,
        body: { ...usualTd15Body(), reportData, mrTd: measurement, ...fields },
      }),
    }),
  }
}

export interface AgentFile {
  /** Relative, with `/`. */
  readonly path: string
  readonly contents: Uint8Array
}

/**
 * What a simulated launch measures, 48 bytes: SHA-384 over one line of JSON per file, `["path","sha384 hex"]`, sorted by
 * path. A file more, less, renamed or changed gives another measurement.
 */
export function measureAgent(files: readonly AgentFile[]): Uint8Array {
  const hash = createHash('sha384').update('vouchsafe/simulated-launch/v1\n')
  for (const { path, contents } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`${JSON.stringify([path, createHash('sha384').update(contents).digest('hex')])}\n`)
  return new Uint8Array(hash.digest())
}

/** Every file below `folder`. Anything that is neither file nor folder is refused: what it holds could change unmeasured. */
export function readAgent(folder: string): readonly AgentFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name)
      if (!entry.isFile()) throw new TypeError(`${file} is not a regular file`)
      const path = file.slice(join(folder, sep).length).split(sep).join('/')
      return { path, contents: new Uint8Array(readFileSync(file)) }
    })
}

function tcbOf(product: SnpProduct): SnpChip['tcb'] {
  const { fmc, ...others } = DEV_TCB
  return product === 'Turin' && fmc !== undefined ? { fmc, ...others } : others
}
