/** What `npm pack` makes of the kit, unpacked as `npm install` would: made from a copy, so that several tests may do it at once. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Resolves to the folder that holds the package; programs run in `scratch`. */
export function packedKit(scratch: string): string {
  const [source, installed] = [join(scratch, 'source'), join(scratch, 'node_modules/vouchsafe')]
  mkdirSync(source, { recursive: true })
  mkdirSync(installed, { recursive: true })
  for (const name of ['package.json', 'tsconfig.kit.json', 'kit', 'bin', 'README.md'])
    cpSync(join(root, name), join(source, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'))
  symlinkSync(join(root, 'node_modules/hono'), join(scratch, 'node_modules/hono'))
  const quiet = { cwd: source, encoding: 'utf8', stdio: 'pipe' } as const
  execFileSync('npm', ['pack', '--silent', '--pack-destination', scratch], quiet)
  const [archive] = readdirSync(scratch).filter((name) => name.endsWith('.tgz'))
  if (!archive) throw new Error('npm pack made nothing')
  execFileSync('tar', ['-xzf', join(scratch, archive), '-C', installed, '--strip-components=1'])
  return installed
}
