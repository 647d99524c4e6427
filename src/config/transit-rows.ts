/** The settings of a transit engine that holds the key-encryption key: rows of settings.ts. */
import type { Setting } from './settings.ts'

export const transitRows: readonly Setting[] = [
  {
    variable: 'VOUCHSAFE_TRANSIT_URL',
    path: ['transit', 'url'],
    says: 'address of a HashiCorp Vault or OpenBao whose transit engine holds the key-encryption key',
  },
  {
    variable: 'VOUCHSAFE_TRANSIT_KEY',
    path: ['transit', 'key'],
    says: 'name of that key',
  },
  {
    variable: 'VOUCHSAFE_TRANSIT_TOKEN_FILE',
    path: ['transit', 'tokenFile'],
    says: 'file that holds the token for it, read again for every question',
  },
  {
    variable: 'VOUCHSAFE_TRANSIT_MOUNT',
    path: ['transit', 'mount'],
    says: 'path that the transit engine is mounted at',
  },
  {
    variable: 'VOUCHSAFE_TRANSIT_NAMESPACE',
    path: ['transit', 'namespace'],
    says: 'namespace that the engine is in',
  },
  {
    variable: 'VOUCHSAFE_TRANSIT_AUTHORITIES_FILE',
    path: ['transit', 'authoritiesFile'],
    says: 'roots (PEM) for its certificate, in place of the machine’s',
  },
]
