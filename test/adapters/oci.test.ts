/** Sealed models in Debian's docker-registry, and a registry that lies. */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openModel } from '#src/adapters/model-open.ts'
import { sealModel } from '#src/adapters/model-seal.ts'
import { type ModelWorkers, openModelWorkers } from '#src/adapters/model-workers.ts'
import { pushModel, registrySource } from '#src/adapters/oci-model.ts'
import { ociReference, ociRepository } from '#src/adapters/oci-reference.ts'
import { ociRegistry } from '#src/adapters/oci-registry.ts'
import { Problem } from '#src/problems.ts'
import { CHUNK_BYTES, modelKeyOf } from '#src/seal/model-chunk.ts'
import { type Sha256, sha256Of } from '#src/seal/oms-root.ts'
import { freePort } from '../free-port.ts'
import { filled, MODEL_KEY } from '../models/sealed-in-memory.ts'
import { describeWith } from '../policy/external-tool.ts'

let place: string
let workers: ModelWorkers
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'vouchsafe-oci-'))
  workers = openModelWorkers()
})
afterAll(async () => {
  await workers.close()
  rmSync(place, { recursive: true, force: true })
})

const weights = filled(4 * CHUNK_BYTES + 17)

async function sealed(name: string): Promise<string> {
  const folder = join(place, `${name}-in`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'w.bin'), weights)
  writeFileSync(join(folder, 'config.json'), '{}')
  const out = join(place, name)
  await sealModel({
    folder,
    out,
    name: 'llama',
    version: 1,
    modelKey: modelKeyOf(MODEL_KEY),
    randomBytes: (size) => new Uint8Array(randomBytes(size)),
    workers,
    signature: { by: 'nobody' },
    told() {},
  })
  return out
}

type Registry = ReturnType<typeof ociRegistry>

/** What came out of `w.bin`. */
async function opened(registry: Registry, digest: Sha256): Promise<Buffer> {
  const model = await openModel({
    source: await registrySource(registry, digest),
    keyOf: async () => new Uint8Array(MODEL_KEY),
    expected: {},
    signedBy: undefined,
    workers,
    told() {},
  })
  const parts: Buffer[] = []
  await model.files(async ({ path }) => ({
    write: async (chunk) => {
      if (path === 'w.bin') parts.push(Buffer.from(chunk))
    },
    end: async () => {},
    abandon: async () => {},
  }))
  return Buffer.concat(parts)
}

describeWith(['docker-registry', '--version'], 'a registry', () => {
  let stop: () => Promise<void>
  let host: string
  let stored: string

  beforeAll(async () => {
    const port = await freePort()
    host = `127.0.0.1:${port}`
    stored = join(place, 'registry')
    const config = join(place, 'registry.yml')
    writeFileSync(
      config,
      `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${stored}}, delete: {enabled: true}}
http: {addr: "${host}"}
`,
    )
    const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' })
    const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
    stop = async () => {
      child.kill()
      await ended
    }
    for (let tries = 0; ; tries++) {
      const answer = await fetch(`http://${host}/v2/`).catch(() => undefined)
      if (answer?.ok) break
      if (tries > 100) throw new Error('docker-registry does not answer')
      await sleep(50)
    }
  })
  afterAll(async () => await stop())

  test('takes a sealed model in, once, and gives it out by digest', async () => {
    const registry = ociRegistry(ociRepository(`oci://${host}/models/llama`), { kind: 'none' })
    const folder = await sealed('whole')
    const digest = await pushModel(folder, registry, () => {})
    expect((await opened(registry, digest)).equals(weights)).toBe(true)
    const again: string[] = []
    const counting: Registry = {
      ...registry,
      putBlob: async (blob) => void again.push(blob),
    }
    expect(await pushModel(folder, counting, () => {})).toBe(digest)
    expect(again).toEqual([])
    const tags = await fetch(`http://${host}/v2/models/llama/tags/list`)
    expect(((await tags.json()) as { tags: unknown }).tags ?? null).toBeNull()
  })

  test('that altered a blob on its disk is noticed', async () => {
    const registry = ociRegistry(ociRepository(`oci://${host}/models/altered`), { kind: 'none' })
    const folder = await sealed('altered')
    const digest = await pushModel(folder, registry, () => {})
    const { files } = JSON.parse(readFileSync(join(folder, 'sealed-model.json'), 'utf8')) as {
      files: { path: string; sealed: string }[]
    }
    const hex = files.find(({ path }) => path === 'w.bin')?.sealed.slice('sha256:'.length) ?? ''
    const blob = join(stored, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data')
    const bytes = readFileSync(blob)
    bytes[CHUNK_BYTES * 2] = (bytes[CHUNK_BYTES * 2] ?? 0) ^ 1
    writeFileSync(blob, bytes)
    await expect(opened(registry, digest)).rejects.toMatchObject({
      fault: { where: 'w.bin, chunk 1' },
    })
  })

  test('has nothing under a digest that it was not given', async () => {
    const registry = ociRegistry(ociRepository(`oci://${host}/models/none`), { kind: 'none' })
    await expect(registrySource(registry, sha256Of())).rejects.toMatchObject({
      code: 'registry-unusable',
    })
  })
})

/** Serves what it is told to, and remembers what it was asked. */
async function lying(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: { readonly url: string; readonly authorization: string | undefined }[] = []
  const server: Server = createServer((request, response) => {
    asked.push({ url: request.url ?? '', authorization: request.headers.authorization })
    request.resume()
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    asked,
    host: `127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('a registry that', () => {
  const digest = sha256Of(Buffer.from('what was meant'))

  test('sends another manifest than was asked for is refused', async () => {
    const other = await lying((_, response) => response.end('something else'))
    const registry = ociRegistry(ociRepository(`oci://${other.host}/m`), { kind: 'none' })
    await expect(registrySource(registry, digest)).rejects.toThrow(`for ${digest}`)
    await other.close()
  })

  test('sends without end is cut off', async () => {
    const other = await lying((_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(1 << 20)));
        response.once('drain', more)
      }
      more()
    })
    const registry = ociRegistry(ociRepository(`oci://${other.host}/m`), { kind: 'none' })
    await expect(registrySource(registry, digest)).rejects.toThrow('sent more than')
    await other.close()
  })

  test('leads a blob elsewhere gets it from there, and our credentials stay at home', async () => {
    const bytes = Buffer.from('what was meant')
    const elsewhere = await lying((_, response) => response.end(bytes))
    const home = await lying((_, response) =>
      response.writeHead(307, { location: `http://${elsewhere.host}/blob` }).end(),
    )
    const token = join(place, 'token')
    writeFileSync(token, 'secret-token\n')
    const registry = ociRegistry(ociRepository(`oci://${home.host}/m`), {
      kind: 'token',
      file: token,
    })
    expect(Buffer.from(await registry.smallBlob(digest, 1000)).equals(bytes)).toBe(true)
    expect(elsewhere.asked.map(({ authorization }) => authorization)).toEqual([undefined])
    await Promise.all([home.close(), elsewhere.close()])
  })

  test('leads a blob to an address in clear is refused', async () => {
    const home = await lying((_, response) =>
      response.writeHead(307, { location: 'http://registry.example/blob' }).end(),
    )
    const registry = ociRegistry(ociRepository(`oci://${home.host}/m`), { kind: 'none' })
    await expect(registry.smallBlob(digest, 1000)).rejects.toThrow('not https')
    await home.close()
  })

  test('wants a token gets one from its token service, by the password of a config.json', async () => {
    const bytes = Buffer.from('what was meant')
    const tokens = await lying((_, response) => response.end(JSON.stringify({ token: 'granted' })))
    const home = await lying((request, response) => {
      if (request.headers.authorization === 'Bearer granted') response.end(bytes)
      else
        response
          .writeHead(401, {
            'www-authenticate': `Bearer realm="http://${tokens.host}/token",service="r",scope="repository:m:pull"`,
          })
          .end()
    })
    const config = join(place, 'config.json')
    const auth = Buffer.from('me:password').toString('base64')
    writeFileSync(config, JSON.stringify({ auths: { [home.host]: { auth } } }))
    const registry = ociRegistry(ociRepository(`oci://${home.host}/m`), {
      kind: 'docker',
      file: config,
    })
    await registry.smallBlob(digest, 1000)
    await registry.smallBlob(digest, 1000)
    expect(tokens.asked).toEqual([
      { url: '/token?service=r&scope=repository%3Am%3Apull', authorization: `Basic ${auth}` },
    ])
    expect(home.asked.map(({ authorization }) => authorization)).toEqual([
      undefined,
      'Bearer granted',
      'Bearer granted',
    ])
    await Promise.all([home.close(), tokens.close()])
  })

  test('wants a password gets that of its own host alone', async () => {
    const home = await lying((request, response) => {
      if (request.headers.authorization) response.end('what was meant')
      else response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
    })
    const config = join(place, 'config.json')
    const auth = Buffer.from('me:password').toString('base64')
    writeFileSync(config, JSON.stringify({ auths: { [home.host]: { auth } } }))
    const own = ociRegistry(ociRepository(`oci://${home.host}/m`), { kind: 'docker', file: config })
    await own.smallBlob(digest, 1000)
    expect(home.asked.at(-1)?.authorization).toBe(`Basic ${auth}`)
    writeFileSync(config, JSON.stringify({ auths: { 'other.example': { auth } } }))
    const other = ociRegistry(ociRepository(`oci://${home.host}/m`), {
      kind: 'docker',
      file: config,
    })
    await expect(other.smallBlob(digest, 1000)).rejects.toThrow('authentication')
    await home.close()
  })

  test('sends an upload to another host is refused', async () => {
    const home = await lying((_, response) =>
      response.writeHead(202, { location: 'http://127.0.0.1:1/elsewhere' }).end(),
    )
    const registry = ociRegistry(ociRepository(`oci://${home.host}/m`), { kind: 'none' })
    const pieces = (async function* () {
      yield Buffer.from('x')
    })()
    await expect(registry.putBlob(digest, pieces)).rejects.toThrow('where it goes on')
    await home.close()
  })

  test('names a list of files that is not what it says is refused', async () => {
    const list = Buffer.from('{}')
    const manifest = Buffer.from(
      JSON.stringify({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        artifactType: 'application/vnd.example',
        layers: [],
      }),
    )
    const home = await lying((request, response) =>
      response.end(request.url?.includes('manifests') ? manifest : list),
    )
    const registry = ociRegistry(ociRepository(`oci://${home.host}/m`), { kind: 'none' })
    await expect(registrySource(registry, sha256Of(manifest))).rejects.toThrow('another artifact')
    await home.close()
  })

  test('is not there is said so', async () => {
    const registry = ociRegistry(ociRepository('oci://127.0.0.1:1/m'), { kind: 'none' })
    await expect(registrySource(registry, digest)).rejects.toMatchObject({
      code: 'registry-unusable',
    })
  })
})

describe('a place', () => {
  const digest = `sha256:${createHash('sha256').digest('hex')}`

  test.each([
    { text: `oci://registry.example/a/b@${digest}`, origin: 'https://registry.example' },
    { text: `oci://registry.example:5000/a@${digest}`, origin: 'https://registry.example:5000' },
    { text: `oci://localhost:5000/a@${digest}`, origin: 'http://localhost:5000' },
    { text: `oci://127.0.0.1:5000/a@${digest}`, origin: 'http://127.0.0.1:5000' },
    { text: `oci://127.0.0.1.example.com/a@${digest}`, origin: 'https://127.0.0.1.example.com' },
    { text: `oci://[::1]:5000/a@${digest}`, origin: 'http://[::1]:5000' },
  ])('$text is at $origin', ({ text, origin }) => expect(ociReference(text).origin).toBe(origin))

  test.each([
    'oci://registry.example/a',
    'oci://registry.example/a:latest',
    `oci://registry.example/a:latest@${digest}`,
    'oci://registry.example/a@sha256:00',
    `oci://registry.example/A@${digest}`,
    `oci://registry.example/../a@${digest}`,
    `oci://registry.example/a?x@${digest}`,
    `oci://user:password@registry.example/a@${digest}`,
    `oci://registry.example/a@${digest.toUpperCase()}`,
    `https://registry.example/a@${digest}`,
    '',
  ])('%j is none to open', (text) => {
    expect(() => ociReference(text)).toThrow(Problem)
  })

  test.each(['oci://registry.example/a:1', `oci://registry.example/a@${digest}`])(
    '%s is none to push to',
    (text) => expect(() => ociRepository(text)).toThrow('leave it out'),
  )
})
