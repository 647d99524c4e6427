/** `vouchsafe collateral export` and `import`: what is held, in a signed file. */
import { BundleRefused, type ExportedBundle } from '../service/endorsement-source.ts'
import { REFUSED, YES } from './answering.ts'
import { Mistake } from './arguments.ts'
import { type CollateralDeps, entryJson, jsonLine } from './collateral-output.ts'
import { readFile } from './files.ts'
import { counted, printable } from './text.ts'

export interface BundleRequest {
  readonly path: string
  /** Path of the key; undefined when it was not given. */
  readonly key: string | undefined
  readonly json: boolean
}

/** Resolves to the exit code. Throws Mistake. */
export async function exportCollateral(
  { path, key, json }: BundleRequest,
  deps: CollateralDeps,
): Promise<number> {
  const privateKey = await readKey(key, deps, 'the Ed25519 key to sign with')
  const library = await deps.library()
  let exported: ExportedBundle
  try {
    exported = await library.exportBundle(privateKey)
  } catch (refused) {
    if (!(refused instanceof BundleRefused)) throw refused
    throw new Mistake(
      `nothing was exported: ${refused.message}.`,
      'See the examples in `vouchsafe collateral --help`.',
    )
  }
  await writeBundle(path, exported.bytes, deps)
  const { entries, signer } = exported
  deps.out(
    json
      ? jsonLine({
          file: path,
          bytes: exported.bytes.length,
          signer,
          entries: entries.map(entryJson),
        })
      : `${printable(path)}: ${counted(entries.length, 'document')}, ${exported.bytes.length} bytes, signed by ${signer}\n`,
  )
  return YES
}

async function writeBundle(path: string, bytes: Uint8Array, deps: CollateralDeps): Promise<void> {
  try {
    await deps.writeFile(path, bytes)
  } catch (error) {
    throw new Mistake(
      `FILE ${path} cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
      'Check the folder and its permissions.',
    )
  }
}

/** Resolves to the exit code. Throws Mistake. */
export async function importCollateral(
  { path, key, olderIsAllowed, json }: BundleRequest & { readonly olderIsAllowed: boolean },
  deps: CollateralDeps,
): Promise<number> {
  const publicKey = await readKey(key, deps, "the signer's public Ed25519 key")
  const bytes = await readFile(deps.files, path, 'FILE')
  const library = await deps.library()
  try {
    const { created, signer, entries } = await library.importBundle({
      bytes,
      publicKey,
      olderIsAllowed,
    })
    const outdated = entries.filter(({ notAfter }) => notAfter < deps.now())
    deps.out(
      json
        ? jsonLine({ created: created.toISOString(), signer, entries: entries.map(entryJson) })
        : `${counted(entries.length, 'document')} imported, bundle of ${created.toISOString()} signed by ${signer}\n`,
    )
    if (outdated.length > 0)
      deps.err(
        `vouchsafe collateral: ${counted(outdated.length, 'document')} of it ended before now, and checks will call that stale: ask for a newer bundle.\n`,
      )
    return YES
  } catch (refused) {
    if (!(refused instanceof BundleRefused)) throw refused
    if (json) deps.out(jsonLine({ refused: refused.message }))
    else
      deps.err(
        `vouchsafe collateral: ${printable(path)} was refused and nothing was imported: ${printable(refused.message)}.\n` +
          'What to do: check that --key is the public key of whoever signed it, and ask for the bundle again; --allow-older takes an older one.\n',
      )
    return REFUSED
  }
}

async function readKey(
  key: string | undefined,
  { files }: CollateralDeps,
  what: string,
): Promise<string> {
  if (key === undefined)
    throw new Mistake('--key is missing.', `Give ${what}, in PEM, as --key FILE.`)
  return Buffer.from(await readFile(files, key, '--key')).toString('utf8')
}
