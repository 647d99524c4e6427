/** The published JSON Schemas: complete, helpful, and of one mind with the reading as far as a schema can be. */
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { policySchemas } from '#src/policy/documents/json-schemas.ts'
import { altered, mistakes, valid } from './manifests.ts'
import { root } from './trust-documents.ts'

interface Node {
  readonly $id?: string
  readonly $schema?: string
  readonly title?: string
  readonly description?: string
  readonly type?: string
  readonly const?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly items?: Node
  readonly oneOf?: readonly Node[]
  readonly anyOf?: readonly Node[]
  readonly required?: readonly string[]
  readonly additionalProperties?: unknown
}

// Made from values by zod; what is read of it below is optional throughout.
const schemas = [...policySchemas].map(([kind, schema]) => [kind, schema as Node] as const)

test('there is one for each kind', () =>
  expect(schemas.map(([kind]) => kind)).toEqual([
    'AgentRelease',
    'TrustRoot',
    'Rules',
    'Revocations',
    'Heartbeat',
  ]))

describe.each(schemas)('%s', (kind, schema) => {
  test('says which it is', () => {
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(schema.$id).toBe(`https://vouchsafe.dev/schemas/v1alpha1/${kind}.json`)
    expect(schema.properties?.kind?.const).toBe(kind)
    expect(schema.title).toBe(kind)
    expect(schema.description).toMatch(/\.yaml: /)
  })

  test('knows every field of its objects', () =>
    expect(
      objects(schema).filter(
        ({ properties, additionalProperties }) => properties && additionalProperties !== false,
      ),
    ).toEqual([]))

  test('explains the fields of its first levels', () => {
    const { apiVersion: _, kind: __, metadata, ...rest } = schema.properties ?? {}
    const fields = [...entriesOf(metadata), ...entriesOf(rest.spec)]
    expect(fields.filter(([, { description }]) => !description).map(([name]) => name)).toEqual([])
  })
})

function entriesOf(node: Node | undefined): readonly [string, Node][] {
  return Object.entries(node?.properties ?? {})
}

function objects(node: Node): readonly Node[] {
  const inner = [
    ...Object.values(node.properties ?? {}),
    ...(node.items ? [node.items] : []),
    ...(node.oneOf ?? []),
    ...(node.anyOf ?? []),
  ]
  return [node, ...inner.flatMap(objects)]
}

function accepts(kind: string, text: string): boolean {
  const schema = policySchemas.get(kind)
  if (typeof schema !== 'object' || schema === null) throw new Error(`there is no ${kind}`)
  // Another reading of the very JSON that is published.
  return z.fromJSONSchema(JSON.parse(JSON.stringify(schema))).safeParse(parse(text)).success
}

describe('an editor marks what the reading refuses', () => {
  test('and nothing of a valid document', () => {
    expect(accepts('AgentRelease', valid)).toBe(true)
    expect(accepts('TrustRoot', root)).toBe(true)
  })

  test.each([
    ['generation: 42', 'generation: 0'],
    ['  generation: 42\n', ''],
    ['tee: sev-snp', 'tee: tdx'],
    ['sha384:a1', 'sha384:A1'],
    ['ttl: 300s', 'ttl: 300'],
    ['audience: kms.example', 'audiences: kms.example'],
    ['2026-01-01T00:00:00Z', '2026-01-01'],
    ['  release:', '  runtime: {egress: [{host: "*", ports: [443]}]}\n  release:'],
    ['  release:', '  models: [{name: a, version: 0, digest: "sha256:00"}]\n  release:'],
  ])('%s -> %s', (from, to) => {
    const text = altered(from, to)
    expect(mistakes(text)).not.toEqual([])
    expect(accepts('AgentRelease', text)).toBe(false)
  })
})
