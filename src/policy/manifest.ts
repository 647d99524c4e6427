/**
 * Is this file a valid AgentRelease, and what does it say? Unknown keys are mistakes: a misspelt restriction would
 * otherwise be no restriction. Every mistake is reported, with line and column.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { AgentRelease } from '../rats/release.ts'
import { identifier, referenceValueSchema } from './reference-value-schema.ts'
import { type Mistake, readYaml, type YamlDocument } from './yaml-document.ts'

export interface ManifestFile {
  /** From the root of the repository: `agents/<environment>/<agent>.yaml`. */
  readonly path: string
  readonly bytes: Uint8Array
}

export type ManifestReading =
  | { readonly release: AgentRelease }
  | { readonly mistakes: readonly Mistake[] }

/** `waivable`: ids and groups of checks that a policy may waive, which the TEEs know and this layer does not. */
export function readManifest(
  { path, bytes }: ManifestFile,
  waivable: ReadonlySet<string>,
): ManifestReading {
  const [, environment, agent] = /^agents\/([^/]+)\/([^/]+)\.yaml$/.exec(path) ?? []
  if (!isIdentifier(environment) || !isIdentifier(agent))
    return failed(
      'a manifest is agents/<environment>/<agent>.yaml, both names of lower-case letters, digits and inner hyphens',
    )
  const reading = readYaml(bytes)
  if ('mistakes' in reading) return reading
  const { document } = reading
  const parsed = manifestSchema.safeParse(document.value, { reportInput: true })
  if (!parsed.success)
    return { mistakes: parsed.error.issues.flatMap((issue) => mistakesOf(issue, document)) }

  const { metadata, spec } = parsed.data
  const mistakes = [
    ...expect(
      metadata.name === agent,
      document,
      ['metadata', 'name'],
      `must be ${agent}, as the file is called`,
    ),
    ...expect(
      (metadata.environment ?? environment) === environment,
      document,
      ['metadata', 'environment'],
      `must be ${environment}, as the folder is called`,
    ),
    ...spec.waivers.flatMap(({ check }, index) =>
      expect(
        waivable.has(check),
        document,
        ['spec', 'waivers', index, 'check'],
        `${check} is no check that may be waived; signature, chain, binding, structure and debug never may`,
      ),
    ),
  ]
  if (mistakes.length > 0) return { mistakes }
  return {
    release: {
      environment,
      agent,
      version: metadata.version,
      generation: metadata.generation,
      notBefore: metadata.notBefore,
      notAfter: metadata.notAfter,
      referenceValues: spec.referenceValues.map((entry, index) => ({
        ...entry,
        line: document.placeOf(['spec', 'referenceValues', index]).line,
      })),
      waivers: new Map(spec.waivers.map(({ check, reason }) => [check, reason])),
      rules: spec.release.map(({ audience, ttl }) => ({ audience, tokenTtlSeconds: ttl })),
      manifest: { file: path, sha256: createHash('sha256').update(bytes).digest('hex') },
    },
  }
}

/** Longest life of a token: research and design agree that a policy may shorten it and never lengthen it. */
const LONGEST_TTL_SECONDS = 300

const instant = z
  .string('must be text: an instant such as 2026-06-01T00:00:00Z')
  .regex(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/,
    'must be an instant in UTC such as 2026-06-01T00:00:00Z',
  )
  .transform((text, context) => {
    const at = new Date(text)
    // 30 February parses in some engines: what is written back must be what was written.
    if (!Number.isNaN(at.getTime()) && at.toISOString() === text.replace('Z', '.000Z')) return at
    context.addIssue(`${text} is not in the calendar`)
    return z.NEVER
  })

const line = (most: number) =>
  z
    .string('must be text: put it in quotes')
    .min(1)
    .max(most)
    .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')

const seconds = z
  .string()
  .regex(/^[1-9]\d{0,3}s$/, 'must be whole seconds such as 300s')
  .transform((text) => Number.parseInt(text, 10))
  .refine((ttl) => ttl <= LONGEST_TTL_SECONDS, `must be at most ${LONGEST_TTL_SECONDS}s`)

const manifestSchema = z.strictObject({
  apiVersion: z.literal('vouchsafe.dev/v1alpha1'),
  kind: z.literal('AgentRelease'),
  metadata: z
    .strictObject({
      name: identifier,
      environment: identifier.exactOptional(),
      version: line(64),
      generation: z.int().min(1),
      notBefore: instant,
      notAfter: instant,
    })
    .refine(({ notBefore, notAfter }) => notBefore < notAfter, {
      path: ['notAfter'],
      message: 'must be later than notBefore',
    }),
  spec: z.strictObject({
    referenceValues: unique(z.array(referenceValueSchema).min(1).max(256), 'id'),
    waivers: unique(
      z.array(z.strictObject({ check: line(128), reason: line(200) })).max(64),
      'check',
    ).default([]),
    release: unique(
      z
        .array(z.strictObject({ audience: line(255), ttl: seconds }))
        .min(1)
        .max(64),
      'audience',
    ),
  }),
})

function unique<T extends z.ZodType<readonly Record<string, unknown>[]>>(list: T, field: string) {
  return list.superRefine((items, context) => {
    const seen = new Set<unknown>()
    for (const [index, item] of items.entries()) {
      const value = item[field]
      if (seen.has(value))
        context.addIssue({
          code: 'custom',
          path: [index, field],
          message: `${value} appears twice`,
        })
      seen.add(value)
    }
  })
}

function mistakesOf(issue: z.core.$ZodIssue, document: YamlDocument): readonly Mistake[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      ...document.placeOf(issue.path, key),
      message: `${pathText([...issue.path, key])} is not a known field`,
    }))
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  return [
    {
      ...document.placeOf(issue.path),
      message: missing
        ? `${pathText(issue.path)} is missing`
        : `${pathText(issue.path)}: ${issue.message}`,
    },
  ]
}

/** `spec.referenceValues[0].measurement` */
function pathText(path: readonly PropertyKey[]): string {
  const text = path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
  return text.replace(/^\./, '') || 'the file'
}

function expect(
  holds: boolean,
  document: YamlDocument,
  path: readonly PropertyKey[],
  message: string,
): readonly Mistake[] {
  return holds ? [] : [{ ...document.placeOf(path), message: `${pathText(path)}: ${message}` }]
}

function isIdentifier(name: string | undefined): name is string {
  return identifier.safeParse(name).success
}

function failed(message: string): ManifestReading {
  return { mistakes: [{ line: 1, column: 1, message }] }
}
