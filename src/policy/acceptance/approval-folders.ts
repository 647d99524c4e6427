/**
 * What lies under approvals/? Folders called by the SHA-256 of the statement that they hold, with its signatures, or with a
 * DSSE envelope around it. Anybody may write there: what is no approval is no mistake, and counts for nothing.
 */
import { Malformed } from '../../bytes/malformed.ts'
import type { PolicyFile } from '../policy.ts'
import { sha256 } from '../policy-digest.ts'
import { type DsseEnvelope, readDsseEnvelope } from '../signatures/dsse.ts'
import type { ApprovalSignature } from '../signatures/signer.ts'
import {
  APPROVAL_PAYLOAD_TYPE,
  type ApprovalStatement,
  type ResetStatement,
  readStatement,
  type Statement,
} from './approval-statement.ts'

export interface ApprovalFolder<S extends Statement = Statement> {
  /** `approvals/<sha256>/` */
  readonly path: string
  readonly statement: S
  /** What was signed. */
  readonly bytes: Uint8Array
  /** Where the statement was read: `statement.json` or `dsse.json`. */
  readonly source: string
  readonly signatures: readonly ApprovalSignature[]
  readonly envelope: DsseEnvelope | undefined
}

export interface ApprovalFolders {
  readonly approvals: readonly ApprovalFolder<ApprovalStatement>[]
  readonly resets: readonly ApprovalFolder<ResetStatement>[]
  /** Sentences about folders that look like approvals and are none, for whoever misses one. */
  readonly unreadable: readonly string[]
}

export function readApprovalFolders(files: readonly PolicyFile[]): ApprovalFolders {
  const approvals: ApprovalFolder<ApprovalStatement>[] = []
  const resets: ApprovalFolder<ResetStatement>[] = []
  const unreadable: string[] = []
  for (const [name, members] of membersByFolder(files)) {
    const folder = readFolder(name, members)
    if (typeof folder === 'string') {
      unreadable.push(`approvals/${name}/${folder}`)
      continue
    }
    const { statement } = folder
    if (statement.kind === 'Approval') approvals.push({ ...folder, statement })
    else resets.push({ ...folder, statement })
  }
  return { approvals, resets, unreadable }
}

type Members = ReadonlyMap<string, Uint8Array>

function membersByFolder(files: readonly PolicyFile[]): ReadonlyMap<string, Members> {
  const folders = new Map<string, Map<string, Uint8Array>>()
  for (const { path, bytes } of files) {
    const [, name, base] = /^approvals\/([0-9a-f]{64})\/([^/]+)$/.exec(path) ?? []
    if (name === undefined || base === undefined) continue
    const members = folders.get(name) ?? new Map<string, Uint8Array>()
    folders.set(name, members.set(base, bytes))
  }
  return folders
}

/** A clause that begins with the file's name, where it is none. */
function readFolder(name: string, members: Members): ApprovalFolder | string {
  const envelope = envelopeIn(members.get(ENVELOPE))
  if (typeof envelope === 'string') return envelope
  const written = members.get(STATEMENT)
  const bytes = written ?? envelope?.payload
  const source = written ? STATEMENT : ENVELOPE
  if (!bytes) return `${STATEMENT} is missing`
  for (const [file, content] of [
    [STATEMENT, written],
    [ENVELOPE, envelope?.payload],
  ] as const)
    if (content && sha256(content) !== name)
      return `${file} does not have the SHA-256 that the folder is called by: it was changed after it was signed`
  const reading = readStatement(bytes)
  if ('mistake' in reading) return `${source} ${reading.mistake}`
  return {
    path: `approvals/${name}/`,
    statement: reading.statement,
    bytes,
    source,
    envelope,
    signatures: [...members].flatMap(([base, armored]) =>
      base.endsWith('.sig') ? [{ principal: base.slice(0, -'.sig'.length), armored }] : [],
    ),
  }
}

const STATEMENT = 'statement.json'
const ENVELOPE = 'dsse.json'

function envelopeIn(bytes: Uint8Array | undefined): DsseEnvelope | undefined | string {
  if (!bytes) return undefined
  try {
    return readDsseEnvelope(bytes, APPROVAL_PAYLOAD_TYPE)
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    return `${ENVELOPE} cannot be read: found ${cause.observed}, expected ${cause.expected}`
  }
}
