/** Requests to each operation of the contract as nobody should send them: wrong types, damaged bytes, other methods, odd headers. */
import fc from 'fast-check'
import { tokens } from './running-service.ts'
import { anything, changed, described, type JsonSchema } from './schema-arbitrary.ts'

export interface Operation {
  readonly method: string
  readonly path: string
  readonly body: JsonSchema | undefined
  readonly query: readonly string[]
  readonly headers: readonly string[]
  readonly statuses: ReadonlySet<number>
}

export interface Sent {
  readonly operation: Operation
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
  /** With a proof over this very body, where the operation takes one. */
  readonly isSigned: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: the contract as it came
export function operationsOf(contract: any): readonly Operation[] {
  return Object.entries(contract.paths).flatMap(([path, methods]) =>
    // biome-ignore lint/suspicious/noExplicitAny: the contract as it came
    Object.entries(methods as Record<string, any>).map(([method, operation]): Operation => {
      const parameters: readonly { name: string; in: string }[] = operation.parameters ?? []
      return {
        method: method.toUpperCase(),
        path,
        body: operation.requestBody?.content['application/json']?.schema,
        query: parameters.filter((each) => each.in === 'query').map(({ name }) => name),
        headers: parameters.filter((each) => each.in === 'header').map(({ name }) => name),
        statuses: new Set(Object.keys(operation.responses).map(Number)),
      }
    }),
  )
}

/** `honest`: the body that an agent sends; an attestation is that with something changed. */
export function requestTo(operation: Operation, honest: unknown): fc.Arbitrary<Sent> {
  const own = operation.method
  return fc
    .record({
      method: fc.oneof(
        { weight: 12, arbitrary: fc.constant(own) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            'GET',
            'POST',
            'PUT',
            'PATCH',
            'DELETE',
            'HEAD',
            'OPTIONS',
            'PROPFIND',
          ),
        },
      ),
      path: pathOf(operation),
      headers: headersOf(operation),
      isSigned: fc.boolean(),
      body: own === 'POST' ? bodyOf(operation, honest) : fc.constant(undefined),
    })
    .map(({ method, path, headers, isSigned, body }) => ({
      operation,
      method,
      path,
      headers,
      isSigned,
      body: method === 'GET' || method === 'HEAD' ? undefined : body,
    }))
}

const segment = fc.oneof(
  fc.constantFrom(
    'default',
    'acme',
    'AgentRelease',
    '0',
    '1',
    'AAAAAAAAAAAAAAAA',
    'default%00',
    '%2e%2e',
    '%ff',
    '..%2f',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }).map(encoded),
)

function pathOf({ path, query }: Operation): fc.Arbitrary<string> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([name]) => name)
  const filled = fc
    .tuple(...names.map(() => segment))
    .map((values) =>
      names.reduce((text, name, index) => text.replace(name, values[index] ?? ''), path),
    )
  const parameter = fc
    .tuple(
      fc.constantFrom(...query, 'other', '__proto__'),
      fc.oneof(
        fc.constantFrom('', 'default', '1', 'legacy'),
        fc.string({ unit: 'binary', maxLength: 20 }).map(encoded),
      ),
    )
    .map(([name, value]) => `${name}=${value}`)
  return fc
    .tuple(filled, fc.array(parameter, { maxLength: 2 }))
    .map(([text, parameters]) =>
      parameters.length === 0 ? text : `${text}?${parameters.join('&')}`,
    )
}

/** A lone surrogate has no encoding. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

const latin = fc.string({
  unit: fc
    .integer({ min: 0x20, max: 0xff })
    .map((code) => (code === 0x7f ? ' ' : String.fromCharCode(code))),
  maxLength: 60,
})

function headersOf({ headers, method }: Operation): fc.Arbitrary<Record<string, string>> {
  const authorization = fc.oneof(
    fc.constant(undefined),
    fc.constantFrom(...Object.values(tokens)).map((token) => `Bearer ${token}`),
    latin,
    latin.map((text) => `DPoP ${text}`),
  )
  const type = fc.oneof(
    { weight: 12, arbitrary: fc.constant('application/json') },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/json; charset=latin1',
        'multipart/form-data; boundary=x',
      ),
    },
  )
  const own = fc.oneof(fc.constant(undefined), latin, fc.constantFrom('a.b.c', '1, 2', '*'))
  return fc
    .record({
      authorization,
      ...(method === 'POST' && { 'content-type': type }),
      'content-encoding': fc.oneof(
        { weight: 20, arbitrary: fc.constant(undefined) },
        { weight: 1, arbitrary: fc.constantFrom('gzip', 'br') },
      ),
      ...Object.fromEntries(headers.map((name) => [name, own])),
    })
    .map((all) => {
      const given: Record<string, string> = {}
      for (const [name, value] of Object.entries(all))
        if (typeof value === 'string') given[name] = value.trim()
      return given
    })
}

function bodyOf({ path, body = {} }: Operation, honest: unknown): fc.Arbitrary<Buffer> {
  const near =
    path === '/v1/attestations'
      ? fc.oneof(fc.constant(honest), changed(honest))
      : described(body).chain((value) => fc.oneof(fc.constant(value), changed(value)))
  const text = fc.oneof(
    { weight: 8, arbitrary: near.map((value) => Buffer.from(JSON.stringify(value) ?? '')) },
    {
      weight: 1,
      arbitrary: described(body).map((value) => Buffer.from(JSON.stringify(value) ?? '')),
    },
    { weight: 1, arbitrary: anything.map((value) => Buffer.from(JSON.stringify(value) ?? '')) },
  )
  return fc.oneof({ weight: 6, arbitrary: text }, { weight: 3, arbitrary: text.chain(damaged) })
}

const VERY_DEEP = Buffer.from('['.repeat(50_000))
const VERY_LONG = Buffer.from(`{"tenant":"${'a'.repeat(600 * 1024)}"}`)

function damaged(whole: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.nat({ max: Math.max(0, whole.length - 1) })
  return fc.oneof(
    at.map((end) => whole.subarray(0, end)),
    fc.tuple(at, fc.integer({ min: 0, max: 255 })).map(([place, byte]) => {
      const copy = Buffer.from(whole)
      copy[place] = byte
      return copy
    }),
    fc.constantFrom(
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), whole]),
      Buffer.concat([whole, whole]),
      Buffer.from(whole.toString('utf8'), 'utf16le'),
      Buffer.from(`{"a":${whole},"a":1}`),
      VERY_DEEP,
      Buffer.from(`${'{"a":'.repeat(20)}1${'}'.repeat(20)}`),
      Buffer.from(`{"tenant":${'9'.repeat(400)}}`),
      Buffer.from('{"tenant":1e999}'),
      VERY_LONG,
      Buffer.alloc(0),
    ),
  )
}
