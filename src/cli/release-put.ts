/** `vouchsafe release put` and `rotate`: a secret or model key that is new, and another version of one that is there. */
import { type PutReport, putResponse } from '../service/resource-report.ts'
import { YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { accessHelpFor, accessOptions } from './keys-access.ts'
import { askResources, resourceFrom, tenantOf, type Values } from './release-access.ts'
import type { ReleaseDeps } from './release-deps.ts'
import { resourceNamed, secretFrom } from './release-secret.ts'
import {
  type GivenSettings,
  resourceOptions,
  resourceOptionsHelp,
  settingsGiven,
  settingsText,
} from './release-settings.ts'
import { printable } from './text.ts'

const options = {
  file: { type: 'string' },
  'strip-newline': { type: 'boolean' },
  tenant: { type: 'string' },
  ...resourceOptions,
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...accessOptions,
} as const

const common = `  --file FILE            holds the secret, byte for byte; without it, or with -, standard input does
  --strip-newline        leave out one line feed at its end
  --tenant NAME          default: default
${resourceOptionsHelp}
${accessHelpFor('role secret-admin')}
  --json                 {tenant, name, version, change, use, approvals, leaseSeconds, releasesPerMinute, brokerPath,
                         requiresSession, acceptsSimulated, next}

The secret is at most 64 KiB, is kept encrypted under the key-encryption key, and never stands on a command line, in an
answer or in a log.

Exits 0 or 1 (could not tell, or refused: nothing was changed).`

const putHelp = `vouchsafe release put NAME: add a secret or model key that attested agents may be given

  NAME                   secret:… or model:…, as the scopes of release rules name it
${common}

Examples:
  vouchsafe release put secret:db-ro --file password --url https://attest.example.com --token-file token
  openssl rand 32 | vouchsafe release put model:llama-small --approvals 2
`

const rotateHelp = `vouchsafe release rotate NAME: another version of a secret or model key that is there

Agents that ask from then on are given the new one. What is not said stays as it was. While a version is good nobody can
loosen who may have it (--use, --approvals, --session, --simulated); nor, where operators must approve, --lease, --rate and
--broker-path.

  NAME                   as \`vouchsafe release list\` has it
  --settings-only        keep the secret as it is, and change how it may be had
${common}

Examples:
  vouchsafe release rotate secret:db-ro --file password --url https://attest.example.com --token-file token
  vouchsafe release rotate secret:db-ro --settings-only --approvals 2
`

export async function putVerb(args: readonly string[], deps: ReleaseDeps): Promise<number> {
  const { values, positionals } = parseArguments('release put', args, options)
  if (values.help) {
    deps.out(putHelp)
    return YES
  }
  const name = resourceNamed('put', positionals)
  const settings = settingsGiven(values)
  const secret = await secretFrom(sourceOf(values), deps)
  return await put({ name, settings, secret, after: 0, values }, deps)
}

export async function rotateVerb(args: readonly string[], deps: ReleaseDeps): Promise<number> {
  const { values, positionals } = parseArguments('release rotate', args, {
    ...options,
    'settings-only': { type: 'boolean' },
  })
  if (values.help) {
    deps.out(rotateHelp)
    return YES
  }
  const name = resourceNamed('rotate', positionals)
  const settings = settingsGiven(values)
  const secret = values['settings-only'] ? kept(values) : await secretFrom(sourceOf(values), deps)
  const { versions } = await resourceFrom(name, values, deps)
  return await put({ name, settings, secret, after: versions[0]?.version ?? 0, values }, deps)
}

interface Put {
  readonly name: string
  readonly settings: GivenSettings
  readonly secret: Uint8Array | undefined
  readonly after: number
  readonly values: Values
}

async function put(
  { name, settings, secret, after, values }: Put,
  deps: ReleaseDeps,
): Promise<number> {
  const tenant = tenantOf(values)
  const report = await askResources(
    {
      question: {
        method: 'POST',
        path: '/v1/resources',
        body: {
          tenant,
          name,
          after,
          ...settings.wire,
          ...(secret && { secret: Buffer.from(secret).toString('base64') }),
        },
      },
      schema: putResponse,
      stored: (resources) =>
        resources.put(tenant, { name, settings: settings.change, secret, after }),
    },
    values,
    deps,
  )
  deps.out(values.json ? `${JSON.stringify(report)}\n` : putText(report))
  return YES
}

const said: Readonly<Record<PutReport['change'], string>> = {
  added: 'is kept as version',
  rotated: 'has a new secret: version',
  changed: 'is had in another way: version',
}

function putText(report: PutReport): string {
  const { name, version, change, next } = report
  return `${[
    `${printable(name)} ${said[change]} ${version}`,
    `  ${settingsText(report)}`,
    printable(next),
  ].join('\n')}\n`
}

function sourceOf({ file, 'strip-newline': stripNewline }: Values) {
  return {
    file: typeof file === 'string' ? file : undefined,
    stripNewline: stripNewline === true,
  }
}

function kept({ file, 'strip-newline': stripNewline }: Values): undefined {
  if (file === undefined && stripNewline === undefined) return undefined
  throw new Mistake(
    '--settings-only keeps the secret as it is, and --file gives another.',
    'Leave one of them out.',
  )
}
