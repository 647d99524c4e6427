/**
 * The words in which Intel judges a TCB, and what two of them make together. Rows follow Intel's Quote Verification
 * Library, Verifiers/Checks/TcbLevelCheck.cpp and TdxModuleCheck.cpp (convergeTcbStatusWith...).
 */

/** Of a TCB level in TCB info (VALID_TCB_INFO_STATUSES). Any other word refuses the document. */
export const levelStatuses = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] as const
export type LevelStatus = (typeof levelStatuses)[number]

/** Of a TDX module or a quoting enclave (VALID_MODULE_TCB_STATUSES). */
export const componentStatuses = ['UpToDate', 'OutOfDate', 'Revoked'] as const
export type ComponentStatus = (typeof componentStatuses)[number]

/** What platform, module and quoting enclave come to. `NotSupported`: Intel's word has no level for this TCB. */
export type TcbStatus =
  | LevelStatus
  | 'TDRelaunchAdvised'
  | 'TDRelaunchAdvisedConfigurationNeeded'
  | 'NotSupported'

const outdated: Readonly<Partial<Record<TcbStatus, TcbStatus>>> = {
  UpToDate: 'OutOfDate',
  SWHardeningNeeded: 'OutOfDate',
  ConfigurationNeeded: 'OutOfDateConfigurationNeeded',
  ConfigurationAndSWHardeningNeeded: 'OutOfDateConfigurationNeeded',
}

/** The platform's status, lowered by that of a component it relies on; no component raises it. */
export function converge(platform: TcbStatus, component: ComponentStatus): TcbStatus {
  switch (component) {
    case 'UpToDate':
      return platform
    case 'OutOfDate':
      return outdated[platform] ?? platform
    case 'Revoked':
      return platform === 'NotSupported' ? platform : 'Revoked'
  }
}

/** TDRelaunchCheck.cpp isConfigurationNeeded: somebody has to change a setting, whatever else. */
export function needsConfiguration(status: TcbStatus): boolean {
  return (
    status === 'ConfigurationNeeded' ||
    status === 'ConfigurationAndSWHardeningNeeded' ||
    status === 'OutOfDateConfigurationNeeded' ||
    status === 'TDRelaunchAdvisedConfigurationNeeded'
  )
}
