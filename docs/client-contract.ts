/** The types of kit/client/contract.ts, made from the contract that the service itself serves: one entry for each operation. */
import { execFileSync } from 'node:child_process'
import { openApiDocument } from '../src/http/openapi.ts'
import { routesOf, type Served } from '../src/http/routes.ts'

/** Of JSON Schema 2020-12 as much as zod writes. */
interface Schema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly items?: Schema
  readonly prefixItems?: readonly Schema[]
  readonly description?: string
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>
}

interface Operation {
  readonly summary: string
  readonly parameters?: readonly {
    readonly name: string
    readonly in: 'path' | 'query' | 'header'
    readonly required: boolean
    readonly schema: Schema
  }[]
  readonly requestBody?: Content
  readonly responses: Readonly<Record<string, Content>>
}

interface Contract {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

export function clientContract(): string {
  // Routes are only listed here, and none of them is asked anything: issuers' own paths are those of the tenant `default`.
  const issuer = { url: 'https://attest.example.com' }
  const verifier = {
    publicUrl: issuer.url,
    tenants: new Map([['default', { name: 'default', issuers: { hardware: issuer } }]]),
  }
  const served = { verifier, webhooks: new Map(), operators: {} } as unknown as Served
  const contract = openApiDocument({
    routes: routesOf(served),
    publicUrl: issuer.url,
    version: '',
  }) as Contract
  const entries = Object.entries(contract.paths).map(
    ([path, methods]) =>
      `  ${JSON.stringify(path.replace(/\{(\w+)\}/g, ':$1'))}: {\n${Object.entries(methods)
        .map(([method, operation]) => endpoint(method, operation))
        .join('\n')}\n  }`,
  )
  return formatted(`${HEAD}${entries.join('\n')}\n}\n`)
}

/** As everything else here is, so that what changed in the contract can be read. */
function formatted(text: string): string {
  const biome = new URL('../node_modules/.bin/biome', import.meta.url).pathname
  const file = '--stdin-file-path=kit/client/contract.ts'
  return execFileSync(biome, ['format', file], {
    input: text,
    encoding: 'utf8',
    cwd: new URL('..', import.meta.url),
  })
}

const HEAD = `/** Which operations the service has, as types. Written by \`npm run docs\` from the schemas that judge requests. */

/** RFC 9457. */
export interface Problem {
  readonly type: string
  /** Stable: branch on this. */
  readonly code: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** What to do about it. */
  readonly next: string
  readonly requestId: string
  readonly [member: string]: unknown
}

// biome-ignore lint/complexity/noBannedTypes: what \`hc\` of Hono reads as a call without arguments
type Nothing = {}

/** As \`hc\` of Hono reads it. */
interface Done<Status extends number, Format extends 'json' | 'text', Output> {
  readonly status: Status
  readonly outputFormat: Format
  readonly output: Output
}
type Refused<Status extends number> = Done<Status, 'json', Problem>
type Endpoint<Input, Good extends Done<number, 'json' | 'text', unknown>, Bad extends number> =
  Answered<Input, Good> | (Bad extends number ? Answered<Input, Refused<Bad>> : never)
type Answered<Input, Outcome> = Outcome extends unknown
  ? { input: Input } & { -readonly [Name in keyof Outcome]: Outcome[Name] }
  : never

/** By path and method: what goes in, and what comes out with which status. */
export type Operations = {
`

function endpoint(method: string, operation: Operation): string {
  const { summary, parameters = [], requestBody, responses } = operation
  const given = (place: string, name: string) => {
    const own = parameters.filter((each) => each.in === place)
    if (own.length === 0) return []
    const isOptional = own.every(({ required }) => !required)
    const members = own.map(
      (each) => `${key(each.name)}${each.required ? '' : '?'}: ${typeOf(each.schema)}`,
    )
    return [`${name}${isOptional ? '?' : ''}: { ${members.join('; ')} }`]
  }
  const schema = requestBody?.content?.['application/json']?.schema
  const input = [
    ...given('path', 'param'),
    ...given('query', 'query'),
    ...given('header', 'header'),
    ...(schema ? [`json: ${typeOf(schema)}`] : []),
  ]
  return [
    `    /** ${summary}. */`,
    `    $${method}: Endpoint<${input.length === 0 ? 'Nothing' : `{ ${input.join('; ')} }`}, ${outcomes(responses)}>`,
  ].join('\n')
}

function outcomes(responses: Operation['responses']): string {
  const problems: string[] = []
  const done: string[] = []
  for (const [status, { content = {} }] of Object.entries(responses)) {
    const [media] = Object.entries(content)
    if (media?.[0] === 'application/problem+json') problems.push(status)
    else done.push(doneWith(status, media))
  }
  return `${done.join(' | ')}, ${problems.join(' | ')}`
}

function doneWith(
  status: string,
  media: readonly [string, { readonly schema: Schema }] | undefined,
) {
  const isJson = media !== undefined && /^application\/([\w.-]+\+)?json$/.test(media[0])
  return `Done<${status}, ${isJson ? `'json', ${typeOf(media[1].schema)}` : `'text', string`}>`
}

/** A type that everything of this schema has; some that has it may be refused all the same, for a pattern or a bound. */
function typeOf(schema: Schema): string {
  if (schema.$ref) return 'unknown'
  if ('const' in schema) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return `(${[...new Set(choices.map(typeOf))].join(' | ')})`
  if (Array.isArray(schema.type)) return schema.type.map((type) => plainType(type)).join(' | ')
  switch (schema.type) {
    case 'array':
      return arrayOf(schema)
    case 'object':
      return objectOf(schema)
    default:
      return plainType(schema.type as string | undefined)
  }
}

function plainType(type: string | undefined): string {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type
    case 'number':
    case 'integer':
      return 'number'
    default:
      return 'unknown'
  }
}

function arrayOf({ items, prefixItems }: Schema): string {
  if (prefixItems) return `readonly [${prefixItems.map(typeOf).join(', ')}]`
  return `ReadonlyArray<${items ? typeOf(items) : 'unknown'}>`
}

function objectOf({ properties, required = [], additionalProperties }: Schema): string {
  const rest =
    typeof additionalProperties === 'object'
      ? [`readonly [name: string]: ${properties ? 'unknown' : typeOf(additionalProperties)}`]
      : []
  const own = Object.entries(properties ?? {}).map(
    ([name, each]) => `readonly ${key(name)}${required.includes(name) ? '' : '?'}: ${typeOf(each)}`,
  )
  const members = [...own, ...rest]
  return members.length === 0 ? 'Record<string, never>' : `{ ${members.join('; ')} }`
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)
}
