/** `vouchsafe inspect`: what does this file say? Decodes offline and believes nothing, and says so first. */
import type { Claims, ClaimValue } from '../rats/tee.ts'
import { answering, type Output, YES } from './answering.ts'
import { onePath, parseArguments } from './arguments.ts'
import { readEvidence } from './evidence-input.ts'
import { type Files, readFile } from './files.ts'
import { type Inspection, inspectEvidence, inspectFile } from './inspection.ts'
import { coloured, type Paint, plain, printable, shortened } from './text.ts'

export interface InspectDeps extends Output {
  readonly files: Files
  readonly colour?: boolean
}

const options = {
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe inspect PATH: show what a file says, without verifying any of it

  PATH                   SEV-SNP report, TDX or SGX quote, folder of a TSM report, certificates and CRLs (PEM or DER),
                         GHCB certificate table, Intel collateral (JSON), .vector file
  --json                 print {verified: false, kind, fields}

Reads only the file: no network, no clock. Exits 0, or 1 when it could not tell what the file is.

Examples:
  vouchsafe inspect report.bin
  vouchsafe inspect vcek.pem --json
`

/** `args` is what follows `inspect`. Resolves to the exit code; never rejects. */
export async function inspectCommand(args: readonly string[], deps: InspectDeps): Promise<number> {
  return await answering('inspect', args, deps, async () => {
    const { values, positionals } = parseArguments('inspect', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const inspection = await inspect(onePath('inspect', 'PATH', positionals), deps.files)
    deps.out(
      values.json
        ? `${JSON.stringify({ verified: false, ...inspection })}\n`
        : inspectionText(inspection, deps.colour ? coloured : plain),
    )
    return YES
  })
}

async function inspect(path: string, files: Files): Promise<Inspection> {
  return (await files.isDirectory(path))
    ? inspectEvidence(path, await readEvidence(files, path))
    : inspectFile(path, await readFile(files, path, 'PATH'))
}

function inspectionText({ kind, fields }: Inspection, paint: Paint): string {
  const warning = paint(
    'bad',
    'NOT VERIFIED: this is what the file says, and anybody could have written it.',
  )
  return `${warning}\n${kind}\n${treeLines(fields, 1).join('\n')}\n`
}

function treeLines(fields: Claims, depth: number): readonly string[] {
  return Object.entries(fields).flatMap(([name, value]) => entryLines(name, value, depth))
}

function entryLines(name: string, value: ClaimValue, depth: number): readonly string[] {
  const head = `${'  '.repeat(depth)}${printable(name)}`
  if (isTree(value))
    return Object.keys(value).length === 0
      ? [`${head}: none`]
      : [head, ...treeLines(value, depth + 1)]
  if (isList(value) && value.some((each) => typeof each === 'object' && each !== null))
    return value.flatMap((each, index) => entryLines(`${name} ${index + 1}`, each, depth))
  const text = isList(value) ? value.join(', ') || 'none' : String(value ?? 'none')
  return [`${head}: ${printable(shortened(text))}`]
}

function isList(value: ClaimValue): value is readonly ClaimValue[] {
  return Array.isArray(value)
}

function isTree(value: ClaimValue): value is Claims {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
