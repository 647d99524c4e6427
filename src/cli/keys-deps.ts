/** What the verbs of `vouchsafe keys` need: a running service to ask, or the database that none holds. */
import type { KeysReport, RevokedReport, RotatedReport } from '../service/key-report.ts'
import type { Resealed } from '../service/reseal-keys.ts'
import type { Output } from './answering.ts'
import type { Files } from './files.ts'
import type { Flags } from './setting-options.ts'

export interface KeysDeps extends Output {
  readonly colour: boolean
  readonly files: Files
  readonly fetch: typeof globalThis.fetch
  /**
   * By the settings of `vouchsafe serve`; undefined where a running service holds the database, which only PGlite knows.
   * Throws Problem.
   */
  readonly openKeys: (flags: Flags) => Promise<StoredKeys | undefined>
}

/** The same answers as the service's. Each throws Problem. */
export interface StoredKeys {
  readonly list: () => Promise<KeysReport>
  /** Undefined: every purpose. */
  readonly rotate: (purposes: readonly string[] | undefined) => Promise<RotatedReport>
  readonly revoke: (kid: string) => Promise<RevokedReport>
  /** Under this key (32 bytes); undefined: under the one that the settings name. */
  readonly reseal: (
    secret: Uint8Array | undefined,
  ) => Promise<Resealed & { readonly resources: Resealed; readonly sealedUnder: string }>
  readonly close: () => Promise<void>
}
