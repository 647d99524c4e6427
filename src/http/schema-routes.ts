/** The JSON Schemas of policy documents, for editors: public, kept for a while, and asked for again by their digest. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { Problem } from '../problems.ts'
import { json, type Route } from './route.ts'

/** They change with the version of this program. */
const CACHE = 'public, max-age=3600'
const SCHEMA_TYPE = 'application/schema+json'

const schemaName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$/, 'must be the name of a schema')
  .meta({ examples: ['AgentRelease'] })

const schemasResponse = z.strictObject({
  schemas: z.array(z.strictObject({ name: z.string(), url: z.string() })),
})

/** `schemas`: by name. */
export function schemaRoutes(
  schemas: ReadonlyMap<string, unknown>,
  publicUrl: string,
): readonly Route[] {
  const documents = new Map([...schemas].map(([name, schema]) => [name, documentOf(schema)]))
  return [
    {
      method: 'GET',
      path: '/v1/schemas',
      summary: 'Names and addresses of the JSON Schemas of policy documents',
      response: schemasResponse,
      problems: [],
      answer: () =>
        json(
          {
            schemas: [...schemas.keys()].map((name) => ({
              name,
              url: `${publicUrl}/v1/schemas/${name}`,
            })),
          } satisfies z.input<typeof schemasResponse>,
          { cacheControl: CACHE },
        ),
    },
    {
      method: 'GET',
      path: '/v1/schemas/{name}',
      parameters: { name: schemaName },
      summary: 'One JSON Schema, for the editor in which a policy document is written',
      response: z.looseObject({}),
      responseType: SCHEMA_TYPE,
      problems: ['route-unknown'],
      answer: ({ request, parameters: { name = '' } }) => {
        const document = documents.get(name)
        if (!document) throw new Problem('route-unknown', `there is no schema ${name}`)
        return conditional(request, document)
      },
    },
  ]
}

interface SchemaDocument {
  readonly text: string
  readonly etag: string
}

function documentOf(schema: unknown): SchemaDocument {
  const text = JSON.stringify(schema)
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url')}"` }
}

/** RFC 9110 section 13.1.2: a list of tags, compared weakly, or a star. */
function conditional({ headers }: Request, { text, etag }: SchemaDocument): Response {
  const known = (headers.get('if-none-match') ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, ''))
  const about = { etag, 'cache-control': CACHE }
  if (known.includes(etag) || known.includes('*'))
    return new Response(null, { status: 304, headers: about })
  return new Response(text, { headers: { ...about, 'content-type': SCHEMA_TYPE } })
}
