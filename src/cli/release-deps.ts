/** What the verbs of `vouchsafe release` need: a running service to ask, or the database that none holds. */
import type {
  ApprovalsReport,
  PutReport,
  ResourceReport,
  ResourceRevokedReport,
  ResourcesReport,
} from '../service/resource-report.ts'
import type { SettingsChange } from '../service/resource-settings.ts'
import type { Output } from './answering.ts'
import type { Files } from './files.ts'
import type { Flags } from './setting-options.ts'

export interface ReleaseDeps extends Output {
  readonly colour: boolean
  readonly files: Files
  readonly fetch: typeof globalThis.fetch
  readonly stdin: {
    /** Somebody would have to type it, for everybody to see. */
    readonly isTerminal: boolean
    /** Opens it. */
    readonly read: () => AsyncIterable<Uint8Array>
  }
  /** By the settings of `vouchsafe serve`; undefined where a running service holds the database. Throws Problem. */
  readonly openResources: (flags: Flags) => Promise<StoredResources | undefined>
}

export interface StoredPut {
  readonly name: string
  readonly settings: SettingsChange
  readonly secret: Uint8Array | undefined
  readonly after: number
}

/** The same answers as the service's. Each throws Problem. */
export interface StoredResources {
  readonly list: (tenant: string, after: string | undefined) => Promise<ResourcesReport>
  readonly show: (tenant: string, name: string) => Promise<ResourceReport>
  readonly put: (tenant: string, put: StoredPut) => Promise<PutReport>
  readonly revoke: (
    tenant: string,
    name: string,
    versions: readonly number[] | 'all',
  ) => Promise<ResourceRevokedReport>
  readonly approvals: (tenant: string) => Promise<ApprovalsReport>
  readonly close: () => Promise<void>
}
