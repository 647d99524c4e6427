/** The settings of whoever holds the key-encryption key, and of whoever held the one before: rows of settings.ts. */
import type { Setting } from './settings.ts'

const transitRows: readonly Setting[] = [
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

/** Where the key was before, until `vouchsafe keys rewrap` has been there. */
const previousTransitRows: readonly Setting[] = [
  {
    variable: 'VOUCHSAFE_PREVIOUS_TRANSIT_URL',
    path: ['previousTransit', 'url'],
    says: 'address of the HashiCorp Vault or OpenBao that holds the one before',
  },
  {
    variable: 'VOUCHSAFE_PREVIOUS_TRANSIT_KEY',
    path: ['previousTransit', 'key'],
    says: 'name of the one before',
  },
  {
    variable: 'VOUCHSAFE_PREVIOUS_TRANSIT_TOKEN_FILE',
    path: ['previousTransit', 'tokenFile'],
    says: 'file that holds the token for the one before, read again for every question',
  },
  {
    variable: 'VOUCHSAFE_PREVIOUS_TRANSIT_MOUNT',
    path: ['previousTransit', 'mount'],
    says: 'path that its transit engine is mounted at',
  },
  {
    variable: 'VOUCHSAFE_PREVIOUS_TRANSIT_NAMESPACE',
    path: ['previousTransit', 'namespace'],
    says: 'namespace that its engine is in',
  },
  {
    variable: 'VOUCHSAFE_PREVIOUS_TRANSIT_AUTHORITIES_FILE',
    path: ['previousTransit', 'authoritiesFile'],
    says: 'roots (PEM) for its certificate, in place of the machine’s',
  },
]

export const keyEncryptionRows: readonly Setting[] = [
  {
    variable: 'VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE',
    path: ['keyEncryptionKeyFile'],
    says: 'file that holds the key-encryption key',
  },
  {
    variable: 'VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_KEY_FILE',
    path: ['previousKeyEncryptionKeyFile'],
    says: 'file that holds the one before, until `vouchsafe keys rewrap` has been there',
  },
  {
    variable: 'VOUCHSAFE_KEY_ENCRYPTION_COMMAND',
    path: ['keyEncryptionCommand'],
    says: 'program that wraps and unwraps with a key-encryption key that it does not give out',
  },
  {
    variable: 'VOUCHSAFE_KEY_ENCRYPTION_HANDLE',
    path: ['keyEncryptionHandle'],
    says: 'what that program knows the key by',
  },
  ...transitRows,
  {
    variable: 'VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_COMMAND',
    path: ['previousKeyEncryptionCommand'],
    says: 'program that unwraps with the one before',
  },
  {
    variable: 'VOUCHSAFE_PREVIOUS_KEY_ENCRYPTION_HANDLE',
    path: ['previousKeyEncryptionHandle'],
    says: 'what that program knows the one before by',
  },
  ...previousTransitRows,
]
