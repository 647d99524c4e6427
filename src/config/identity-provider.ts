/** Who vouches for operators beside the operators' file: the issuer of an OpenID Connect provider, and what its tokens must say. */
import { z } from 'zod'
import { asObject, type Given } from './given.ts'
import { operatorRoles } from './operators-file.ts'
import { settingNamed } from './settings.ts'
import { address } from './values.ts'

export interface IdentityProviderConfig {
  /** As its tokens write it: compared for equality. */
  readonly issuer: string
  readonly audience: string
  /** The claim itself, or the way to it with dots between. */
  readonly roleClaim: string
  /** Values of that claim, and which role each is. */
  readonly roles: ReadonlyMap<string, (typeof operatorRoles)[number]>
}

const MOST_ROLES = 64

const roleName = z.enum(operatorRoles)

/** `sre=operator,audit=auditor`, or the object that a file has. Without a mapping every role is called by its own name. */
const roles = z
  .union(
    [z.record(z.string(), z.string()), z.string().transform(mappingOf)],
    `must give roles as in sre=operator,audit=auditor`,
  )
  .refine(
    (mapping) =>
      Object.keys(mapping).length <= MOST_ROLES &&
      Object.entries(mapping).every(
        ([value, role]) => value !== '' && roleName.safeParse(role).success,
      ),
    `must give values of the claim one of the roles ${operatorRoles.join(', ')}, as in sre=operator,audit=auditor`,
  )
  .transform((mapping) => new Map(Object.entries(mapping).map(([v, r]) => [v, roleName.parse(r)])))

export const identityProviderSettings = z.strictObject(
  {
    issuer: address,
    audience: z
      .string('must be an audience')
      .regex(/^[\x21-\x7e]{1,500}$/, 'must be an audience without spaces'),
    roleClaim: z
      .string('must be the name of a claim')
      .regex(/^[\x21-\x7e]{1,200}$/, 'must be the name of a claim without spaces')
      .default('roles'),
    roles: roles.default(new Map(operatorRoles.map((role) => [role, role]))),
  },
  'must be an object with issuer and audience',
)

/** Our own tokens are for what agents do: whoever was attested is no operator, whatever the settings say. */
export function identityProviderContradictions({
  publicUrl,
  identityProvider,
}: Given): readonly string[] {
  const { issuer } = asObject(identityProvider)
  if (typeof issuer !== 'string' || typeof publicUrl !== 'string') return []
  if (!URL.canParse(issuer) || !URL.canParse(publicUrl)) return []
  return new URL(issuer).origin === new URL(publicUrl).origin
    ? [
        `${settingNamed('identityProvider.issuer')} is this service itself, whose tokens are those of agents and never of operators`,
      ]
    : []
}

/** A part without an equals sign has no role, which is refused. */
function mappingOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split(',').map((part): readonly [string, string] => {
      const split = part.lastIndexOf('=')
      return split < 0
        ? [part.trim(), '']
        : [part.slice(0, split).trim(), part.slice(split + 1).trim()]
    }),
  )
}
