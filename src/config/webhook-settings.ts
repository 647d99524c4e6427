/** Who is told of what happens: webhooks, each with its address, the file that holds its secret, and what it is told. */
import { z } from 'zod'
import type { ConfigSources, Given } from './given.ts'
import { lineIn } from './secrets.ts'
import { address, path, tenantName } from './values.ts'

export interface WebhookSetting {
  readonly name: string
  readonly url: string
  /** Absent: of every tenant. */
  readonly tenant?: string
  readonly events: readonly WebhookEvent[]
}

export const webhookEvents = [
  'session.changed',
  'ban.changed',
  'policy.accepted',
  'keys.changed',
  'token.revoked',
] as const
export type WebhookEvent = (typeof webhookEvents)[number]

const MOST_WEBHOOKS = 16
const MESSAGE =
  'must be a list of {name, url, secretFile, events, tenant}, or as a variable `NAME URL SECRETFILE [EVENT+EVENT]` with commas between them'
/** Each of them where a fleet is busy: a webhook that wants these says so. */
const unlessAsked: readonly WebhookEvent[] = ['token.revoked']

const webhook = z.strictObject(
  {
    name: z
      .string()
      .regex(
        /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/,
        'must be lower-case letters, digits and hyphens',
      ),
    url: address,
    secretFile: path,
    events: z
      .array(z.enum(webhookEvents, `must be some of ${webhookEvents.join(', ')}`))
      .min(1)
      .default(webhookEvents.filter((each) => !unlessAsked.includes(each))),
    tenant: tenantName.exactOptional(),
  },
  MESSAGE,
)

/** As text, for a variable; as a list of objects, in the file. */
export const webhooks = z
  .preprocess(
    (value) => (typeof value === 'string' ? value.split(',').flatMap(givenIn) : value),
    z.array(webhook, MESSAGE).max(MOST_WEBHOOKS, `must be at most ${MOST_WEBHOOKS}`),
  )
  .refine(
    (all) => new Set(all.map(({ name }) => name)).size === all.length,
    'must have a name of its own for each',
  )

/** 24 to 64 bytes, as Standard Webhooks has it: by the webhook's name. */
export function webhookSecretsOf(
  sources: ConfigSources,
  given: Given,
  mistakes: string[],
): ReadonlyMap<string, Uint8Array> {
  const secrets = new Map<string, Uint8Array>()
  const parsed = webhooks.safeParse(given.webhooks ?? [])
  // What is wrong with it is told with the settings.
  for (const { name, secretFile } of parsed.success ? parsed.data : []) {
    const line = lineIn(sources, 'webhooks', secretFile, mistakes)
    if (line === undefined) continue
    const secret = secretIn(line)
    if (secret) secrets.set(name, secret)
    else
      mistakes.push(
        `webhooks: the file with the secret of ${name} must hold whsec_ and 24 to 64 bytes in base64, as \`printf whsec_; openssl rand -base64 32\` prints it`,
      )
  }
  return secrets
}

function secretIn(line: string): Uint8Array | undefined {
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(line) ?? []
  const bytes = Buffer.from(base64, 'base64')
  const isExact = base64 !== '' && bytes.toString('base64') === base64
  return isExact && bytes.length >= 24 && bytes.length <= 64 ? new Uint8Array(bytes) : undefined
}

/** Not judged here: what does not fit is told as what it was read as. */
function givenIn(text: string): readonly unknown[] {
  const words = text.trim().split(/\s+/)
  if (words.length === 1 && words[0] === '') return []
  const [name, url, secretFile, events, ...more] = words
  if (more.length > 0) return [text]
  return [{ name, url, secretFile, ...(events !== undefined && { events: events.split('+') }) }]
}
