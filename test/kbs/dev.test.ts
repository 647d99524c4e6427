/** One command starts a server that a stock client can talk to: `vouchsafe dev --kbs`, with a database that is kept. */
import { afterAll, expect, test } from 'vitest'
import { removeScratch, scratchFolder } from '../cli/policy-tools.ts'
import { startProgram } from '../cli/program.ts'
import { clientKey, type KeyKind, StockClient } from './stock-client.ts'

afterAll(removeScratch)

const SLOW = 120_000

test(
  'what it prints is what a client runs, at the first start and at the next',
  async () => {
    const cwd = scratchFolder()
    for (const start of ['first', 'next']) {
      const program = startProgram(['dev', '--kbs'], { cwd })
      const text = await program.printed('Serving until Ctrl-C')
      const [, url = '', path = ''] =
        /kbs-client --url (\S+) get-resource --path (\S+)/.exec(text) ?? []
      const [, secret] = /prints ([A-Za-z0-9+/=]+);/.exec(text) ?? []
      for (const kind of ['P-256', 'P-521', 'RSA'] satisfies readonly KeyKind[]) {
        const client = new StockClient({ url, key: clientKey(kind) })
        const attested = await client.handshake()
        expect(attested.status, `${start}: ${attested.text}`).toBe(200)
        for (const by of ['cookie', 'token'] as const)
          expect(Buffer.from(await client.secret(path, by)).toString('base64')).toBe(secret)
      }
      program.kill('SIGINT')
      expect((await program.ended).code).toBe(0)
    }
  },
  SLOW,
)
