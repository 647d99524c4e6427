/**
 * `vouchsafe collateral`: endorsements fetched ahead of time, and carried in a signed file to where no vendor can be
 * reached. Exits 0 (done), 2 (the bundle was refused) or 1 (could not).
 */
import { answering, YES } from './answering.ts'
import { Mistake, noPath, onePath, parseArguments } from './arguments.ts'
import { exportCollateral, importCollateral } from './collateral-bundle.ts'
import { fetchCollateral } from './collateral-fetch.ts'
import type { CollateralDeps } from './collateral-output.ts'
import type { Wanted } from './collateral-subjects.ts'

const options = {
  product: { type: 'string', multiple: true },
  fmspc: { type: 'string', multiple: true },
  vcek: { type: 'string', multiple: true },
  key: { type: 'string' },
  'allow-older': { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Values = ReturnType<typeof parseArguments<typeof options>>['values']

const help = `vouchsafe collateral: keep the vendors' certificates, revocation lists and TCB info at hand

  vouchsafe collateral fetch [--product Milan,Genoa,Turin] [--fmspc HEX]... [--vcek [PRODUCT:]CHIPID:TCB]...
  vouchsafe collateral export FILE --key PRIVATE.pem
  vouchsafe collateral import FILE --key PUBLIC.pem [--allow-older]

  --product NAMES        chains and revocation lists of these AMD product lines
  --fmspc HEX            TCB info of this Intel platform family, with QE identities and revocation lists; repeatable
  --vcek CHIP:TCB        VCEK of one AMD chip, with its product's lists; chip id and REPORTED_TCB in hex; repeatable
  --key FILE             Ed25519 key in PEM: private to sign an export, the signer's public one to accept an import
  --allow-older          import also what was issued before what is held
  --json                 print what was done as one object

Without --product, --fmspc and --vcek, fetch takes everything that names no machine. What a vendor limits is waited for.
Exits 0 (done), 2 (the bundle is not as that key signed it, or is older than what is held) or 1 (could not).

Examples:
  openssl genpkey -algorithm ed25519 -out bundle-key.pem && openssl pkey -in bundle-key.pem -pubout -out bundle-pub.pem
  vouchsafe collateral fetch --product Milan --fmspc 00806f050000
  vouchsafe collateral export collateral.bundle --key bundle-key.pem
  vouchsafe collateral import collateral.bundle --key bundle-pub.pem
`

/** `args` is what follows `collateral`. Resolves to the exit code; never rejects. */
export async function collateralCommand(
  args: readonly string[],
  deps: CollateralDeps,
): Promise<number> {
  return await answering('collateral', args, deps, async () => {
    const { values, positionals } = parseArguments('collateral', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const { key, json = false } = values
    const [verb = '', ...rest] = positionals
    switch (verb) {
      case 'fetch':
        refuseOptions('fetch', values, ['key', 'allow-older'])
        return await fetchCollateral({ wanted: wantedOf(values, rest), json }, deps)
      case 'export':
        refuseOptions('export', values, ['product', 'fmspc', 'vcek', 'allow-older'])
        return await exportCollateral({ path: fileOf('export', rest), key, json }, deps)
      case 'import':
        refuseOptions('import', values, ['product', 'fmspc', 'vcek'])
        return await importCollateral(
          {
            path: fileOf('import', rest),
            key,
            olderIsAllowed: values['allow-older'] ?? false,
            json,
          },
          deps,
        )
      default:
        throw new Mistake(
          verb === ''
            ? 'What to do with collateral is missing.'
            : `There is no \`vouchsafe collateral ${verb}\`.`,
          'Choose fetch, export or import; see `vouchsafe collateral --help`.',
        )
    }
  })
}

function wantedOf(values: Values, positionals: readonly string[]): Wanted {
  noPath('collateral fetch', positionals, 'Say what to fetch with --product, --fmspc and --vcek.')
  const { product = [], fmspc = [], vcek = [] } = values
  return { products: product, fmspcs: fmspc, vceks: vcek }
}

function fileOf(verb: string, positionals: readonly string[]): string {
  return onePath(`collateral ${verb}`, 'FILE', positionals)
}

function refuseOptions(verb: string, values: Values, names: readonly (keyof Values)[]): void {
  for (const name of names)
    if (values[name] !== undefined)
      throw new Mistake(
        `\`vouchsafe collateral ${verb}\` takes no --${name}.`,
        'See `vouchsafe collateral --help`.',
      )
}
