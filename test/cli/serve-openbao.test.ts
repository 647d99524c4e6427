/** `vouchsafe serve` whose key-encryption key is in OpenBao: started again, its key rotated, retired, and taken away. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../free-port.ts'
import { describeWithOpenBao, type OpenBao, openBao } from '../openbao.ts'
import { runProgram, startProgram } from './program.ts'
import { type SignedPolicy, signedPolicy } from './signed-policy.ts'

const SLOW = 120_000
const TOKEN = 'of-the-service-alone'
const SECRET = 'hunter2-of-the-customer'

describeWithOpenBao('vouchsafe serve with its key-encryption key in OpenBao', () => {
  let bao: OpenBao
  let policy: SignedPolicy
  let env: Readonly<Record<string, string>>
  let printed = ''
  beforeAll(async () => {
    ;[bao, policy] = await Promise.all([openBao(), signedPolicy()])
    await bao.ask('POST', 'sys/mounts/transit', { type: 'transit' })
    await bao.ask('POST', 'transit/keys/vouchsafe')
    const paths = ['encrypt', 'decrypt'].map((verb) => `path "transit/${verb}/vouchsafe"`)
    const rules = paths.map((path) => `${path} { capabilities = ["update"] }`).join('\n')
    await bao.ask('POST', 'sys/policies/acl/vouchsafe', { policy: rules })
    await bao.ask('POST', 'auth/token/create', { id: TOKEN, policies: ['vouchsafe'] })
    const sara = createHash('sha256').update('token-of-sara').digest('hex')
    file('token', 'token-of-sara')
    file('secret', SECRET)
    env = {
      VOUCHSAFE_PUBLIC_URL: 'https://attest.example.com',
      VOUCHSAFE_POLICY: policy.path,
      VOUCHSAFE_POLICY_PIN: policy.pin,
      VOUCHSAFE_DATA: join(bao.folder, 'data'),
      VOUCHSAFE_OFFLINE: 'true',
      // Written by a process that ends in peace: those after it start sooner.
      NODE_COMPILE_CACHE: join(bao.folder, 'compiled'),
      VOUCHSAFE_OPERATORS_FILE: file('operators', `${sara} secret-admin sara\n`),
      VOUCHSAFE_TRANSIT_URL: bao.url,
      VOUCHSAFE_TRANSIT_KEY: 'vouchsafe',
      VOUCHSAFE_TRANSIT_TOKEN_FILE: file('transit-token', `${TOKEN}\n`),
      VOUCHSAFE_TRANSIT_AUTHORITIES_FILE: file('authorities.pem', bao.authorities),
    }
  }, SLOW)
  afterAll(async () => {
    policy.remove()
    await bao.close()
  })

  function file(name: string, text: string): string {
    writeFileSync(join(bao.folder, name), text, { mode: 0o600 })
    return join(bao.folder, name)
  }

  async function serve(by = env) {
    const port = await freePort()
    const program = startProgram(['serve', '--port', String(port)], { cwd: bao.folder, env: by })
    await program.printed('answers on')
    const url = `http://127.0.0.1:${port}`
    return {
      jwks: async () => await (await fetch(`${url}/.well-known/jwks.json`)).text(),
      async release(verb: 'put' | 'rotate') {
        const access = ['--url', url, '--token-file', join(bao.folder, 'token')]
        const args = ['release', verb, 'secret:db', '--file', join(bao.folder, 'secret'), ...access]
        return await runProgram(args, { cwd: bao.folder })
      },
      async stop() {
        program.kill('SIGINT')
        const { code, out, err } = await program.ended
        printed += out + err
        return code
      },
    }
  }

  /** Why it does not. */
  async function unstarted(): Promise<string> {
    const { code, out, err } = await runProgram(['serve', '--port', `${await freePort()}`], {
      cwd: bao.folder,
      env,
    })
    expect(code).toBe(1)
    printed += out + err
    return err
  }

  test(
    'keeps its keys and secrets over restarts and rotations',
    async () => {
      const first = await serve()
      const jwks = await first.jwks()
      expect(await first.release('put')).toMatchObject({ code: 0 })
      expect(await first.stop()).toBe(0)

      await bao.ask('POST', 'transit/keys/vouchsafe/rotate')
      const second = await serve()
      expect(await second.jwks()).toBe(jwks)
      expect(await second.release('rotate')).toMatchObject({ code: 0 })
      await bao.seal()
      const { code, err } = await second.release('rotate')
      await bao.unseal()
      expect(code).toBe(1)
      expect(err).toContain('the transit engine answered 503: it is sealed')
      expect(await second.release('rotate')).toMatchObject({ code: 0 })
      expect(await second.stop()).toBe(0)
    },
    SLOW,
  )

  test(
    'is left for a file with `keys rewrap`, and then does without it',
    async () => {
      const [data, key] = ['moved', file('new-key', `${'ef'.repeat(32)}\n`)]
      const there = { ...env, VOUCHSAFE_DATA: join(bao.folder, data) }
      const first = await serve(there)
      const jwks = await first.jwks()
      expect(await first.release('put')).toMatchObject({ code: 0 })
      expect(await first.stop()).toBe(0)

      const others = Object.entries(there).filter(([name]) => !name.includes('TRANSIT'))
      const here = { ...Object.fromEntries(others), VOUCHSAFE_KEY_ENCRYPTION_KEY_FILE: key }
      const engine = Object.entries(there).filter(([name]) => name.includes('TRANSIT'))
      const previous = engine.map(([name, value]) => [
        name.replace('VOUCHSAFE_', 'VOUCHSAFE_PREVIOUS_'),
        value,
      ])
      const both = { ...here, ...Object.fromEntries(previous) }
      const second = await serve(both)
      expect(await second.jwks()).toBe(jwks)
      expect(await second.release('rotate')).toMatchObject({ code: 0 })
      expect(await second.stop()).toBe(0)

      const rewrap = async () => {
        const ended = await runProgram(['keys', 'rewrap', '--json'], {
          cwd: bao.folder,
          env: both,
        })
        printed += ended.out + ended.err
        expect(ended.code).toBe(0)
        return JSON.parse(ended.out)
      }
      const moved = await rewrap()
      expect(moved).toMatchObject({ already: 0, resources: { resealed: 1, already: 1 } })
      expect(moved.resealed).toBeGreaterThan(1)
      expect(await rewrap()).toMatchObject({
        resealed: 0,
        already: moved.resealed,
        resources: { resealed: 0, already: 2 },
      })

      await bao.seal()
      const third = await serve(here)
      expect(await third.jwks()).toBe(jwks)
      expect(await third.release('rotate')).toMatchObject({ code: 0 })
      expect(await third.stop()).toBe(0)
      await bao.unseal()
    },
    SLOW,
  )

  test(
    'says why it does not start',
    async () => {
      await bao.ask('POST', 'transit/keys/vouchsafe/config', { min_decryption_version: 2 })
      expect(await unstarted()).toMatch(
        /^vouchsafe serve: key .* does not open .*\(the transit engine refused to decrypt: that version of the key is retired\)/m,
      )
      await bao.ask('POST', 'transit/keys/vouchsafe/config', { min_decryption_version: 1 })
      await bao.ask('POST', 'auth/token/revoke', { token: TOKEN })
      expect(await unstarted()).toContain('the transit engine answered 403: the token may not')
    },
    SLOW,
  )

  test('tells nobody the token or a secret', () => {
    expect(printed).toContain('answers on')
    for (const secret of [TOKEN, SECRET, 'token-of-sara']) expect(printed).not.toContain(secret)
  })
})
