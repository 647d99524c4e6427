/**
 * Who may sign the policy repository: `trust/allowed_signers`, in OpenSSH's format (ssh-keygen(1), ALLOWED SIGNERS) without
 * what makes it hard to say whose a key is. Patterns, several principals on a line, certificate authorities and a key on
 * two lines are mistakes. Every mistake is reported, with line and column.
 */
import { Malformed } from '../../bytes/malformed.ts'
import type { Mistake } from '../documents/yaml-document.ts'
import { visible } from '../visible-text.ts'
import { principalMistake } from './principal.ts'
import { readSignerOptions, type SignerOptions } from './signer-options.ts'
import { readSshKey, type SshKey } from './ssh-key.ts'

export interface AllowedSigner extends SignerOptions {
  /** One person or machine, who has one vote however many keys. */
  readonly principal: string
  readonly key: SshKey
  readonly line: number
}

export interface AllowedSigners {
  readonly byFingerprint: ReadonlyMap<string, AllowedSigner>
  readonly principals: ReadonlySet<string>
}

type SignersReading =
  | { readonly signers: AllowedSigners }
  | { readonly mistakes: readonly Mistake[] }

/** `bytes`: the file, written by anyone who may commit. */
export function readAllowedSigners(bytes: Uint8Array): SignersReading {
  if (bytes.length > LARGEST)
    return failed(`the file is ${bytes.length} bytes long; at most ${LARGEST} are read`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return failed('the file is not UTF-8')
  }
  const byFingerprint = new Map<string, AllowedSigner>()
  const spelt = new Map<string, string>()
  const mistakes: Mistake[] = []
  for (const [index, content] of text.split('\n').entries()) {
    const line = index + 1
    const reading = readLine(content)
    if (reading === undefined) continue
    if ('message' in reading) {
      mistakes.push({ line, column: reading.at + 1, message: reading.message })
      continue
    }
    const { principal, key } = reading.signer
    const other = byFingerprint.get(key.fingerprint)
    if (other)
      mistakes.push({
        line,
        column: reading.keyAt + 1,
        message: `the key ${key.fingerprint} stands on line ${other.line} already, for ${other.principal}: a key belongs to one principal, on one line`,
      })
    // File names carry principals, and there are file systems where these two would be one.
    const alike = spelt.get(principal.toLowerCase()) ?? principal
    if (alike !== principal)
      mistakes.push({
        line,
        column: 1,
        message: `${principal} and ${alike} differ only in upper and lower case`,
      })
    byFingerprint.set(key.fingerprint, { ...reading.signer, line })
    spelt.set(principal.toLowerCase(), alike)
  }
  if (mistakes.length > 0) return { mistakes: mistakes.slice(0, MOST_MISTAKES) }
  return { signers: { byFingerprint, principals: new Set(spelt.values()) } }
}

export interface SignerQuestion {
  readonly key: SshKey
  /** The purpose that the signature names: `git`, `vouchsafe-approval@v1`. */
  readonly namespace: string
  /** When the verifier first saw what was signed. Never a time that the signer wrote. */
  readonly at: Date
  /** Fingerprint to reason. */
  readonly revoked: ReadonlyMap<string, string>
}

/** Whose key is it, if it may sign for this purpose at this time? Says nothing about any signature. */
export function principalOf(
  signers: AllowedSigners,
  { key, namespace, at, revoked }: SignerQuestion,
): { readonly principal: string } | { readonly refusal: string } {
  const { fingerprint } = key
  const signer = signers.byFingerprint.get(fingerprint)
  if (signer === undefined)
    return {
      refusal: `the key ${fingerprint} (${key.type}) is not in trust/allowed_signers: sign with a key that is, or have it added`,
    }
  const { principal, namespaces, validAfter, validBefore } = signer
  const whose = `the key ${fingerprint} of ${principal}`
  const reason = revoked.get(fingerprint)
  if (reason !== undefined)
    return { refusal: `${whose} is revoked (${visible(reason)}): sign with another key` }
  if (namespaces !== undefined && !namespaces.includes(namespace))
    return {
      refusal: `${whose} may sign for ${namespaces.join(', ')} only, not for ${namespace} (trust/allowed_signers, line ${signer.line})`,
    }
  // Whole seconds and both ends included, as OpenSSH compares them.
  const seconds = Math.floor(at.getTime() / 1000)
  if (validAfter !== undefined && !(seconds >= validAfter.getTime() / 1000))
    return {
      refusal: `${whose} is valid from ${instant(validAfter)}, and this was first seen at ${instant(at)}`,
    }
  if (validBefore !== undefined && !(seconds <= validBefore.getTime() / 1000))
    return {
      refusal: `${whose} was valid until ${instant(validBefore)}, and this was first seen at ${instant(at)}: the committer's own time does not count`,
    }
  return { principal }
}

const LARGEST = 256 * 1024
const MOST_MISTAKES = 100
/** RSA-16384 in base64. */
const LONGEST_KEY = 6000

type LineReading =
  | { readonly signer: Omit<AllowedSigner, 'line'>; readonly keyAt: number }
  | { readonly message: string; readonly at: number }

/** `principal [options] type key [comment]`. Undefined for a blank line or a comment. */
function readLine(content: string): LineReading | undefined {
  const control = /[^\P{Cc}\t]/u.exec(content)
  if (control)
    return {
      at: control.index,
      message: `there is the control character ${visible(control[0])}: use line feeds, tabs and printable text`,
    }
  const start = skipBlanks(content, 0)
  if (start === content.length || content[start] === '#') return undefined
  const principal = wordAt(content, start)
  const wrong = principalMistake(principal)
  if (wrong !== undefined) return { at: start, message: wrong }

  let typeAt = skipBlanks(content, start + principal.length)
  let options: SignerOptions = {
    namespaces: undefined,
    validAfter: undefined,
    validBefore: undefined,
  }
  const first = wordAt(content, typeAt)
  if (first !== '' && !isKeyType(first)) {
    const reading = readSignerOptions(content, typeAt)
    if ('message' in reading) return reading
    options = reading.options
    typeAt = skipBlanks(content, reading.end)
  }
  const type = wordAt(content, typeAt)
  const keyAt = skipBlanks(content, typeAt + type.length)
  const key = readKey(type, wordAt(content, keyAt))
  return typeof key === 'string'
    ? { at: type === '' ? content.length : typeAt, message: key }
    : { signer: { principal, key, ...options }, keyAt }
}

function readKey(type: string, base64: string): SshKey | string {
  if (type === '' || base64 === '')
    return 'the key is missing: a line is a principal, options if any, a key type and a key'
  const bytes = base64.length > LONGEST_KEY ? undefined : Buffer.from(base64, 'base64')
  if (bytes?.toString('base64') !== base64) return 'the key is not in canonical padded base64'
  try {
    const key = readSshKey(new Uint8Array(bytes))
    return key.type === type ? key : `the line says ${visible(type)}, and the key is ${key.type}`
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return `the key cannot be used: found ${cause.observed}, expected ${cause.expected}`
  }
}

/** No option is spelled like one. */
function isKeyType(word: string): boolean {
  return /^(sk-)?(ssh|ecdsa)-/.test(word)
}

function skipBlanks(content: string, from: number): number {
  let at = from
  while (content[at] === ' ' || content[at] === '\t') at++
  return at
}

function wordAt(content: string, from: number): string {
  let end = from
  while (end < content.length && content[end] !== ' ' && content[end] !== '\t') end++
  return content.slice(from, end)
}

function instant(at: Date): string {
  return at.toISOString().replace('.000Z', 'Z')
}

function failed(message: string): SignersReading {
  return { mistakes: [{ line: 1, column: 1, message }] }
}
