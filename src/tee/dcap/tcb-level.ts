/**
 * Which TCB level is this platform at? Intel's own algorithm, step by step: Intel PCS API v4, "Get TCB Info" (TCB level
 * selection), as Intel's Quote Verification Library runs it in Verifiers/Checks/TcbLevelCheck.cpp (matchTcbLevels,
 * checkTcbLevel), TdxModuleCheck.cpp (checkTdxModuleTcbStatus) and TDRelaunchCheck.cpp (checkForRelaunch).
 */
import type { PckExtension } from './pck-extension.ts'
import {
  COMPONENTS,
  type ModuleIdentity,
  type PlatformLevel,
  type SvnLevel,
  type TcbInfo,
} from './tcb-info.ts'
import { converge, needsConfiguration, type TcbStatus } from './tcb-status.ts'

/** TEE_TCB_SVN: byte 0 the module's SVN, byte 1 its version, byte 2 and on other components. */
export interface TdTcb {
  /** Under which the TD was launched. */
  readonly svn: Uint8Array
  /** Of the module that runs now; TDX 1.5 only. */
  readonly svn2: Uint8Array | undefined
}

export interface TcbEvaluation {
  readonly status: TcbStatus
  /** The first level that the SGX components and the PCE SVN of the PCK certificate reach. */
  readonly sgx: PlatformLevel | undefined
  /** The level that decides: for TDX the first that the TDX components reach as well, else `sgx`. */
  readonly platform: PlatformLevel | undefined
  /** Undefined where modules have no identity of their own: SGX, and module version 0. */
  readonly module: ModuleEvaluation | undefined
  readonly qe: SvnLevel | undefined
}

interface ModuleEvaluation {
  readonly version: number
  readonly identity: ModuleIdentity | undefined
  readonly level: SvnLevel | undefined
}

export interface TcbQuestion {
  readonly tcbInfo: TcbInfo
  readonly pck: Pick<PckExtension, 'components' | 'pceSvn'>
  /** Undefined for SGX. */
  readonly td: TdTcb | undefined
  /** Of the quoting enclave; undefined when its SVN is below every level. */
  readonly qe: SvnLevel | undefined
}

export function evaluateTcb(question: TcbQuestion): TcbEvaluation {
  const { tcbInfo, td, qe } = question
  const sgx = tcbInfo.levels.find((level) => reachesSgx(question, level))
  const platform = td
    ? tcbInfo.levels.find((level) => reachesSgx(question, level) && reachesTdx(td, level))
    : sgx
  const module = td ? evaluateModule(tcbInfo, td.svn) : undefined
  const status = statusOf(question, { sgx, platform, module, qe })
  return { status, sgx, platform, module, qe }
}

/** The first level, of levels from highest to lowest, that an SVN reaches. */
export function levelOfSvn(levels: readonly SvnLevel[], isvSvn: number): SvnLevel | undefined {
  return levels.find((level) => isvSvn >= level.isvSvn)
}

/** Undefined for version 0: such modules are judged by TDX component 0 and the document's `tdxModule`. */
function evaluateModule(tcbInfo: TcbInfo, svn: Uint8Array): ModuleEvaluation | undefined {
  const [isvSvn = 0, version = 0] = svn
  if (version === 0) return undefined
  const identity = tcbInfo.moduleIdentities.get(version)
  return { version, identity, level: identity && levelOfSvn(identity.levels, isvSvn) }
}

function statusOf(
  { tcbInfo, td }: TcbQuestion,
  { sgx, platform, module, qe }: Omit<TcbEvaluation, 'status'>,
): TcbStatus {
  if (!sgx || !platform || !qe || (module && !module.level)) return 'NotSupported'
  const launched = module?.level ? converge(platform.status, module.level.status) : platform.status
  const relaunched =
    td?.svn2 && qe.status === 'UpToDate' && sgx.status !== 'Revoked'
      ? afterRelaunch({ tcbInfo, svn2: td.svn2, sgx, module, launched })
      : launched
  return converge(relaunched, qe.status)
}

interface Launched {
  readonly tcbInfo: TcbInfo
  readonly svn2: Uint8Array
  readonly sgx: PlatformLevel
  readonly module: ModuleEvaluation | undefined
  readonly launched: TcbStatus
}

/** The platform was updated while this TD ran: all that is old is what the TD was launched under. A new launch would cure it. */
function afterRelaunch({ tcbInfo, svn2, sgx, module, launched }: Launched): TcbStatus {
  const isCurable =
    (launched === 'OutOfDate' || launched === 'OutOfDateConfigurationNeeded') &&
    module?.level?.status === 'OutOfDate' &&
    sgx.status !== 'OutOfDate' &&
    sgx.status !== 'OutOfDateConfigurationNeeded'
  if (!isCurable) return launched
  const newest = tcbInfo.levels[0]
  const [moduleSvn = 0, moduleVersion = 0, component2 = 0] = svn2
  const running = tcbInfo.moduleIdentities.get(moduleVersion)
  if (moduleVersion > 0 && !running) return 'NotSupported'
  const newestModuleSvn = running ? running.levels[0]?.isvSvn : newest?.tdxComponents[0]
  const isNewest =
    newestModuleSvn !== undefined &&
    moduleSvn >= newestModuleSvn &&
    component2 >= (newest?.tdxComponents[2] ?? Number.POSITIVE_INFINITY)
  if (!isNewest) return launched
  return needsConfiguration(sgx.status) || needsConfiguration(launched)
    ? 'TDRelaunchAdvisedConfigurationNeeded'
    : 'TDRelaunchAdvised'
}

function reachesSgx({ pck }: TcbQuestion, level: PlatformLevel): boolean {
  return pck.pceSvn >= level.pceSvn && reaches(pck.components, level.sgxComponents, 0)
}

/** From module version 1 on, components 0 and 1 are the module's, which has levels of its own. */
function reachesTdx({ svn }: TdTcb, level: PlatformLevel): boolean {
  return reaches(svn, level.tdxComponents, (svn[1] ?? 0) > 0 ? 2 : 0)
}

/** Every component at least as high: one that is higher makes up for none that is lower. */
function reaches(components: Uint8Array, floor: Uint8Array, from: number): boolean {
  for (let i = from; i < COMPONENTS; i++) {
    const component = components[i]
    const least = floor[i]
    if (component === undefined || least === undefined || component < least) return false
  }
  return true
}
