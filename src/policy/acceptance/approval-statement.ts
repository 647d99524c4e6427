/**
 * What did somebody put his name to? The statement's bytes are what was signed, so they are read strictly: one object, these
 * members and no others, each once, each value in the spelling that JSON.stringify gives it. Order and white space are free.
 */
import { visible } from '../visible-text.ts'

/** This content (or absence) of this file may become policy. */
export interface ApprovalStatement {
  readonly kind: 'Approval'
  readonly repository: string
  readonly path: string
  /** 64 hex digits of the file's new content, or `deleted`. */
  readonly sha256: string
  readonly generation: number
  readonly notAfter: Date
}

/** The branch may go on from `to`, although `from` was accepted and is not behind it. */
export interface ResetStatement {
  readonly kind: 'Reset'
  readonly repository: string
  /** Full names of commits. */
  readonly from: string
  readonly to: string
  readonly notAfter: Date
}

export type Statement = ApprovalStatement | ResetStatement

/** What `ssh-keygen -Y sign -n` and the namespaces of trust/allowed_signers call it. */
export const APPROVAL_NAMESPACE = 'vouchsafe-approval@v1'
/** payloadType of a DSSE envelope whose payload is a statement. */
export const APPROVAL_PAYLOAD_TYPE = 'application/vnd.vouchsafe.approval+json'

/** The one spelling in which this program writes it. */
export function statementText(statement: Statement): string {
  const { notAfter, ...rest } = statement
  return JSON.stringify({ ...rest, notAfter: `${notAfter.toISOString().slice(0, 19)}Z` })
}

/** `bytes` come from anyone. A mistake is a clause: "has no member sha256". */
export function readStatement(
  bytes: Uint8Array,
): { readonly statement: Statement } | { readonly mistake: string } {
  if (bytes.length > LARGEST)
    return { mistake: `is ${bytes.length} bytes long; at most ${LARGEST} are read` }
  let members: Readonly<Record<string, unknown>>
  try {
    members = flatObject(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    return {
      mistake:
        cause instanceof Misspelt ? cause.message : 'is not a JSON object in UTF-8 without a mark',
    }
  }
  const kind = members.kind
  if (kind !== 'Approval' && kind !== 'Reset')
    return { mistake: `is of kind ${shown(kind)}; Approval and Reset are known` }
  const forms = kind === 'Approval' ? approvalForms : resetForms
  for (const name of Object.keys(members))
    if (!Object.hasOwn(forms, name))
      return { mistake: `has a member ${visible(name)}, which no ${kind} has` }
  for (const [name, { holds, expected }] of Object.entries(forms)) {
    if (!Object.hasOwn(members, name)) return { mistake: `has no member ${name}` }
    if (!holds(members[name]))
      return { mistake: `has ${name} ${shown(members[name])}; it must be ${expected}` }
  }
  // The forms above have proved every member's type.
  const proved = members as unknown as Omit<Statement, 'notAfter'> & { readonly notAfter: string }
  return { statement: { ...proved, notAfter: new Date(proved.notAfter) } as Statement }
}

const LARGEST = 4096

interface Form {
  readonly holds: (value: unknown) => boolean
  readonly expected: string
}

const text: Form = {
  holds: (value) => typeof value === 'string' && value.length > 0,
  expected: 'text',
}
const instant: Form = { holds: isInstant, expected: 'an instant such as 2026-06-01T00:00:00Z' }
const commit: Form = {
  holds: (value) => typeof value === 'string' && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(value),
  expected: 'the full name of a commit',
}
const approvalForms: Readonly<Record<string, Form>> = {
  kind: text,
  repository: text,
  path: text,
  sha256: {
    holds: (value) => typeof value === 'string' && /^(?:[0-9a-f]{64}|deleted)$/.test(value),
    expected: '64 lower-case hex digits or deleted',
  },
  generation: {
    holds: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
    expected: 'a whole number from 0',
  },
  notAfter: instant,
}
const resetForms: Readonly<Record<string, Form>> = {
  kind: text,
  repository: text,
  from: commit,
  to: commit,
  notAfter: instant,
}

function isInstant(value: unknown): boolean {
  if (typeof value !== 'string') return false
  const [, seconds, fraction = '.000'] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{3})?Z$/.exec(value) ?? []
  const at = new Date(value)
  // 30 February parses in some engines: what is written back must be what was written.
  return !Number.isNaN(at.getTime()) && at.toISOString() === `${seconds}${fraction}Z`
}

class Misspelt extends Error {}

/**
 * JSON.parse lets the last of two equal names win, and takes `5e0` for 5: two readers of one signed text could then read
 * two statements. In a flat object every colon outside a string belongs to one member, so counting them finds both.
 */
function flatObject(source: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(source)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Misspelt('is not a JSON object')
  for (const [token] of source.matchAll(STRING))
    if (JSON.stringify(JSON.parse(token)) !== token)
      throw new Misspelt(`spells ${visible(token)} in another way than JSON.stringify`)
  const frame = source.replace(STRING, '').replace(/[ \t\r\n]/g, '')
  if (!/^\{[:,0-9]*\}$/.test(frame))
    throw new Misspelt('holds something other than texts and whole numbers')
  if (frame.split(':').length - 1 !== Object.keys(value).length)
    throw new Misspelt('has a member twice')
  return value as Readonly<Record<string, unknown>>
}

/** Of valid JSON. Linear: each character has one way to match. */
const STRING = /"(?:[^"\\]|\\.)*"/g

function shown(value: unknown): string {
  return value === undefined ? '(none)' : visible(JSON.stringify(value))
}
