/**
 * Who signed this commit, and who approved this statement? One principal each, or a sentence that says why nobody did and
 * what to do. What a principal may change is not asked here.
 */
import { Malformed } from '../../bytes/malformed.ts'
import { APPROVAL_NAMESPACE } from '../acceptance/approval-statement.ts'
import { visible } from '../visible-text.ts'
import { type AllowedSigners, principalOf } from './allowed-signers.ts'
import type { Commit } from './commit-object.ts'
import { type DsseEnvelope, isGenuineDsse } from './dsse.ts'
import { type OpenPgpKeys, readOpenPgpKeys } from './openpgp.ts'
import { isGenuine, readSshSignature } from './ssh-signature.ts'

/** What the trust files say about keys. */
export interface Signers {
  readonly allowed: AllowedSigners
  /** Principal to the contents of `trust/openpgp/<principal>.asc`. */
  readonly openPgp: ReadonlyMap<string, Uint8Array>
}

/**
 * Asks an OpenPGP implementation whether one of the keyring's keys signed the message, now. `keyring`: binary public keys;
 * `signature`: armored. `fingerprint`: of the primary key, upper-case hex.
 */
export type VerifyOpenPgp = (request: {
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly keyring: Uint8Array
}) => Promise<{ readonly fingerprint: string } | { readonly refusal: string }>

export interface SignerTerms {
  readonly trust: Signers
  /** When the verifier first saw what was signed; windows of keys are judged by it. */
  readonly at: Date
  /** Fingerprint to reason: `SHA256:...`, or the hex of an OpenPGP key. */
  readonly revoked: ReadonlyMap<string, string>
}

export interface CommitTerms extends SignerTerms {
  readonly verifyOpenPgp?: VerifyOpenPgp | undefined
}

export type Signer = { readonly principal: string } | { readonly refusal: string }

/** Author and committer are names that anyone can write: only the key counts. */
export async function signerOfCommit(
  { payload, signature }: Commit,
  terms: CommitTerms,
): Promise<Signer> {
  switch (signature?.kind) {
    case undefined:
      return {
        refusal:
          'it is not signed: set "git config gpg.format ssh" and "git config user.signingKey KEY.pub", then "git commit -S"',
      }
    case 'ssh':
      return sshSigner(payload, { armored: signature.armored, namespace: 'git', ...terms })
    case 'openpgp':
      return await openPgpSigner(payload, signature.armored, terms)
    case 'x509':
      return {
        refusal:
          'it is signed with an X.509 certificate, which is not supported: sign with an SSH key ("git config gpg.format ssh")',
      }
  }
}

export interface Approvers {
  /** Each once, however often he signed. */
  readonly principals: ReadonlySet<string>
  /** One sentence for every signature that does not count. */
  readonly faults: readonly string[]
}

export interface ApprovalSignature {
  /** The file's name without `.sig`. */
  readonly principal: string
  readonly armored: Uint8Array
}

/** Who put an SSH signature of their own beside this statement? */
export function approversOf(
  statement: Uint8Array,
  signatures: readonly ApprovalSignature[],
  terms: SignerTerms,
): Approvers {
  return counted(
    signatures.map(({ principal, armored }) => {
      const file = `${visible(principal)}.sig`
      // Before anything is read: however many files there are, no more are verified than there are signers.
      if (!terms.trust.allowed.principals.has(principal))
        return { refusal: `${file}: nobody of this name is in trust/allowed_signers` }
      const signer = sshSigner(statement, { armored, namespace: APPROVAL_NAMESPACE, ...terms })
      if ('refusal' in signer) return { refusal: `${file}: ${signer.refusal}` }
      // A name that does not match hides who approved from whoever reads the folder.
      return signer.principal === principal
        ? signer
        : { refusal: `${file}: the key is ${signer.principal}'s: name the file after its signer` }
    }),
  )
}

/** Who signed this envelope? The caller has compared its payload with the statement. */
export function dsseApprovers(envelope: DsseEnvelope, terms: SignerTerms): Approvers {
  return counted(
    envelope.signatures.map(({ keyid, signature }, index) => {
      const said = (refusal: string) => ({
        refusal: `dsse.json, signature ${index + 1}: ${refusal}`,
      })
      const key = terms.trust.allowed.byFingerprint.get(keyid)?.key
      if (key === undefined)
        return said(
          `keyid "${visible(keyid)}" is no fingerprint of trust/allowed_signers: it must be what "ssh-keygen -l" prints, SHA256:...`,
        )
      const signer = principalOf(terms.trust.allowed, {
        key,
        namespace: APPROVAL_NAMESPACE,
        ...terms,
      })
      if ('refusal' in signer) return said(signer.refusal)
      const genuine = isGenuineDsse(envelope, { key, signature })
      return genuine === true ? signer : said(`the signature of ${signer.principal} ${genuine}`)
    }),
  )
}

/** Whose key it is comes first: what a stranger's signature says is of no interest. */
function sshSigner(
  message: Uint8Array,
  {
    armored,
    namespace,
    ...terms
  }: SignerTerms & { readonly armored: Uint8Array; readonly namespace: string },
): Signer {
  try {
    const signature = readSshSignature(armored)
    const signer = principalOf(terms.trust.allowed, { key: signature.key, namespace, ...terms })
    if ('refusal' in signer) return signer
    const genuine = isGenuine(signature, message, namespace)
    return genuine === true
      ? signer
      : { refusal: `the signature by the key of ${signer.principal} ${genuine}` }
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return {
      refusal: `the SSH signature cannot be read: found ${visible(cause.observed)}, expected ${cause.expected}`,
    }
  }
}

async function openPgpSigner(
  message: Uint8Array,
  signature: Uint8Array,
  { trust, revoked, verifyOpenPgp }: CommitTerms,
): Promise<Signer> {
  const instead = 'sign with an SSH key ("git config gpg.format ssh")'
  if (trust.openPgp.size === 0)
    return {
      refusal: `it is signed with OpenPGP, and trust/openpgp/ holds no keys: ${instead}, or have the key added as trust/openpgp/PRINCIPAL.asc`,
    }
  if (verifyOpenPgp === undefined)
    return { refusal: `it is signed with OpenPGP, which this verifier was not given: ${instead}` }
  const owners = ownersOf(trust.openPgp)
  if (typeof owners === 'string') return { refusal: owners }
  const answer = await verifyOpenPgp({ message, signature, keyring: owners.keyring })
  if ('refusal' in answer) return answer
  const { fingerprint } = answer
  const principal = owners.byFingerprint.get(fingerprint)
  if (principal === undefined)
    return { refusal: `the OpenPGP key ${visible(fingerprint)} is nobody's in trust/openpgp/` }
  const reason = revoked.get(fingerprint) ?? revoked.get(fingerprint.toLowerCase())
  return reason === undefined
    ? { principal }
    : {
        refusal: `the OpenPGP key ${fingerprint} of ${principal} is revoked (${visible(reason)}): sign with another key`,
      }
}

/** Files that do not parse are no trust files, so what is found wrong here should have been found when they were read. */
function ownersOf(files: ReadonlyMap<string, Uint8Array>):
  | {
      readonly keyring: Uint8Array
      readonly byFingerprint: ReadonlyMap<string, string>
    }
  | string {
  const byFingerprint = new Map<string, string>()
  const keyrings: Uint8Array[] = []
  for (const [principal, file] of files) {
    let keys: OpenPgpKeys
    try {
      keys = readOpenPgpKeys(file)
    } catch (cause) {
      if (!(cause instanceof Malformed)) throw cause
      return `trust/openpgp/${visible(principal)}.asc cannot be read: ${cause.message}`
    }
    for (const fingerprint of keys.fingerprints) {
      const other = byFingerprint.get(fingerprint)
      if (other !== undefined)
        return `the OpenPGP key ${fingerprint} stands in trust/openpgp/ for ${other} and for ${visible(principal)}: a key belongs to one principal`
      byFingerprint.set(fingerprint, principal)
    }
    keyrings.push(keys.keyring)
  }
  return { keyring: new Uint8Array(Buffer.concat(keyrings)), byFingerprint }
}

function counted(signers: readonly Signer[]): Approvers {
  const faults = signers.flatMap((signer) => ('refusal' in signer ? signer.refusal : []))
  const more = faults.length - MOST_FAULTS
  return {
    principals: new Set(
      signers.flatMap((signer) => ('principal' in signer ? signer.principal : [])),
    ),
    faults:
      more > 0
        ? [...faults.slice(0, MOST_FAULTS), `and ${more} more signatures like these`]
        : faults,
  }
}

const MOST_FAULTS = 20
