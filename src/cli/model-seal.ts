/** `vouchsafe model seal`: weights that may then be stored anywhere, because only attested agents get their key. */
import { YES } from './answering.ts'
import { Mistake, onePath, parseArguments } from './arguments.ts'
import { readFile } from './files.ts'
import {
  concluding,
  registryHelp,
  registryOf,
  registryOptions,
  versionOf,
} from './model-arguments.ts'
import type { ModelDeps, SealedAnswer, SealRequest } from './model-deps.ts'
import { size } from './model-progress.ts'
import { isAccepted } from './release-settings.ts'
import { counted, printable } from './text.ts'

const options = {
  name: { type: 'string' },
  version: { type: 'string' },
  out: { type: 'string' },
  work: { type: 'string' },
  'key-out': { type: 'string' },
  'release-url': { type: 'string' },
  'token-file': { type: 'string' },
  tenant: { type: 'string' },
  simulated: { type: 'string' },
  'sign-key': { type: 'string' },
  signature: { type: 'string' },
  'public-key': { type: 'string' },
  ...registryOptions,
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe model seal DIR --name NAME --version N --out PLACE: encrypt a model for attested agents

  --name NAME            as the manifest of the agent calls it: its key becomes the resource model:NAME
  --version N            rises with every release of the model; agents refuse an older one than their manifest names
  --out PLACE            a new folder, or oci://host/repository (a tag is refused; what comes out is a digest)
  --key-out FILE         where the key goes: a new file that only you may read
  --release-url URL      and, or instead: put the key into this service as model:NAME
  --token-file FILE      with --release-url: holds your operator token (role secret-admin)
  --tenant NAME          with --release-url: default default
  --simulated WHICH      with --release-url: accepted: simulated evidence may have the key, for what is no real model; refused.
                         Default: as it is, and refused for a new one
  --sign-key FILE        PEM of a private key on P-256, P-384 or P-521: sign the plaintext (OpenSSF Model Signing 1.0)
  --signature FILE --public-key FILE
                         or keep a signature that was made before, by model-signing or by others, if it holds
  --work DIR             with oci://: where it is sealed first. Default: NAME-N.sealing, removed in the end
${registryHelp}
  --json                 {name, version, digest, files, bytes, place, signed, keyFile, resource}

What was broken off goes on with the same command, if --key-out was given: finished files are not sealed again.
The digest that is printed belongs into the agent's manifest, under models. docs/models.md tells the whole way.

Exits 0 (sealed), 2 (the signature does not hold) or 1 (it is not sealed).

Example:
  vouchsafe model seal ./llama --name llama-small --version 3 --out ./llama.sealed --key-out ./llama.key
`

/** `args` is what follows `seal`. Resolves to the exit code; throws Mistake, Problem. */
export async function sealVerb(args: readonly string[], deps: ModelDeps): Promise<number> {
  const { values, positionals } = parseArguments('model seal', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const json = values.json === true
  const request = await requestOf(values, onePath('model seal', 'DIR', positionals), deps)
  return await concluding({ json, said: deps, deps, text }, (told) => deps.seal(request, told))
}

type Values = ReturnType<typeof parseArguments<typeof options>>['values']

async function requestOf(values: Values, folder: string, deps: ModelDeps): Promise<SealRequest> {
  const { 'key-out': keyFile, 'release-url': url, 'token-file': tokenFile, simulated } = values
  const name = needed(values, 'name')
  const version = versionOf('version', needed(values, 'version'))
  const out = needed(values, 'out')
  if (keyFile === undefined && url === undefined)
    throw new Mistake(
      'nobody would have the key.',
      'Name a file with --key-out, or a service with --release-url and --token-file.',
    )
  if ((url === undefined) !== (tokenFile === undefined))
    throw new Mistake(
      `--${url === undefined ? 'release-url' : 'token-file'} is missing.`,
      '--release-url and --token-file go together.',
    )
  if (simulated !== undefined && url === undefined)
    throw new Mistake('--release-url is missing.', '--simulated says who may have the key there.')
  return {
    folder,
    name,
    version,
    out: { place: out, registry: registryOf(values) },
    work: values.work ?? `${name}-${version}.sealing`,
    keyFile,
    service:
      url === undefined || tokenFile === undefined
        ? undefined
        : {
            ...{ url, tokenFile, tenant: values.tenant ?? 'default' },
            acceptsSimulated: simulated === undefined ? undefined : isAccepted(simulated),
          },
    ...(await signingOf(values, deps)),
  }
}

async function signingOf(
  { 'sign-key': signKey, signature, 'public-key': publicKey }: Values,
  { files }: ModelDeps,
): Promise<Pick<SealRequest, 'signKey' | 'signed'>> {
  if (signKey !== undefined && signature !== undefined)
    throw new Mistake('--sign-key and --signature were both given.', 'One signature is kept.')
  if ((signature === undefined) !== (publicKey === undefined))
    throw new Mistake(
      `--${signature === undefined ? 'signature' : 'public-key'} is missing.`,
      '--signature and --public-key go together.',
    )
  return {
    signKey: signKey === undefined ? undefined : await readFile(files, signKey, '--sign-key'),
    signed:
      signature === undefined || publicKey === undefined
        ? undefined
        : {
            bundle: await readFile(files, signature, '--signature'),
            publicKey: await readFile(files, publicKey, '--public-key'),
          },
  }
}

function needed(values: Values, option: 'name' | 'version' | 'out'): string {
  const value = values[option]
  if (value !== undefined && value !== '') return value
  throw new Mistake(`--${option} is missing.`, 'See `vouchsafe model seal --help`.')
}

function text(sealed: SealedAnswer): string {
  const { name, version, digest, files, bytes, place, signed, keyFile, resource } = sealed
  return [
    `${name} version ${version}: ${counted(files, 'file')}, ${size(bytes)}${signed ? ', signed' : ''}`,
    `digest    ${digest}`,
    `stored    ${printable(place)}`,
    ...(keyFile === undefined
      ? []
      : [`key       ${printable(keyFile)} (keep it as you would the weights)`]),
    ...(resource ? [`resource  ${printable(resource.name)}, version ${resource.version}`] : []),
    `manifest  models: [{name: ${name}, version: ${version}, digest: "${digest}"}]`,
    '',
  ].join('\n')
}
