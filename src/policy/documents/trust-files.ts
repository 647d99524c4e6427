/** Who may sign and approve, by the files under trust/: do they say so without contradiction, and has everybody a key? */
import { Malformed } from '../../bytes/malformed.ts'
import type { FileMistake, PolicyFile } from '../policy.ts'
import { trustDigest } from '../policy-digest.ts'
import { type AllowedSigners, readAllowedSigners } from '../signatures/allowed-signers.ts'
import { readOpenPgpKeys } from '../signatures/openpgp.ts'
import { principalMistake } from '../signatures/principal.ts'
import type { Signers } from '../signatures/signer.ts'
import { visible } from '../visible-text.ts'
import { readTrustRoot, type TrustRoot, type TrustRootReading } from './trust-root.ts'

export interface TrustFiles {
  readonly root: TrustRoot
  readonly signers: Signers
  /** `sha256:<hex>` over trust/: what a configuration can vouch for. */
  readonly digest: string
}

export type TrustReading =
  | { readonly trust: TrustFiles }
  | { readonly mistakes: readonly FileMistake[] }

const ROOT = 'trust/root.yaml'
const ALLOWED_SIGNERS = 'trust/allowed_signers'
const LARGEST_KEYRING = 256 * 1024
const MOST_KEYRINGS = 256

/** Of a commit's files; those outside trust/ do not matter. */
export function readTrustFiles(files: readonly PolicyFile[]): TrustReading {
  const own = files.filter(({ path }) => path.startsWith('trust/'))
  const bytesOf = (wanted: string) => own.find(({ path }) => path === wanted)?.bytes
  const [rootBytes, signersBytes] = [bytesOf(ROOT), bytesOf(ALLOWED_SIGNERS)]
  if (!rootBytes || !signersBytes)
    return { mistakes: [missing(rootBytes ? ALLOWED_SIGNERS : ROOT)] }

  const root = readTrustRoot(rootBytes)
  const allowed = readAllowedSigners(signersBytes)
  const keyrings = readKeyrings(own)
  if ('mistakes' in root || 'mistakes' in allowed || keyrings.mistakes.length > 0)
    return {
      mistakes: [
        ...inFile(ROOT, 'mistakes' in root ? root.mistakes : []),
        ...inFile(ALLOWED_SIGNERS, 'mistakes' in allowed ? allowed.mistakes : []),
        ...keyrings.mistakes,
      ],
    }
  const { byPrincipal } = keyrings
  const mistakes = [
    ...twins(allowed.signers, byPrincipal),
    ...keyringFaults(byPrincipal),
    ...withoutKey(root, allowed.signers, byPrincipal),
  ]
  if (mistakes.length > 0) return { mistakes }
  return {
    trust: {
      root: root.root,
      signers: { allowed: allowed.signers, openPgp: byPrincipal },
      digest: trustDigest(own),
    },
  }
}

function missing(file: string): FileMistake {
  return {
    file,
    line: 1,
    column: 1,
    message:
      'this file is missing, so nobody could tell who may change this policy; `vouchsafe policy init` makes a repository that has it',
  }
}

function inFile(
  file: string,
  mistakes: readonly Omit<FileMistake, 'file'>[],
): readonly FileMistake[] {
  return mistakes.map((mistake) => ({ file, ...mistake }))
}

interface Keyrings {
  readonly byPrincipal: ReadonlyMap<string, Uint8Array>
  readonly mistakes: readonly FileMistake[]
}

/** A file that means nothing would be believed to mean something: `allowed-signers`, `openpgp/alice.gpg`. */
function readKeyrings(files: readonly PolicyFile[]): Keyrings {
  const byPrincipal = new Map<string, Uint8Array>()
  const mistakes: FileMistake[] = []
  for (const { path, bytes } of files) {
    if (path === ROOT || path === ALLOWED_SIGNERS || path === 'trust/README.md') continue
    const principal = /^trust\/openpgp\/([^/]+)\.asc$/.exec(path)?.[1]
    const message =
      principal === undefined
        ? `${visible(path)} is not a trust file: root.yaml, allowed_signers and openpgp/<principal>.asc are`
        : (principalMistake(principal) ?? keyringMistake(bytes, byPrincipal))
    if (message !== undefined) mistakes.push({ file: path, line: 1, column: 1, message })
    else if (principal !== undefined) byPrincipal.set(principal, bytes)
  }
  return { byPrincipal, mistakes }
}

function keyringMistake(
  { length }: Uint8Array,
  { size }: ReadonlyMap<string, Uint8Array>,
): string | undefined {
  if (length > LARGEST_KEYRING)
    return `the file is ${length} bytes long; at most ${LARGEST_KEYRING} are read`
  return size < MOST_KEYRINGS ? undefined : `trust/openpgp holds more than ${MOST_KEYRINGS} files`
}

/** File names carry principals, and there are file systems where these two would be one. */
function twins(
  { principals }: AllowedSigners,
  openPgp: ReadonlyMap<string, Uint8Array>,
): readonly FileMistake[] {
  const spelt = new Map([...principals].map((principal) => [principal.toLowerCase(), principal]))
  const mistakes: FileMistake[] = []
  for (const principal of openPgp.keys()) {
    const alike = spelt.get(principal.toLowerCase()) ?? principal
    spelt.set(principal.toLowerCase(), alike)
    if (alike !== principal)
      mistakes.push({
        file: `trust/openpgp/${principal}.asc`,
        line: 1,
        column: 1,
        message: `${principal} and ${alike} differ only in upper and lower case`,
      })
  }
  return mistakes
}

/** Found here and not at the first signature: by then its owner could sign nothing, not even the change that mends it. */
function keyringFaults(openPgp: ReadonlyMap<string, Uint8Array>): readonly FileMistake[] {
  const owners = new Map<string, string>()
  return [...openPgp].flatMap(([principal, bytes]) =>
    keyringFault(principal, bytes, owners).map((message) => ({
      file: `trust/openpgp/${principal}.asc`,
      line: 1,
      column: 1,
      message,
    })),
  )
}

/** `owners`: of the fingerprints seen before; a key that belongs to two would have two votes. */
function keyringFault(
  principal: string,
  bytes: Uint8Array,
  owners: Map<string, string>,
): readonly string[] {
  try {
    return readOpenPgpKeys(bytes).fingerprints.flatMap((fingerprint) => {
      const owner = owners.get(fingerprint)
      owners.set(fingerprint, owner ?? principal)
      return owner === undefined
        ? []
        : [`the key ${fingerprint} is ${owner}'s already: a key belongs to one principal, once`]
    })
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return [
      `no public keys can be read from it: found ${visible(cause.observed)}, expected ${cause.expected}; write it with \`gpg --armor --export\``,
    ]
  }
}

/** A name without a key can never sign: mostly it is misspelt, and a threshold with it may be out of reach. */
function withoutKey(
  { named, document }: Extract<TrustRootReading, { root: TrustRoot }>,
  { principals }: AllowedSigners,
  openPgp: ReadonlyMap<string, Uint8Array>,
): readonly FileMistake[] {
  return named.flatMap(({ principal, path }) =>
    principals.has(principal) || openPgp.has(principal)
      ? []
      : [
          {
            file: ROOT,
            ...document.placeOf(path),
            message: `${principal} has no key: neither a line in ${ALLOWED_SIGNERS} nor trust/openpgp/${principal}.asc`,
          },
        ],
  )
}
