/**
 * What does Intel say about the TCB of one platform family? Decodes the `tcbInfo` document: Intel PCS API v4, "Get TCB Info",
 * structure TcbInfoV3. Strict where a lax reader would judge by fewer components than Intel signed: sixteen each, in range,
 * levels in Intel's own order. Believed by nobody until its signature is checked over the same bytes.
 */
import { toHex } from '../../bytes/encoding.ts'
import { Malformed } from '../../bytes/malformed.ts'
import type { Interval } from '../../pki/interval.ts'
import { type Fields, fieldsOfJson } from './json-fields.ts'
import {
  type ComponentStatus,
  componentStatuses,
  type LevelStatus,
  levelStatuses,
} from './tcb-status.ts'

/** notBefore is issueDate, notAfter is nextUpdate. */
export interface TcbInfo extends Interval {
  /** `SGX` or `TDX`. */
  readonly id: string
  /** Hex, lower case. */
  readonly fmspc: string
  readonly pceId: string
  readonly evaluationDataNumber: number
  /** Highest first: by SGX components, then PCE SVN, then TDX components. */
  readonly levels: readonly PlatformLevel[]
  /** What a module of version 0 must be; undefined for SGX. */
  readonly module: ModuleExpectation | undefined
  /** By module version, the number in `TDX_01`. */
  readonly moduleIdentities: ReadonlyMap<number, ModuleIdentity>
}

export interface PlatformLevel {
  /** One byte per component. */
  readonly sgxComponents: Uint8Array
  /** All zero in an SGX document. */
  readonly tdxComponents: Uint8Array
  readonly pceSvn: number
  readonly status: LevelStatus
  /** Calendar instant of the TCB recovery that this level answers to. */
  readonly date: Date
  readonly advisoryIds: readonly string[]
}

export interface ModuleExpectation {
  readonly mrSigner: Uint8Array
  readonly attributes: Uint8Array
  readonly attributesMask: Uint8Array
}

export interface ModuleIdentity extends ModuleExpectation {
  readonly id: string
  readonly levels: readonly SvnLevel[]
}

/** A level that one security version number decides. Highest first. */
export interface SvnLevel {
  readonly isvSvn: number
  readonly status: ComponentStatus
  readonly date: Date
  readonly advisoryIds: readonly string[]
}

export const COMPONENTS = 16
const MAX_BYTES = 256 * 1024
const LEVELS = { least: 1, most: 128 }
const ADVISORIES = { least: 0, most: 256 }
const ADVISORY = /^[A-Z0-9-]{1,40}$/

/** Throws Malformed. */
export function decodeTcbInfo(body: Uint8Array): TcbInfo {
  const fields = fieldsOfJson(body, { path: 'tcbInfo', most: MAX_BYTES })
  requireVersion(fields, 'tcbInfo', 3)
  const id = fields.text('id', /^(SGX|TDX)$/)
  // 0 is the only way of comparing TCBs that is defined.
  fields.integer('tcbType', 0)
  const isTdx = id === 'TDX'
  if (!isTdx && (fields.has('tdxModule') || fields.has('tdxModuleIdentities')))
    throw new Malformed({ path: 'tcbInfo', offset: 0 }, 'a TDX module', 'none in an SGX document')
  const levels = fields.objects('tcbLevels', LEVELS).map((level) => platformLevel(level, isTdx))
  requireDescending(levels, comparePlatformLevels, 'tcbInfo.tcbLevels')
  return {
    id,
    notBefore: fields.instant('issueDate'),
    notAfter: fields.instant('nextUpdate'),
    fmspc: toHex(fields.hex('fmspc', 6)),
    pceId: toHex(fields.hex('pceId', 2)),
    evaluationDataNumber: fields.integer('tcbEvaluationDataNumber', 0xffff_ffff),
    levels,
    module: isTdx ? moduleExpectation(fields.object('tdxModule')) : undefined,
    moduleIdentities: moduleIdentities(fields),
  }
}

/** Level lists of module and QE identities: sorted by the one number that decides. Throws Malformed. */
export function svnLevels(fields: Fields, path: string): readonly SvnLevel[] {
  const levels = fields.objects('tcbLevels', LEVELS).map((level) => ({
    isvSvn: level.object('tcb').integer('isvsvn', 0xffff),
    status: oneOf(componentStatuses, level),
    date: level.instant('tcbDate'),
    advisoryIds: advisoryIds(level),
  }))
  requireDescending(levels, (a, b) => a.isvSvn - b.isvSvn, `${path}.tcbLevels`)
  return levels
}

export function requireVersion(fields: Fields, path: string, version: number): void {
  const found = fields.integer('version', 0xffff)
  if (found !== version)
    throw new Malformed(
      { path: `${path}.version`, offset: 0 },
      `version ${found}`,
      `version ${version}`,
    )
}

function platformLevel(level: Fields, isTdx: boolean): PlatformLevel {
  const tcb = level.object('tcb')
  return {
    sgxComponents: components(tcb, 'sgxtcbcomponents'),
    tdxComponents: isTdx ? components(tcb, 'tdxtcbcomponents') : new Uint8Array(COMPONENTS),
    pceSvn: tcb.integer('pcesvn', 0xffff),
    status: oneOf(levelStatuses, level),
    date: level.instant('tcbDate'),
    advisoryIds: advisoryIds(level),
  }
}

function components(tcb: Fields, name: string): Uint8Array {
  const listed = tcb.objects(name, { least: COMPONENTS, most: COMPONENTS })
  return Uint8Array.from(listed, (component) => component.integer('svn', 0xff))
}

function advisoryIds(level: Fields): readonly string[] {
  return level.has('advisoryIDs') ? level.texts('advisoryIDs', ADVISORIES, ADVISORY) : []
}

function moduleExpectation(fields: Fields): ModuleExpectation {
  return {
    mrSigner: fields.hex('mrsigner', 48),
    attributes: fields.hex('attributes', 8),
    attributesMask: fields.hex('attributesMask', 8),
  }
}

/** Absent from documents of before TDX 1.5. Letter case of the id is Intel's to choose: the number in it decides. */
function moduleIdentities(fields: Fields): ReadonlyMap<number, ModuleIdentity> {
  const identities = new Map<number, ModuleIdentity>()
  if (!fields.has('tdxModuleIdentities')) return identities
  const path = 'tcbInfo.tdxModuleIdentities'
  for (const each of fields.objects('tdxModuleIdentities', { least: 1, most: 256 })) {
    const id = each.text('id', /^TDX_[0-9A-Fa-f]{2}$/)
    const version = Number.parseInt(id.slice(4), 16)
    if (identities.has(version))
      throw new Malformed({ path, offset: 0 }, `${id} twice`, 'each module once')
    identities.set(version, { id, ...moduleExpectation(each), levels: svnLevels(each, path) })
  }
  return identities
}

function oneOf<const S extends string>(known: readonly S[], level: Fields): S {
  const found = level.text('tcbStatus', /^\w{1,64}$/)
  const status = known.find((each) => each === found)
  if (status === undefined)
    throw new Malformed({ path: 'tcbStatus', offset: 0 }, found, `one of ${known.join(', ')}`)
  return status
}

/**
 * Intel's library sorts before it matches (TcbLevel::operator>), Intel's service delivers sorted. Whoever reads in order
 * and whoever sorts must come to the same level, so a document in any other order is refused.
 */
function requireDescending<T>(
  levels: readonly T[],
  compare: (a: T, b: T) => number,
  path: string,
): void {
  for (const [index, level] of levels.entries()) {
    const next = levels[index + 1]
    if (next !== undefined && compare(level, next) <= 0)
      throw new Malformed(
        { path, offset: 0 },
        `level ${index + 1} not below level ${index}`,
        'levels from highest to lowest, each once',
      )
  }
}

function comparePlatformLevels(a: PlatformLevel, b: PlatformLevel): number {
  return (
    Buffer.compare(a.sgxComponents, b.sgxComponents) ||
    a.pceSvn - b.pceSvn ||
    Buffer.compare(a.tdxComponents, b.tdxComponents)
  )
}
