/** The transparency log over HTTP: what C2SP tlog-tiles prescribes, below /v1/log, and proofs for those who want them ready-made. */
import { z } from 'zod'
import { toHex } from '../bytes/encoding.ts'
import { logProofSchema } from '../log/log-proof.ts'
import { parseTilePath } from '../log/tile-path.ts'
import { Problem, type ProblemCode } from '../problems.ts'
import { bodyOf, headOf, proveConsistency, proveLeaf, tileBytes } from '../service/log-proofs.ts'
import type { Verifier } from '../service/verifier.ts'
import { type Asked, json, type Route } from './route.ts'

type LogVerifier = Pick<Verifier, 'store' | 'log'>

/** Anybody may look, a browser's script included. */
const everybody = { 'access-control-allow-origin': '*' }
/** A tile never changes; a partial one only becomes a tile of another name. */
const FOR_EVER = 'public, max-age=31536000, immutable'
/** C2SP tlog-tiles: "prevent caching beyond a few seconds". Here a new one may come five times a second. */
const CHECKPOINT_CACHE = 'public, max-age=1'
const TEXT = 'text/plain; charset=utf-8'
const BYTES = 'application/octet-stream'

const leafHex = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be 64 hex digits')
  .meta({ description: 'As a token’s att_log.leaf or an answer’s logLeaf names it.' })
const treeSize = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,14})$/, 'must be a number')
  .meta({ description: 'Leaves of a tree.' })
const segment = z.string().regex(/^[0-9a-z.]{1,8}$/)

const consistencySchema = z.strictObject({
  from: z.int(),
  to: z.int(),
  proof: z.array(z.string()).meta({ description: 'RFC 6962 section 2.1.2, hex.' }),
})
const bodySchema = z.strictObject({
  kind: z.string(),
  tenant: z.string().optional(),
  subject: z.string().meta({ description: 'Id of the appraisal, jti of the token, commit.' }),
  entry: z.string().meta({ description: 'What the log publishes; its leaf hash is the leaf.' }),
  salt: z.string().meta({ description: 'Hex.' }),
  record: z
    .string()
    .meta({ description: 'SHA-256 over salt and these bytes is in the entry. JSON in itself.' }),
})

const readProblems: readonly ProblemCode[] = ['too-many-requests', 'storage-unavailable']

export function logRoutes(verifier: LogVerifier): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/log/checkpoint',
      summary: 'The newest signed checkpoint of the transparency log, with the cosignatures it has',
      budget: 'public',
      response: z.string(),
      responseType: TEXT,
      problems: ['log-leaf-unknown', ...readProblems],
      answer: () => checkpoint(verifier),
    },
    {
      method: 'GET',
      path: '/v1/log/key',
      summary:
        'The log’s verifier key (C2SP signed-note), which an auditor compares with what he was given',
      budget: 'public',
      response: z.string(),
      responseType: TEXT,
      problems: readProblems,
      answer: async () => text(`${await verifier.log.verifierKey()}\n`, 'public, max-age=300'),
    },
    ...tileRoutes(verifier),
    {
      method: 'GET',
      path: '/v1/log/proof',
      query: { leaf: leafHex },
      summary: 'A proof that a leaf is in the log, to be checked with the log’s key alone',
      budget: 'public',
      response: logProofSchema,
      problems: ['request-malformed', 'log-leaf-unknown', 'log-leaf-waiting', ...readProblems],
      answer: async ({ query: { leaf = '' } }) =>
        json(await proveLeaf(verifier.store, leaf, verifier.log.cosigned)),
    },
    {
      method: 'GET',
      path: '/v1/log/consistency',
      query: { from: treeSize, to: treeSize },
      summary: 'A proof that a tree of the log continues a smaller one',
      budget: 'public',
      response: consistencySchema,
      problems: ['request-malformed', 'log-leaf-unknown', ...readProblems],
      answer: async ({ query: { from, to } }) =>
        json(await proveConsistency(verifier.store, { from: Number(from), to: Number(to) })),
    },
    {
      method: 'GET',
      path: '/v1/log/entries/{leaf}/body',
      parameters: { leaf: leafHex },
      summary: 'What a leaf is about: the salted record that its entry covers',
      role: 'auditor',
      response: bodySchema,
      problems: ['log-leaf-unknown', 'storage-unavailable'],
      answer: (asked) => body(verifier, asked),
    },
  ]
}

async function checkpoint({ store, log }: LogVerifier): Promise<Response> {
  return text(log.cosigned(await headOf(store)), CHECKPOINT_CACHE)
}

/** `tile/<L>/<N>[.p/<W>]`, where N has one segment for each three digits: 2.5 * 10^11 leaves, and one segment for the width. */
function tileRoutes(verifier: LogVerifier): readonly Route[] {
  const names = ['n1', 'n2', 'n3', 'n4']
  return names.map((_, last): Route => {
    const segments = names.slice(0, last + 1)
    return {
      method: 'GET',
      path: `/v1/log/tile/{level}/${segments.map((name) => `{${name}}`).join('/')}`,
      parameters: { level: segment, ...Object.fromEntries(segments.map((n) => [n, segment])) },
      summary: `A tile of the log, or of its entries, whose path has ${segments.length} segments (C2SP tlog-tiles)`,
      budget: 'public',
      response: z.string(),
      responseType: BYTES,
      problems: readProblems,
      answer: (asked) => tile(verifier, asked, segments),
    }
  })
}

/** Throws Problem. */
async function tile(
  { store }: LogVerifier,
  { parameters }: Asked,
  segments: readonly string[],
): Promise<Response> {
  const rest = segments.map((name) => parameters[name]).join('/')
  const name = parseTilePath(parameters.level ?? '', rest)
  const bytes = name && (await tileBytes(store, name))
  if (!bytes) throw new Problem('route-unknown', 'the log has no such tile')
  return new Response(bytes.slice(), {
    headers: { 'content-type': BYTES, 'cache-control': FOR_EVER, ...everybody },
  })
}

/** Throws Problem. */
async function body({ store }: LogVerifier, { parameters }: Asked): Promise<Response> {
  const { kind, tenant, subject, entry, salt, record } = await bodyOf(store, parameters.leaf ?? '')
  return json({
    kind,
    tenant,
    subject,
    entry: new TextDecoder().decode(entry),
    salt: toHex(salt),
    record: new TextDecoder().decode(record),
  })
}

function text(value: string, cacheControl: string): Response {
  return new Response(value, {
    headers: { 'content-type': TEXT, 'cache-control': cacheControl, ...everybody },
  })
}
