/** `vouchsafe model open`: weights for whoever was given their key, and nothing of what was altered on the way. */
import { type Output, YES } from './answering.ts'
import { Mistake, onePath, parseArguments } from './arguments.ts'
import { agentOptions, attestRequest } from './attest-request.ts'
import { readFile } from './files.ts'
import {
  concluding,
  registryHelp,
  registryOf,
  registryOptions,
  versionOf,
} from './model-arguments.ts'
import type { ModelDeps, OpenedAnswer, OpenRequest } from './model-deps.ts'
import { size } from './model-progress.ts'
import { counted, printable } from './text.ts'

const options = {
  out: { type: 'string' },
  stdout: { type: 'string' },
  'key-file': { type: 'string' },
  ...agentOptions,
  resource: { type: 'string' },
  name: { type: 'string' },
  'expect-digest': { type: 'string' },
  'minimum-version': { type: 'string' },
  'public-key': { type: 'string' },
  ...registryOptions,
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe model open SEALED (--out DIR | --stdout FILE): decrypt a model, and verify all of it on the way

  SEALED                 a folder that \`vouchsafe model seal\` wrote, or oci://host/repository@sha256:...
  --out DIR              a new folder; it is there when the whole model was verified, and not before
  --stdout FILE          one file of the model, to stdout: each chunk once it was verified. Until the exit code is 0
                         the file may be incomplete, or not the one that was approved
  --expect-digest sha256:HEX   what the agent's manifest says under models; refuse any other model
  --minimum-version N    likewise; refuse an older one
  --public-key FILE      PEM: refuse a model that was not signed by this key (OpenSSF Model Signing)

  --service URL          get the key by attestation, as \`vouchsafe attest\` does; and then
  --resource model:NAME  which key. The model must have that name
  --agent NAME, --environment NAME, --tenant NAME, --issuer URL, --audience NAME, --simulator DIR, --machine FILE
                         see \`vouchsafe attest --help\`
  --key-file FILE        or: 32 bytes, as --key-out wrote them
  --name NAME            with --key-file: refuse a model of another name
${registryHelp}
  --json                 {name, version, digest, files, bytes, to}

Exits 0 (opened), 2 (refused) or 1 (could not tell).

Example, in the enclave:
  vouchsafe model open oci://registry.example/llama@sha256:... --out /run/llama --service https://attest.example.com \\
    --agent invoice-bot --resource model:llama-small --expect-digest sha256:... --minimum-version 3
`

/** `args` is what follows `open`. Resolves to the exit code; throws Mistake, Problem. */
export async function openVerb(args: readonly string[], deps: ModelDeps): Promise<number> {
  const { values, positionals } = parseArguments('model open', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const json = values.json === true
  const request = await requestOf(values, onePath('model open', 'SEALED', positionals), deps)
  // Where stdout is the file, what is said goes elsewhere.
  const said: Output = request.to.kind === 'stdout' ? { ...deps, out: deps.err } : deps
  return await concluding({ json, said, deps, text }, (told) => deps.open(request, told))
}

type Values = ReturnType<typeof parseArguments<typeof options>>['values']

async function requestOf(values: Values, place: string, deps: ModelDeps): Promise<OpenRequest> {
  const { out, stdout, name, 'expect-digest': digest, 'minimum-version': minimum } = values
  const { 'public-key': publicKey } = values
  if ((out === undefined) === (stdout === undefined))
    throw new Mistake(
      'either --out or --stdout says where it goes.',
      'Name a new folder with --out, or one file of the model with --stdout.',
    )
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest))
    throw new Mistake(
      `--expect-digest ${digest} is no digest.`,
      'Copy it from the manifest: sha256: and 64 lower-case hex digits.',
    )
  const key = keyOf(values)
  return {
    model: { place, registry: registryOf(values) },
    to:
      stdout === undefined
        ? { kind: 'folder', folder: out ?? '' }
        : { kind: 'stdout', path: stdout },
    key,
    name: key.from === 'service' ? values.resource?.slice('model:'.length) : name,
    digest,
    minimumVersion: minimum === undefined ? undefined : versionOf('minimum-version', minimum),
    publicKey:
      publicKey === undefined ? undefined : await readFile(deps.files, publicKey, '--public-key'),
  }
}

function keyOf(values: Values): OpenRequest['key'] {
  const { 'key-file': file, service, resource, agent } = values
  if ((file === undefined) === (service === undefined))
    throw new Mistake(
      'the key comes either from --service or from --key-file.',
      'In an enclave: --service URL --agent NAME --resource model:NAME.',
    )
  if (file !== undefined) return { from: 'file', file }
  if (!resource?.startsWith('model:') || agent === undefined)
    throw new Mistake(
      `--${agent === undefined ? 'agent' : 'resource'} is missing${resource === undefined || agent === undefined ? '' : `: ${resource} is no model`}.`,
      'With --service go --agent NAME and --resource model:NAME.',
    )
  // Versions of the key are not versions of the model: the newest key is the one that is asked for.
  const release = { resource, minimumVersion: 1 }
  return {
    from: 'service',
    request: attestRequest(values, { service: service ?? '', agent, release }),
  }
}

function text({ name, version, digest, files, bytes, to }: OpenedAnswer): string {
  return `${name} version ${version}, ${digest}: ${counted(files, 'file')}, ${size(bytes)}, verified, in ${printable(to)}\n`
}
