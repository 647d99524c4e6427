/** EVIDENCE on the command line: a raw report or quote, a TSM directory, or a vector file. Read and recognised, not believed. */
import { Malformed } from '../bytes/malformed.ts'
import { Problem } from '../problems.ts'
import type { Evidence } from '../rats/evidence.ts'
import type { AnyTee } from '../rats/tee.ts'
import { decodeVector, type Vector } from '../rats/vector.ts'
import { teeByName, teeOf, tees } from '../tee/registry.ts'
import { type Files, readFile } from './files.ts'

export interface EvidenceInput {
  readonly tee: AnyTee
  readonly evidence: Evidence
  /** Present when the file was a vector: what else it carries. */
  readonly vector?: Vector
}

/** `provider` of the kernel's TSM reports (Documentation/ABI/testing/configfs-tsm), by the TEE whose evidence it hands out. */
const TSM_PROVIDERS: Readonly<Record<string, string>> = {
  sev_guest: 'sev-snp',
  tdx_guest: 'tdx',
}

/** Throws Mistake for what cannot be read and Problem('evidence-unrecognised') for what is not evidence. */
export async function readEvidence(files: Files, path: string): Promise<EvidenceInput> {
  if (await files.isDirectory(path)) return await readTsmDirectory(files, path)
  const bytes = await readFile(files, path, 'EVIDENCE')
  return isVector(path, bytes) ? vectorInput(path, bytes) : { ...recognised(path, bytes) }
}

/** The file's name decides first: a vector with a broken first line is a broken vector, not unknown evidence. */
export function isVector(path: string, bytes: Uint8Array): boolean {
  return path.endsWith('.vector') || textOf(bytes.subarray(0, 5)) === 'tee: '
}

export function vectorOf(path: string, bytes: Uint8Array): Vector {
  try {
    return decodeVector(textOf(bytes))
  } catch (cause) {
    if (!(cause instanceof Malformed)) throw cause
    throw new Problem('evidence-unrecognised', `${path}: ${cause.message}.`, { cause })
  }
}

/** The header names the TEE: some vectors are about bytes that are hardly evidence any more. */
function vectorInput(path: string, bytes: Uint8Array): EvidenceInput {
  const vector = vectorOf(path, bytes)
  const tee = teeByName(vector.header.tee)
  if (!tee)
    throw new Problem(
      'evidence-unrecognised',
      `${path} is a vector of ${vector.header.tee}; this build verifies ${teeNames()}.`,
    )
  return { tee, evidence: vector.evidence, vector }
}

/** `outblob` is the evidence, `auxblob` what the host adds, `provider` the driver that made them. */
async function readTsmDirectory(files: Files, folder: string): Promise<EvidenceInput> {
  const names = new Set(await files.list(folder))
  if (!names.has('outblob'))
    throw new Problem(
      'evidence-unrecognised',
      `${folder} is a folder without \`outblob\`, so it is not a TSM report directory.`,
    )
  const part = async (name: string): Promise<Uint8Array | undefined> =>
    names.has(name) ? await readFile(files, `${folder}/${name}`, 'EVIDENCE') : undefined
  const { tee, evidence } = recognised(
    `${folder}/outblob`,
    (await part('outblob')) ?? new Uint8Array(),
  )
  const auxblob = await part('auxblob')
  const provider = await part('provider')
  if (provider) agree({ folder, provider: textOf(provider).trim(), tee })
  return { tee, evidence: auxblob?.length ? { ...evidence, auxblob } : evidence }
}

function agree(at: {
  readonly folder: string
  readonly provider: string
  readonly tee: AnyTee
}): void {
  if (Object.hasOwn(TSM_PROVIDERS, at.provider) && TSM_PROVIDERS[at.provider] === at.tee.name)
    return
  throw new Problem(
    'evidence-unrecognised',
    `${at.folder}/provider says "${at.provider}", and ${at.folder}/outblob is evidence of ${at.tee.name}.`,
  )
}

function recognised(path: string, quote: Uint8Array): EvidenceInput {
  const tee = quote.length > 0 ? teeOf(quote) : undefined
  if (tee) return { tee, evidence: { quote } }
  throw new Problem(
    'evidence-unrecognised',
    `${path} is not evidence of ${teeNames()}: ${whatItIs(quote)}.`,
  )
}

/** The usual wrong files, so that the sentence can say how to make the right one. */
function whatItIs(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'it is empty'
  const start = textOf(bytes.subarray(0, 64))
  if (/^[\s0-9a-fA-F]+$/.test(start)) return 'it looks like hex; decode it with `xxd -r -p FILE`'
  if (start.startsWith('-----BEGIN')) return 'it is PEM; certificates go to --endorsements'
  if (/^\s*[{[]/.test(start)) return 'it looks like JSON; give the raw bytes of the report or quote'
  if (/^[\sA-Za-z0-9+/=_-]+$/.test(start)) return 'it looks like base64; decode it with `base64 -d`'
  return `it begins with ${Buffer.from(bytes.subarray(0, 8)).toString('hex')}`
}

function teeNames(): string {
  return tees.map(({ name }) => name).join(', ')
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}
