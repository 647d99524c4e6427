/** Clients that send slowly, too much, or no HTTP at all: each is cut off with a problem, and costs the others nothing. */
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { problemSchema } from '#src/http/responses.ts'
import { attestAt } from './attempt.ts'
import { type RawAnswer, rawRequest } from './raw-request.ts'
import { type RunningService, runService } from './running-service.ts'

/** Of production 10 s, 20 s and 1 s. */
const timeouts = { headersTimeout: 500, requestTimeout: 1_000, connectionsCheckingInterval: 100 }

let service: RunningService
beforeAll(async () => {
  service = await runService({ timeouts })
})
afterAll(() => service.close())

function expectProblem({ status, headers, body }: RawAnswer, code: string): void {
  expect(headers.get('content-type')).toBe('application/problem+json')
  expect(headers.get('connection')).toBe('close')
  const problem = problemSchema.parse(JSON.parse(body))
  expect(problem).toMatchObject({ code, status, requestId: headers.get('x-request-id') })
}

const post = (headers: string) =>
  `POST /v1/appraisals HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${headers}\r\n`

/** One byte in 50 ms, for ever. */
function trickle(text: string): (socket: Socket) => void {
  return (socket) => {
    let place = 0
    const timer = setInterval(() => {
      socket.write(text[place++ % text.length] ?? '')
    }, 50)
    socket.on('close', () => clearInterval(timer))
  }
}

describe('a slow client is cut off', () => {
  test('that sends its headers a byte at a time', async () => {
    const answer = await rawRequest(service.url, trickle('GET /healthz HTTP/1.1\r\nx-y: z\r\n'))
    expectProblem(answer, 'request-timeout')
    expect(answer.afterMs).toBeLessThan(2_500)
  })

  test('that sends its body a byte at a time', async () => {
    const answer = await rawRequest(service.url, (socket) => {
      socket.write(post('content-length: 100000\r\n'))
      trickle(' ')(socket)
    })
    expectProblem(answer, 'request-timeout')
    expect(answer.afterMs).toBeLessThan(3_000)
  })

  test('that sends chunks of a byte', async () => {
    const answer = await rawRequest(service.url, (socket) => {
      socket.write(post('transfer-encoding: chunked\r\n'))
      const timer = setInterval(() => socket.write('1\r\n \r\n'), 50)
      socket.on('close', () => clearInterval(timer))
    })
    expectProblem(answer, 'request-timeout')
  })

  test('that says nothing at all', async () => {
    const answer = await rawRequest(service.url, () => {})
    expect(answer.afterMs).toBeLessThan(3_000)
  })

  test('and two hundred of them keep nobody from being attested', async () => {
    const slow = Array.from({ length: 200 }, () =>
      rawRequest(service.url, (socket) => {
        socket.write(post('content-length: 100000\r\n'))
        trickle(' ')(socket)
      }),
    )
    expect((await attestAt(service)).status).toBe(200)
    for (const answer of await Promise.all(slow)) expect(answer.status).toBe(408)
    expect((await attestAt(service)).status).toBe(200)
  })
})

describe('too much', () => {
  test.each([
    ['one header of 20 KiB', `x-large: ${'a'.repeat(20 * 1024)}\r\n`],
    ['headers of 20 KiB together', 'x-many: aaaaaaaaaaaaaaaaaaaa\r\n'.repeat(700)],
  ])('%s', async (_, headers) => {
    const answer = await rawRequest(service.url, (socket) => {
      socket.write(`GET /healthz HTTP/1.1\r\nhost: x\r\n${headers}\r\n`)
    })
    expectProblem(answer, 'headers-too-large')
  })

  test('a path of 20 KiB', async () => {
    const answer = await rawRequest(service.url, (socket) => {
      socket.write(`GET /${'a'.repeat(20 * 1024)} HTTP/1.1\r\nhost: x\r\n\r\n`)
    })
    expectProblem(answer, 'headers-too-large')
  })

  test('a body that announces a gigabyte is refused before it is sent', async () => {
    const answer = await rawRequest(service.url, (socket) => {
      socket.write(post('content-length: 1073741824\r\n'))
    })
    expectProblem(answer, 'body-too-large')
    expect(answer.afterMs).toBeLessThan(1_500)
  })

  test('a body of chunks without end', async () => {
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
    let sent = 0
    const answer = await rawRequest(service.url, (socket) => {
      socket.write(post('transfer-encoding: chunked\r\n'))
      const more = () => {
        while (sent++ < 2_000) if (!socket.write(chunk)) return
      }
      socket.on('drain', more)
      more()
    })
    expect([413, undefined]).toContain(answer.status)
    expect(sent).toBeLessThan(500)
  })
})

describe('what is no HTTP', () => {
  test.each<[string, string, string]>([
    ['text', 'hello\r\n\r\n', 'request-malformed'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 'request-malformed'],
    ['a method that nobody has', 'BREW / HTTP/1.1\r\nhost: x\r\n\r\n', 'request-malformed'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'request-malformed'],
    ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', 'request-malformed'],
    ['two hosts in one', 'GET / HTTP/1.1\r\nhost: a b\r\n\r\n', 'request-malformed'],
    ['a header without a name', 'GET / HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n', 'request-malformed'],
    ['a line end in a header', 'GET / HTTP/1.1\r\nhost: x\r\na: b\rc\r\n\r\n', 'request-malformed'],
    ['two lengths', `${post('content-length: 1\r\ncontent-length: 2\r\n')}{}`, 'request-malformed'],
    [
      'a length beside chunks, which proxies read differently',
      `${post('content-length: 2\r\ntransfer-encoding: chunked\r\n')}0\r\n\r\n`,
      'request-malformed',
    ],
    ['a length that is none', `${post('content-length: -1\r\n')}{}`, 'request-malformed'],
    [
      'chunks that are none',
      `${post('transfer-encoding: chunked\r\n')}zz\r\n`,
      'request-malformed',
    ],
    ['a proxy’s request', 'CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n', 'method-unknown'],
    [
      'an expectation',
      'GET / HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n',
      'expectation-unknown',
    ],
    ['a backslash in the path', 'GET /a\\b HTTP/1.1\r\nhost: x\r\n\r\n', 'request-malformed'],
  ])('%s', async (_, text, code) => {
    const answer = await rawRequest(service.url, (socket) => {
      socket.write(text, 'latin1')
      setTimeout(() => socket.end(), 200)
    })
    const problem = problemSchema.parse(JSON.parse(answer.body))
    expect([problem.code, problem.status]).toEqual([code, answer.status])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('x-request-id')).toBe(problem.requestId)
  })
})
