/** `vouchsafe release list`: which secrets and model keys there are, and how each may be had. */
import { type ResourceReport, resourcesResponse } from '../service/resource-report.ts'
import { YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { accessHelpFor, accessOptions } from './keys-access.ts'
import { askResources, resourceFrom, tenantOf, type Values } from './release-access.ts'
import type { ReleaseDeps } from './release-deps.ts'
import { resourceNamed } from './release-secret.ts'
import { settingsText } from './release-settings.ts'
import { coloured, type Paint, plain, printable } from './text.ts'

const options = {
  tenant: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...accessOptions,
} as const

const help = `vouchsafe release list [NAME]: which secrets and model keys there are, and how each may be had; never what they are

  NAME                   only this one
  --tenant NAME          default: default
${accessHelpFor('any role but enforcer')}
  --json                 {resources: [{tenant, name, use, approvals, leaseSeconds, releasesPerMinute, brokerPath,
                         requiresSession, acceptsSimulated, versions: [{version, createdAt, createdBy, revokedAt}]}]}

Exits 0 or 1 (could not tell, or there is no such resource).

Example:
  vouchsafe release list --url https://attest.example.com --token-file token
`

export async function listVerb(args: readonly string[], deps: ReleaseDeps): Promise<number> {
  const { values, positionals } = parseArguments('release list', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const tenant = tenantOf(values)
  const name = positionals.length === 0 ? undefined : resourceNamed('list', positionals)
  const resources =
    name === undefined
      ? await everyOne({ tenant, values }, deps)
      : [await resourceFrom(name, values, deps)]
  deps.out(
    values.json
      ? `${JSON.stringify({ resources })}\n`
      : resources.length === 0
        ? 'There are none yet: `vouchsafe release put NAME --file FILE` adds one.\n'
        : resources.map((each) => resourceText(each, deps.colour ? coloured : plain)).join(''),
  )
  return YES
}

interface Asked {
  readonly tenant: string
  readonly values: Values
}

async function everyOne({ tenant, values }: Asked, deps: ReleaseDeps) {
  const all: ResourceReport[] = []
  for (let after: string | undefined; ; ) {
    const from = after
    const query = from === undefined ? '' : `&after=${encodeURIComponent(from)}`
    const page = await askResources(
      {
        question: { method: 'GET', path: `/v1/resources?tenant=${tenant}${query}` },
        schema: resourcesResponse,
        stored: (resources) => resources.list(tenant, from),
      },
      values,
      deps,
    )
    all.push(...page.resources)
    if (page.after === null) return all
    // A service that says the same again would keep us for ever.
    if (from !== undefined && page.after <= from)
      throw new Mistake(
        'The list does not come to an end: the service names the same place again.',
        'Use the command line of the version that the service runs.',
      )
    after = page.after
  }
}

/** Enough for whoever looks; --json has all of them. */
const MOST_VERSIONS_SHOWN = 5

function resourceText(resource: ResourceReport, paint: Paint): string {
  const { name, versions } = resource
  const shown = versions.slice(0, MOST_VERSIONS_SHOWN)
  const rest = versions.length - shown.length
  return `${[
    `${printable(name)}: ${settingsText(resource)}`,
    ...shown.map(({ version, createdAt, createdBy, revokedAt }, place) => {
      const state = revokedAt === null ? (place === 0 ? 'newest' : 'older') : 'revoked'
      const tone = revokedAt === null ? (place === 0 ? 'good' : 'faint') : 'bad'
      const end = revokedAt === null ? '' : `, revoked at ${revokedAt}`
      return `  ${paint(tone, state.padEnd(8))} ${version}  by ${printable(createdBy)} at ${createdAt}${end}`
    }),
    ...(rest > 0 ? [`  and ${rest} older ones; --json prints all`] : []),
  ].join('\n')}\n`
}
