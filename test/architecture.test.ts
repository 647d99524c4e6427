/** Does every file of src/, enclave/ and kit/ keep to its layer, and would we notice if it did not? */
import { globSync, readFileSync } from 'node:fs'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { readSource } from './architecture/source.ts'
import { targetOf, violationsIn } from './architecture/violations.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const tree = globSync('{src,enclave,kit}/**/*.{ts,tsx,mts,cts,js,jsx,mjs,cjs}', {
  cwd: root,
  exclude: ['**/node_modules/**', '**/dist/**'],
}).map((path) => ({
  file: path.split(sep).join('/'),
  text: readFileSync(`${root}${path}`, 'utf8'),
}))

describe('the tree', () => {
  test.each(tree)('$file keeps to its layer', (source) => expect(violationsIn(source)).toEqual([]))

  test('imports were seen, more than there are files', () => {
    const edges = tree.flatMap((source) =>
      readSource(source).imports.map(
        ({ specifier = '?' }) =>
          `${source.file} -> ${targetOf(specifier, source.file) ?? specifier}`,
      ),
    )
    expect(edges).toContain('src/bytes/layout.ts -> src/bytes/malformed.ts')
    expect(edges.length).toBeGreaterThanOrEqual(tree.length)
  })
})

/** Each breaks one rule. `says` is part of the sentence that must come. */
const forbidden: readonly { file: string; text: string; says: string }[] = [
  // Direction.
  { file: 'src/bytes/a.ts', text: `import '../pki/b.ts'`, says: 'may not see src/pki/' },
  { file: 'src/bytes/a.ts', text: `import '../problems.ts'`, says: 'may not see src/problems.ts' },
  { file: 'src/problems.ts', text: `import './bytes/b.ts'`, says: 'may not see src/bytes/' },
  { file: 'src/pki/a.ts', text: `import '../rats/b.ts'`, says: 'may not see src/rats/' },
  { file: 'src/pki/a.ts', text: `import '../config.ts'`, says: 'may not see src/config.ts' },
  { file: 'src/config.ts', text: `import './pki/b.ts'`, says: 'may not see src/pki/' },
  { file: 'src/rats/a.ts', text: `import '../seal/b.ts'`, says: 'may not see src/seal/' },
  { file: 'src/seal/a.ts', text: `import '../rats/b.ts'`, says: 'may not see src/rats/' },
  { file: 'src/rats/a.ts', text: `import '../tee/dcap/b.ts'`, says: 'may not see src/tee/dcap/' },
  { file: 'src/tee/dcap/a.ts', text: `import '../sev-snp/b.ts'`, says: 'may not see src/tee/sev' },
  { file: 'src/tee/dcap/a.ts', text: `import '../registry.ts'`, says: 'may not see src/tee/reg' },
  { file: 'src/tee/registry.ts', text: `import '../policy/b.ts'`, says: 'may not see src/policy/' },
  { file: 'src/policy/a.ts', text: `import '../tee/registry.ts'`, says: 'may not see src/tee/reg' },
  { file: 'src/token/a.ts', text: `import '../release/b.ts'`, says: 'may not see src/release/' },
  { file: 'src/release/a.ts', text: `import '../log/b.ts'`, says: 'may not see src/log/' },
  { file: 'src/log/a.ts', text: `import '../service/b.ts'`, says: 'may not see src/service/' },
  {
    file: 'src/service/a.ts',
    text: `import '../adapters/b.ts'`,
    says: 'may not see src/adapters/',
  },
  { file: 'src/service/a.ts', text: `import '../config.ts'`, says: 'may not see src/config.ts' },
  { file: 'src/http/kbs/a.ts', text: `import '../../cli/b.ts'`, says: 'may not see src/cli/' },
  { file: 'src/cli/a.ts', text: `import '../adapters/b.ts'`, says: 'may not see src/adapters/' },
  { file: 'src/cli/a.ts', text: `import '../main.ts'`, says: 'may not see src/main.ts' },
  { file: 'src/adapters/a.ts', text: `import '../http/b.ts'`, says: 'may not see src/http/' },
  { file: 'src/cli/a.ts', text: `import '../../enclave/b.ts'`, says: 'may not see enclave/' },
  { file: 'src/http/a.ts', text: `import '../../kit/b.ts'`, says: 'may not see kit/' },
  {
    file: 'enclave/a.ts',
    text: `import '../src/tee/dcap/b.ts'`,
    says: 'may not see src/tee/dcap/',
  },
  {
    file: 'enclave/a.ts',
    text: `import './simulator/b.ts'`,
    says: 'may not see enclave/simulator/',
  },
  { file: 'enclave/simulator/a.ts', text: `import '../../src/policy/b.ts'`, says: 'src/policy/' },
  { file: 'kit/agent/a.ts', text: `import '../../src/service/b.ts'`, says: 'src/service/' },

  // Places that are nobody's.
  { file: 'src/shared/a.ts', text: '', says: 'belongs to no layer' },
  { file: 'src/tee/a.ts', text: '', says: 'belongs to no layer' },
  { file: 'src/a.ts', text: '', says: 'belongs to no layer' },
  { file: 'src/service/a.ts', text: `import '../../test/b.ts'`, says: 'which belongs to no layer' },
  { file: 'src/http/a.ts', text: `import '../../package.json'`, says: 'which belongs to no layer' },

  // Every way to import.
  { file: 'src/rats/a.ts', text: `export * from '../seal/b.ts'`, says: 'src/seal/' },
  { file: 'src/rats/a.ts', text: `export { b } from '../seal/b.ts'`, says: 'src/seal/' },
  { file: 'src/rats/a.ts', text: `import type { B } from '../seal/b.ts'`, says: 'src/seal/' },
  { file: 'src/rats/a.ts', text: `import {\n  b,\n} from '../seal/b.ts'`, says: 'src/seal/' },
  { file: 'src/rats/a.ts', text: `import b from '#src/seal/b.ts'`, says: 'src/seal/' },
  { file: 'src/rats/a.ts', text: `const b = await import('../seal/b.ts')`, says: 'src/seal/' },
  { file: 'src/rats/a.ts', text: `type B = import('../seal/b.ts').B`, says: 'src/seal/' },
  { file: 'src/rats/a.ts', text: `export const b = (n: string) => import(n)`, says: 'computed' },

  // Packages.
  { file: 'src/bytes/a.ts', text: `import 'zod'`, says: 'the package zod' },
  { file: 'src/rats/a.ts', text: `import 'asn1js'`, says: 'the package asn1js' },
  {
    file: 'src/tee/dcap/a.ts',
    text: `import '@peculiar/x509'`,
    says: 'the package @peculiar/x509',
  },
  { file: 'src/tee/dcap/a.ts', text: `import 'pkijs'`, says: 'the package pkijs' },
  { file: 'src/config.ts', text: `import 'yaml'`, says: 'the package yaml' },
  { file: 'src/service/a.ts', text: `import 'hono/jwt'`, says: 'the package hono' },
  { file: 'src/cli/a.ts', text: `import 'drizzle-orm/pglite'`, says: 'the package drizzle-orm' },
  { file: 'src/log/a.ts', text: `import 'fs'`, says: 'the package fs' },

  // Purity.
  ...[
    'fs',
    'fs/promises',
    'http',
    'https',
    'http2',
    'net',
    'tls',
    'dns',
    'child_process',
    'os',
  ].map((name) => ({
    file: 'src/policy/a.ts',
    text: `import 'node:${name}'`,
    says: `node:${name}`,
  })),
  { file: 'src/rats/a.ts', text: `import 'node:worker_threads'`, says: 'node:worker_threads' },
  { file: 'src/rats/a.ts', text: `import 'node:timers/promises'`, says: 'node:timers/promises' },
  { file: 'src/bytes/a.ts', text: `import 'node:crypto'`, says: 'no builtin' },
  { file: 'src/token/a.ts', text: `import { randomUUID as id } from 'node:crypto'`, says: 'draws' },
  {
    file: 'src/token/a.ts',
    text: `import * as c from 'node:crypto'; c.randomBytes(8)`,
    says: 'c.r',
  },
  { file: 'src/token/a.ts', text: 'crypto.getRandomValues(nonce)', says: 'getRandomValues()' },
  { file: 'src/rats/a.ts', text: 'const at = Date.now()', says: 'uses Date.now()' },
  { file: 'src/rats/a.ts', text: 'const clock = Date.now', says: 'uses Date.now' },
  { file: 'src/rats/a.ts', text: `const at = Date['now']()`, says: 'uses Date.now()' },
  { file: 'src/rats/a.ts', text: 'const at = new Date()', says: 'uses new Date()' },
  { file: 'src/rats/a.ts', text: 'const at = Date()', says: 'uses Date()' },
  { file: 'src/rats/a.ts', text: 'performance.now()', says: 'uses performance.now()' },
  { file: 'src/log/a.ts', text: 'Math.random()', says: 'uses Math.random()' },
  { file: 'src/service/a.ts', text: 'await fetch(url)', says: 'uses fetch()' },
  { file: 'src/service/a.ts', text: 'globalThis.fetch(url)', says: 'uses fetch()' },
  { file: 'src/service/a.ts', text: 'setTimeout(expire, 5)', says: 'uses setTimeout()' },

  // Only main.ts reads process.
  { file: 'src/pki/a.ts', text: 'process.env.X', says: 'reads process.env.X' },
  { file: 'src/http/a.ts', text: 'process.exit(1)', says: 'reads process.exit()' },
  { file: 'src/cli/a.ts', text: `globalThis.process?.argv`, says: 'reads process.argv' },
  { file: 'src/cli/a.ts', text: `import { argv } from 'node:process'`, says: 'node:process' },
  { file: 'src/config.ts', text: 'const { env } = process', says: 'reads process' },
  { file: 'src/adapters/a.ts', text: 'process.env.HOME', says: 'reads process.env.HOME' },
  { file: 'src/adapters/a.ts', text: `process['exit'](1)`, says: 'reads process.exit()' },
  { file: 'src/adapters/a.ts', text: 'process[name]', says: 'reads process' },
  { file: 'src/adapters/a.ts', text: 'const { argv } = process', says: 'reads process' },
]

/** What a layer is allowed, and what only looks forbidden. */
const permitted: readonly { file: string; text: string }[] = [
  { file: 'src/pki/a.ts', text: `import { b } from '../bytes/b.ts'; import 'asn1js'` },
  { file: 'src/rats/a.ts', text: `import '../pki/b.ts'; import '../problems.ts'` },
  { file: 'src/tee/dcap/checks/a.ts', text: `import '../quote.ts'; import '../../../rats/b.ts'` },
  { file: 'src/tee/registry.ts', text: `import './dcap/b.ts'; import './sev-snp/b.ts'` },
  { file: 'src/service/a.ts', text: `import '../tee/registry.ts'; import '../policy/b.ts'` },
  { file: 'src/http/kbs/a.ts', text: `import '../routes.ts'; import '../../service/b.ts'` },
  { file: 'src/adapters/a.ts', text: `import 'node:fs'; import '../config.ts'; process.pid` },
  {
    file: 'src/main.ts',
    text: `import '../enclave/simulator/b.ts'; process.exit(await import(x))`,
  },
  { file: 'enclave/simulator/a.ts', text: `import '../../src/tee/dcap/b.ts'; import '../b.ts'` },
  { file: 'kit/client/a.ts', text: `import '../../src/seal/b.ts'; process.env.X; Date.now()` },
  { file: 'src/rats/a.ts', text: `// Date.now() and process.env\n/* import '../seal/b.ts' */` },
  {
    file: 'src/rats/a.ts',
    text: `const says = "import '../seal/b.ts'"; const also = 'Date.now()'`,
  },
  { file: 'src/rats/a.ts', text: 'const at = new Date(0); const then = (d: Date) => d.getTime()' },
  { file: 'src/rats/a.ts', text: 'const x = { process: 1, fetch: 2 }; x.process; x.fetch' },
  { file: 'src/service/a.ts', text: 'export const get = ({ fetch }: Ports) => fetch(url)' },
  { file: 'src/service/ports.ts', text: 'export type Fetch = typeof fetch' },
]

describe('the checker', () => {
  test.each(forbidden)('refuses in $file: $text', ({ file, text, says }) => {
    const found = violationsIn({ file, text })
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(says)
  })

  test.each(permitted)('permits in $file: $text', ({ file, text }) =>
    expect(violationsIn({ file, text })).toEqual([]),
  )

  test('names the line', () =>
    expect(violationsIn({ file: 'src/rats/a.ts', text: `\n\nimport '../seal/b.ts'` })[0]).toMatch(
      /^src\/rats\/a\.ts:3: /,
    ))

  test('does not pass what it cannot read', () =>
    expect(() => violationsIn({ file: 'src/rats/a.ts', text: 'import {' })).toThrow())
})
