/**
 * What may stand in each kind of document, as JSON Schema (draft 2020-12) for editors: made from the very schemas that read
 * them. What no schema of a single file can say (names that must agree, dates in order) only the reading says.
 */
import { z } from 'zod'
import { rulesSchema } from '../rules/rule-file.ts'
import { heartbeatSchema } from './heartbeat.ts'
import { manifestSchema } from './manifest-schema.ts'
import { revocationsSchema } from './revocations.ts'
import { trustRootSchema } from './trust-root-schema.ts'

const BASE = 'https://vouchsafe.dev/schemas/v1alpha1'

/** By the kind of the document: `AgentRelease`. */
export const policySchemas: ReadonlyMap<string, unknown> = new Map(
  Object.entries({
    AgentRelease: manifestSchema,
    TrustRoot: trustRootSchema,
    Rules: rulesSchema,
    Revocations: revocationsSchema,
    Heartbeat: heartbeatSchema,
  }).map(([kind, schema]) => [kind, published(kind, schema)]),
)

function published(kind: string, schema: z.ZodType): unknown {
  const { $schema, title, description, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-2020-12',
  })
  return { $schema, $id: `${BASE}/${kind}.json`, title, description, ...rest }
}
