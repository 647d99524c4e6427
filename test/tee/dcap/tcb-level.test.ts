/** Is Intel's level algorithm followed step by step? Unit tables over evaluateTcb and the status algebra (N57, N59 to N62). */
import { describe, expect, test } from 'vitest'
import type { PlatformLevel, SvnLevel, TcbInfo } from '../../../src/tee/dcap/tcb-info.ts'
import { evaluateTcb, levelOfSvn } from '../../../src/tee/dcap/tcb-level.ts'
import {
  componentStatuses,
  converge,
  type LevelStatus,
  type TcbStatus,
} from '../../../src/tee/dcap/tcb-status.ts'

const date = new Date('2024-03-13T00:00:00Z')
const svns = (...first: readonly number[]) =>
  Uint8Array.from({ length: 16 }, (_, i) => first[i] ?? 0)

function level(
  sgx: Uint8Array,
  pceSvn: number,
  tdx: Uint8Array,
  status: LevelStatus,
): PlatformLevel {
  return { sgxComponents: sgx, pceSvn, tdxComponents: tdx, status, date, advisoryIds: [] }
}

const svnLevel = (isvSvn: number, status: SvnLevel['status']): SvnLevel => ({
  isvSvn,
  status,
  date,
  advisoryIds: [],
})

const moduleOf = (id: string, ...levels: readonly SvnLevel[]) => ({
  id,
  mrSigner: new Uint8Array(48),
  attributes: new Uint8Array(8),
  attributesMask: new Uint8Array(8),
  levels,
})

const usual: TcbInfo = {
  id: 'TDX',
  notBefore: date,
  notAfter: date,
  fmspc: '00806f050000',
  pceId: '0000',
  evaluationDataNumber: 17,
  module: moduleOf('TDX_00'),
  moduleIdentities: new Map([
    [3, moduleOf('TDX_03', svnLevel(3, 'UpToDate'))],
    [1, moduleOf('TDX_01', svnLevel(4, 'UpToDate'), svnLevel(2, 'OutOfDate'))],
    [7, moduleOf('TDX_07', svnLevel(1, 'Revoked'))],
  ]),
  levels: [
    level(svns(7, 7, 2), 11, svns(5, 0, 7), 'UpToDate'),
    level(svns(6, 6, 2), 11, svns(3, 0, 6), 'OutOfDate'),
    level(svns(6, 6, 2), 5, svns(3, 0, 6), 'Revoked'),
  ],
}
const upToDateQe = svnLevel(4, 'UpToDate')

interface Case {
  readonly sgx?: Uint8Array
  readonly pceSvn?: number
  readonly tdx?: Uint8Array | undefined
  readonly svn2?: Uint8Array
  readonly qe?: SvnLevel | undefined
  readonly tcbInfo?: TcbInfo
}

function statusOf(changes: Case): TcbStatus {
  const { sgx = svns(7, 7, 2), pceSvn = 11, svn2, tcbInfo = usual } = changes
  const tdx = 'tdx' in changes ? changes.tdx : svns(4, 1, 7)
  const qe = 'qe' in changes ? changes.qe : upToDateQe
  const pck = { components: sgx, pceSvn }
  return evaluateTcb({ tcbInfo, pck, td: tdx && { svn: tdx, svn2 }, qe }).status
}

describe('the level', () => {
  test.each<[string, Case, TcbStatus]>([
    ['all reached', {}, 'UpToDate'],
    ['all exceeded', { sgx: svns(9, 9, 9, 9), pceSvn: 99, tdx: svns(5, 1, 9) }, 'UpToDate'],
    ['one SGX component lower, another higher', { sgx: svns(9, 6, 9) }, 'OutOfDate'],
    ['the last SGX component counts', { tcbInfo: withLast(1) }, 'NotSupported'],
    ['a lower PCE SVN', { pceSvn: 10 }, 'Revoked'],
    ['a PCE SVN below all', { pceSvn: 4 }, 'NotSupported'],
    ['SGX components below all', { sgx: svns(5, 9, 9) }, 'NotSupported'],
    ['a lower TDX component 2', { tdx: svns(4, 1, 6) }, 'OutOfDate'],
    ['TDX components below all', { tdx: svns(4, 1, 5) }, 'NotSupported'],
    ['components 0 and 1 are skipped from version 1 on (t39)', { tdx: svns(4, 1, 7) }, 'UpToDate'],
    ['and count at version 0', { tdx: svns(4, 0, 7) }, 'OutOfDate'],
    ['and are enough at version 0', { tdx: svns(5, 0, 7) }, 'UpToDate'],
    ['SGX asks nothing of TDX components', { tdx: undefined }, 'UpToDate'],
  ])('%s', (_, changes, status) => expect(statusOf(changes)).toBe(status))

  test('the SGX level may be another than the one that decides', () => {
    const evaluation = evaluateTcb({
      tcbInfo: usual,
      pck: { components: svns(7, 7, 2), pceSvn: 11 },
      td: { svn: svns(4, 1, 6), svn2: undefined },
      qe: upToDateQe,
    })
    expect([evaluation.sgx?.status, evaluation.platform?.status]).toEqual(['UpToDate', 'OutOfDate'])
  })

  test.each([
    [9, 4],
    [4, 4],
    [3, 2],
    [2, 2],
    [1, undefined],
  ])('SVN %i reaches level %s', (svn, reached) =>
    expect(levelOfSvn([svnLevel(4, 'UpToDate'), svnLevel(2, 'OutOfDate')], svn)?.isvSvn).toBe(
      reached,
    ),
  )
})

describe('module and quoting enclave', () => {
  test.each<[string, Case, TcbStatus]>([
    ['an old module lowers the platform', { tdx: svns(2, 1, 7) }, 'OutOfDate'],
    ['a module below its levels', { tdx: svns(1, 1, 7) }, 'NotSupported'],
    ['a module that Intel does not name', { tdx: svns(9, 9, 7) }, 'NotSupported'],
    ['a revoked module', { tdx: svns(1, 7, 7) }, 'Revoked'],
    ['a good module does not raise the platform (t27)', { tdx: svns(4, 1, 6) }, 'OutOfDate'],
    ['an old quoting enclave', { qe: svnLevel(2, 'OutOfDate') }, 'OutOfDate'],
    ['a revoked quoting enclave', { qe: svnLevel(1, 'Revoked') }, 'Revoked'],
    ['a quoting enclave below its levels', { qe: undefined }, 'NotSupported'],
  ])('%s', (_, changes, status) => expect(statusOf(changes)).toBe(status))

  test.each<[TcbStatus, TcbStatus, TcbStatus]>([
    ['UpToDate', 'OutOfDate', 'Revoked'],
    ['SWHardeningNeeded', 'OutOfDate', 'Revoked'],
    ['ConfigurationNeeded', 'OutOfDateConfigurationNeeded', 'Revoked'],
    ['ConfigurationAndSWHardeningNeeded', 'OutOfDateConfigurationNeeded', 'Revoked'],
    ['OutOfDate', 'OutOfDate', 'Revoked'],
    ['OutOfDateConfigurationNeeded', 'OutOfDateConfigurationNeeded', 'Revoked'],
    ['Revoked', 'Revoked', 'Revoked'],
    ['NotSupported', 'NotSupported', 'NotSupported'],
  ])('%s with UpToDate, OutOfDate, Revoked', (platform, ...rest) =>
    expect(componentStatuses.map((status) => converge(platform, status))).toEqual([
      platform,
      ...rest,
    ]),
  )
})

describe('a relaunch is advised (TDX 1.5)', () => {
  const launched = svns(2, 1, 7)
  const configurable: TcbInfo = {
    ...usual,
    levels: [level(svns(7, 7, 2), 11, svns(5, 0, 7), 'ConfigurationNeeded')],
  }
  test.each<[string, Case, TcbStatus]>([
    ['when only the module at launch was old', { svn2: svns(4, 1, 7) }, 'TDRelaunchAdvised'],
    ['with the module of another version', { svn2: svns(3, 3, 7) }, 'TDRelaunchAdvised'],
    ['with a module of version 0', { svn2: svns(5, 0, 7) }, 'TDRelaunchAdvised'],
    [
      'and configuration, where that is needed too',
      { svn2: svns(4, 1, 7), tcbInfo: configurable },
      'TDRelaunchAdvisedConfigurationNeeded',
    ],
    ['not by TDX 1.0, which does not say', {}, 'OutOfDate'],
    ['not while the module that runs is old', { svn2: svns(3, 1, 7) }, 'OutOfDate'],
    ['not while a module of version 0 is old', { svn2: svns(4, 0, 7) }, 'OutOfDate'],
    ['not while component 2 is old', { svn2: svns(4, 1, 6) }, 'OutOfDate'],
    ['not when the platform is old', { svn2: svns(4, 1, 7), sgx: svns(6, 6, 2) }, 'OutOfDate'],
    [
      'not when the quoting enclave is old',
      { svn2: svns(4, 1, 7), qe: svnLevel(2, 'OutOfDate') },
      'OutOfDate',
    ],
    [
      'not when the quoting enclave is revoked',
      { svn2: svns(4, 1, 7), qe: svnLevel(1, 'Revoked') },
      'Revoked',
    ],
    ['not when Intel does not name the module that runs', { svn2: svns(9, 9, 9) }, 'NotSupported'],
  ])('%s', (_, changes, status) => expect(statusOf({ tdx: launched, ...changes })).toBe(status))

  test('never for a TD that is up to date', () =>
    expect(statusOf({ svn2: svns(9, 9, 9) })).toBe('UpToDate'))
})

function withLast(svn: number): TcbInfo {
  const components = svns(7, 7, 2)
  components[15] = svn
  return { ...usual, levels: [level(components, 11, svns(5, 0, 7), 'UpToDate')] }
}
