/** What the mirror's tests share: repositories, folders and servers that are gone when the test ends. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { afterEach, expect } from 'vitest'
import { type MirrorRequest, openGitMirror, usualLimits } from '#src/adapters/git-mirror.ts'
import { HistoryFault } from '#src/policy/acceptance/acceptance.ts'
import type { PolicyMirror } from '#src/service/policy-ports.ts'
import { type GitServer, type GitServerSettings, gitServer } from './http-backend.ts'
import { type PolicyRepository, policyRepository, searchPath } from './policy-repository.ts'

const endings: (() => unknown)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).toReversed()) await end()
})

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'vouchsafe-mirror-'))
  endings.push(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export async function repositoryWith(
  files?: Readonly<Record<string, string | Uint8Array>>,
  objectFormat: 'sha1' | 'sha256' = 'sha1',
): Promise<PolicyRepository> {
  const repository = await policyRepository({ ...(files && { files }), objectFormat })
  endings.push(repository.remove)
  return repository
}

/** Hands out this repository, and knows its address. */
export async function serverOf(
  { path }: PolicyRepository,
  settings: Omit<GitServerSettings, 'root'> = {},
): Promise<GitServer & { readonly address: string }> {
  const server = await gitServer({ root: dirname(path), ...settings })
  endings.push(server.close)
  return { ...server, address: server.url(basename(path)) }
}

type Wish = Partial<Omit<MirrorRequest, 'limits'>> & {
  readonly remote: string
  readonly limits?: Partial<typeof usualLimits>
}

export async function mirrorOf({ limits, ...wish }: Wish): Promise<PolicyMirror> {
  return await openGitMirror({
    branch: 'main',
    directory: folder(),
    searchPath,
    limits: { ...usualLimits, timeoutMs: 20_000, ...limits },
    ...wish,
  })
}

export async function faultOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    (value) => value,
    (cause) => cause,
  )
  expect(outcome).toBeInstanceOf(HistoryFault)
  return (outcome as HistoryFault).message
}

/** Every file below a folder with its content, to be compared with itself later. */
export function contentOf(path: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readdirSync(path, { recursive: true, encoding: 'utf8' })
      .map((name) => [name, join(path, name)] as const)
      .filter(([, file]) => statSync(file).isFile())
      .map(([name, file]) => [name, readFileSync(file, 'latin1')]),
  )
}

export function bytesOf(path: string): number {
  return Object.values(contentOf(path)).reduce((sum, content) => sum + content.length, 0)
}

/** Command lines of all processes of this machine that show `text`. */
export function processesShowing(text: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')]
      } catch {
        // It has ended meanwhile.
        return []
      }
    })
    .filter((line) => line.includes(text))
}
