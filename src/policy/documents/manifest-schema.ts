/** What may stand in an AgentRelease manifest. What needs more than the file itself (its name, its configuration) is judged by manifest.ts. */
import { z } from 'zod'
import { sha256Text } from './byte-strings.ts'
import {
  apiVersion,
  duration,
  generation,
  identifier,
  instant,
  line,
  unique,
} from './document-fields.ts'
import { isRepositoryPath } from './path-pattern.ts'
import { referenceValueSchema } from './reference-value-schema.ts'
import { runtimeSchema } from './runtime-schema.ts'

const metadata = z
  .strictObject({
    name: identifier.describe('Name of the agent, as the file is called.'),
    environment: identifier
      .describe('Name of the environment, as the folder is called.')
      .exactOptional(),
    version: line(64).describe('For people; what is compared is the generation.'),
    generation,
    notBefore: instant.describe('The release is in force from this instant on.'),
    notAfter: instant.describe('The release is in force up to this instant.'),
  })
  .refine(({ notBefore, notAfter }) => notBefore < notAfter, {
    path: ['notAfter'],
    message: 'must be later than notBefore',
  })

const waiver = z.strictObject({
  check: line(128).describe('Id or group of a check that may be waived: docs/checks.md has them.'),
  reason: line(200).describe('Shown wherever the waiver let something pass.'),
})

const artifact = z.strictObject({
  name: identifier,
  kind: z.enum(['image', 'provenance', 'sbom', 'vex', 'libraries', 'plugin', 'configuration']),
  digest: sha256Text,
  reference: line(255)
    .describe('Where it is found, for people. What counts is the digest.')
    .exactOptional(),
})

const model = z.strictObject({
  name: identifier,
  version: z.int().min(1).describe('Rises; an older one is refused.'),
  digest: sha256Text.describe('Root of its OpenSSF Model Signing manifest.'),
})

/** Clouds have no way to ask whether a token still holds: what leaves for them ends soon (design section 6). */
const LONGEST_FEDERATION_SECONDS = 300
/** Of the claim `scope`: with it, a token stays below the 8 KiB that many servers allow a header. */
const MOST_SCOPE_TEXT = 1024

const scopes = unique(
  z
    .array(
      z
        .string()
        .regex(
          /^[a-z][a-z0-9-]{0,31}:[a-z0-9][a-z0-9._/-]{0,127}$/,
          'must be such as secret:db-ro or model:llama-small',
        ),
    )
    .max(64),
)
  .refine(
    (all) => all.join(' ').length <= MOST_SCOPE_TEXT,
    `must be at most ${MOST_SCOPE_TEXT} characters together: they travel in every token`,
  )
  .default([])
  .describe('What a token for this audience may be exchanged for.')

const rule = z
  .strictObject({
    audience: line(255).describe(
      'For whom a token is issued: its aud. Requests name the rule by it, for a workload token too.',
    ),
    token: z
      .enum(['possession', 'federation', 'workload'])
      .default('possession')
      .describe(
        'possession: used with a proof of the attested key, the only one that releases secrets. federation: a bearer token for clouds and gateways. workload: a SPIFFE WIT-SVID, without aud.',
      ),
    ttl: duration({ least: '1s', most: '15m' }).describe(
      'How long a token lives: at most 15m, and at most 300s for federation.',
    ),
    scopes,
  })
  .refine(({ token, ttl }) => token !== 'federation' || ttl <= LONGEST_FEDERATION_SECONDS, {
    path: ['ttl'],
    message: `must be at most ${LONGEST_FEDERATION_SECONDS}s for a federation token`,
  })

export const manifestSchema = z
  .strictObject({
    apiVersion,
    kind: z.literal('AgentRelease'),
    metadata,
    spec: z.strictObject({
      referenceValues: unique(z.array(referenceValueSchema).min(1).max(256), 'id').describe(
        'Evidence must match one of these as a whole; fields of different entries never mix.',
      ),
      waivers: unique(z.array(waiver).max(64), 'check')
        .default([])
        .describe('Checks that this release does without; the result is a warning at best.'),
      runtimeConfig: z
        .string()
        .max(255)
        .refine(isRepositoryPath, 'must be the path of a file, such as config/prod/bot.json')
        .describe(
          'A file of this repository that names image and models to the machine which launches the agent. Its SHA-256 belongs into hostData (SEV-SNP), its SHA-384 into mrConfigId (TDX), its SHA-512 into configId (SGX); then the hardware vouches for it.',
        )
        .exactOptional(),
      artifacts: unique(z.array(artifact).max(256), 'name')
        .default([])
        .describe('What the agent is made of besides its launch measurement, by digest.'),
      models: unique(z.array(model).max(64), 'name')
        .default([])
        .describe('Which models it may load, by name, version and digest.'),
      runtime: runtimeSchema
        .describe('What it may load and do while it runs. Without it, no session is offered.')
        .exactOptional(),
      release: unique(z.array(rule).min(1).max(64), 'audience').describe(
        'Who gets tokens about this agent, and for how long.',
      ),
    }),
  })
  .meta({
    title: 'AgentRelease',
    description:
      'agents/<environment>/<agent>.yaml: which evidence is this agent, and what it may be given.',
  })
