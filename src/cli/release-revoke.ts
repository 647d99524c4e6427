/** `vouchsafe release revoke`: the end of versions of a secret or model key. */
import { resourceRevokedResponse } from '../service/resource-report.ts'
import { YES } from './answering.ts'
import { Mistake, parseArguments } from './arguments.ts'
import { accessHelpFor, accessOptions } from './keys-access.ts'
import { askResources, tenantOf } from './release-access.ts'
import type { ReleaseDeps } from './release-deps.ts'
import { resourceNamed } from './release-secret.ts'
import { printable } from './text.ts'

const options = {
  version: { type: 'string', multiple: true },
  all: { type: 'boolean' },
  tenant: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  ...accessOptions,
} as const

const help = `vouchsafe release revoke NAME: nobody is given these versions of a secret or model key any more

Leases of them are not renewed. Who was given one may know it for good: change it where it opens something.

  --version N            this one; may be given several times
  --all                  every version that there is
  --tenant NAME          default: default
${accessHelpFor('role secret-admin')}
  --json                 {tenant, name, revoked: [version], next}

Exits 0 or 1 (could not tell, or there is no such version). Asked twice, it revokes once.

Example:
  vouchsafe release revoke secret:db-ro --version 3 --url https://attest.example.com --token-file token
`

export async function revokeVerb(args: readonly string[], deps: ReleaseDeps): Promise<number> {
  const { values, positionals } = parseArguments('release revoke', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  const name = resourceNamed('revoke', positionals)
  const versions = versionsOf(values.version, values.all)
  const tenant = tenantOf(values)
  const report = await askResources(
    {
      question: {
        method: 'POST',
        path: `/v1/resources/${encodeURIComponent(name)}/revocations`,
        body: { tenant, versions },
      },
      schema: resourceRevokedResponse,
      stored: (resources) => resources.revoke(tenant, name, versions),
    },
    values,
    deps,
  )
  const { revoked, next } = report
  deps.out(
    values.json
      ? `${JSON.stringify(report)}\n`
      : revoked.length === 0
        ? `${name}: nothing was left to revoke\n`
        : `${name}: revoked ${revoked.join(', ')}\n${printable(next)}\n`,
  )
  return YES
}

function versionsOf(
  given: readonly string[] | undefined,
  all: boolean | undefined,
): readonly number[] | 'all' {
  if ((given === undefined) === (all === undefined))
    throw new Mistake(
      'What to revoke is missing, or said twice.',
      'Name versions with --version N, or all of them with --all.',
    )
  if (given === undefined) return 'all'
  return given.map((text) => {
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
    throw new Mistake(
      '--version must be a number, from 1.',
      '`vouchsafe release list NAME` has the numbers.',
    )
  })
}
