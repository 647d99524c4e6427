/** An OPA of the operator's own: exactly true allows; late, broken, elsewhere or too long denies, and in time. */
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { remoteOpa } from '#src/adapters/remote-opa.ts'
import type { RemoteInput } from '#src/policy/rules/rule.ts'
import { input } from '../policy/rules/scene.ts'

const question: RemoteInput = {
  ...input,
  resource: { audience: 'vault', scopes: ['secret:db-ro'] },
  connection: { remoteAddress: '192.0.2.7' },
}

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** Its address. */
async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A server that listens on a port has an address of this form.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function answering(body: string, status = 200): Promise<string> {
  return serving((_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
}

const path = 'vouchsafe/allow'

test('the question is one POST with the input, the resource and the connection', async () => {
  const seen: unknown[] = []
  const url = await serving(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method, url: target, headers } = request
    seen.push([method, target, headers['content-type'], headers.authorization])
    seen.push(JSON.parse(Buffer.concat(chunks).toString()))
    response.end('{"result":true}')
  })
  const remote = remoteOpa({ url: `${url}/opa/`, path, token: 'secret-token' })
  expect(await remote.ask(question)).toEqual({ answer: true })
  expect(seen).toEqual([
    ['POST', '/opa/v1/data/vouchsafe/allow', 'application/json', 'Bearer secret-token'],
    { input: question },
  ])
})

test('without a token none is sent', async () => {
  let authorization: string | undefined = 'none asked'
  const url = await serving((request, response) => {
    authorization = request.headers.authorization
    response.end('{"result":true}')
  })
  await remoteOpa({ url, path }).ask(question)
  expect(authorization).toBeUndefined()
})

test('connections are used again', async () => {
  const sockets = new Set<unknown>()
  const url = await serving((request, response) => {
    sockets.add(request.socket)
    response.end('{"result":true}')
  })
  const remote = remoteOpa({ url, path, deadlineMs: 5_000 })
  for (let turn = 0; turn < 10; turn++) expect(await remote.ask(question)).toEqual({ answer: true })
  // The first may be still busy with its last byte when the second question is put.
  expect(sockets.size).toBeLessThan(4)
})

test('false is an answer', async () =>
  expect(await remoteOpa({ url: await answering('{"result":false}'), path }).ask(question)).toEqual(
    {
      answer: false,
      observed: false,
    },
  ))

describe('denied:', () => {
  test.each([
    ['text', '{"result":"true"}', 200, 'the decision is a string, where exactly true'],
    ['a number', '{"result":1}', 200, 'the decision is a number'],
    ['null', '{"result":null}', 200, 'the decision is null'],
    ['a list', '{"result":[true]}', 200, 'the decision is a list'],
    ['an object', '{"result":{"allow":true}}', 200, 'the decision is an object'],
    ['an undefined decision', '{}', 200, 'the decision is undefined: check its path'],
    [
      'a result that is inherited',
      '{"__proto__":{"result":true}}',
      200,
      'the decision is undefined',
    ],
    ['a list that has a result', '[{"result":true}]', 200, 'the decision is undefined'],
    ['no JSON', '{"result":true', 200, 'not JSON'],
    ['nothing', '', 200, 'not JSON'],
    ['text beside JSON', '{"result":true} true', 200, 'not JSON'],
    ['an error of OPA', '{"code":"internal_error","result":true}', 500, 'status 500, where 200'],
    ['no permission', '{"code":"unauthorized"}', 401, 'status 401'],
    ['a redirect', '{"result":true}', 307, 'status 307'],
    [
      'an answer of 64 KiB and more',
      `{"x":"${'a'.repeat(65_536)}","result":true}`,
      200,
      'longer than 65536 bytes',
    ],
  ])('%s', async (_, body, status, says) => {
    const url = await answering(body, status)
    expect(await remoteOpa({ url, path }).ask(question)).toEqual({
      fault: expect.stringContaining(says),
    })
  })

  test('bytes that are not UTF-8', async () => {
    const url = await serving((_, response) => {
      response.end(
        Buffer.concat([
          Buffer.from('{"result":true,"x":"'),
          Buffer.from([0xff]),
          Buffer.from('"}'),
        ]),
      )
    })
    expect(await remoteOpa({ url, path }).ask(question)).toHaveProperty('fault')
  })

  test('a redirect is not followed', async () => {
    let followed = 0
    const elsewhere = await serving((_, response) => {
      followed++
      response.end('{"result":true}')
    })
    const url = await serving((_, response) => {
      response.writeHead(302, { location: elsewhere }).end()
    })
    expect(await remoteOpa({ url, path }).ask(question)).toHaveProperty('fault')
    expect(followed).toBe(0)
  })

  test('more questions at once than are put, at once', async () => {
    const url = await serving(() => undefined)
    const remote = remoteOpa({ url, path, mostAtOnce: 2 })
    const open = [remote.ask(question), remote.ask(question)]
    expect(await remote.ask(question)).toEqual({ fault: '2 questions to OPA are open already' })
    expect(await Promise.all(open)).toEqual(
      Array(2).fill({ fault: 'OPA did not answer within 200 ms' }),
    )
    expect(await remote.ask(question)).not.toEqual({ fault: '2 questions to OPA are open already' })
  })
})

describe('within 250 ms', () => {
  const silent = () => serving(() => undefined)
  const dripping = () =>
    serving((_, response) => {
      response.write('{')
      const timer = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(timer))
    })
  const closed = async () => {
    const url = await answering('')
    for (const close of closers.splice(0)) close()
    return url
  }
  /** Takes connections and says nothing, not even that it speaks HTTP. */
  const mute = async () => {
    const server = createTcpServer(() => undefined).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    closers.push(() => server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  test.each([
    ['says nothing', silent, 'did not answer within 200 ms'],
    ['says a byte now and then', dripping, 'did not answer within 200 ms'],
    ['takes the connection only', mute, 'did not answer within 200 ms'],
    ['is not there', closed, 'could not be asked (ECONNREFUSED)'],
  ])('an OPA that %s denies', async (_, opa, says) => {
    const url = await opa()
    const remote = remoteOpa({ url, path })
    const took: number[] = []
    for (let turn = 0; turn < 4; turn++) {
      const start = performance.now()
      expect(await remote.ask(question)).toEqual({ fault: expect.stringContaining(says) })
      took.push(performance.now() - start)
    }
    // The best of four: this machine may be busy with other tests.
    expect(Math.min(...took)).toBeLessThan(250)
    expect(Math.max(...took)).toBeLessThan(2_000)
  })
})

test('what goes wrong names neither address nor token', async () => {
  const remote = remoteOpa({ url: 'http://127.0.0.1:1', path, token: 'secret-token' })
  const answer = JSON.stringify(await remote.ask(question))
  expect(answer).not.toContain('127.0.0.1')
  expect(answer).not.toContain('secret-token')
})

test.each([
  'http://opa.example',
  'ftp://127.0.0.1',
  'https://user:pass@opa.example',
  'opa',
  'https://opa.example?x=1',
])('%s is asked by nobody', (url) =>
  expect(() => remoteOpa({ url, path })).toThrow('must be https'),
)
