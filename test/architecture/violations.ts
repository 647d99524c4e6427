/** Which rules of the house does one file break? One sentence each, with the line and what to do instead. */
import { posix } from 'node:path'
import { type Place, placeOf, sees } from './house.ts'
import { type Import, readSource, type Source, type Use } from './source.ts'

export function violationsIn(source: Source): readonly string[] {
  const place = placeOf(source.file)
  if (!place)
    return [
      `${source.file}: belongs to no layer; give its folder a row in test/architecture/house.ts`,
    ]
  const { imports, uses } = readSource(source)
  return [
    ...imports.map((found) => [found.line, judgeImport(found, source.file, place)] as const),
    ...uses.map((found) => [found.line, judgeUse(found, place)] as const),
  ].flatMap(([line, fault]) => (fault ? [`${source.file}:${line}: ${fault}`] : []))
}

/** The file that a relative or `#src/` specifier names, from the repository root. `undefined` for a package or a builtin. */
export function targetOf(specifier: string, file: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1)
  if (!/^[./]/.test(specifier)) return undefined
  return posix.join(posix.dirname(file), specifier)
}

function judgeImport(found: Import, file: string, place: Place): string | undefined {
  const { specifier } = found
  if (specifier === undefined)
    return place.zone.packages === 'any'
      ? undefined
      : 'imports something computed; name it, or wire it in src/main.ts'

  const target = targetOf(specifier, file)
  if (target !== undefined) return judgeTarget(target, place)
  if (specifier.startsWith('node:')) return judgeBuiltin(specifier, found.names, place)
  return judgePackage(specifier, place)
}

function judgeTarget(target: string, place: Place): string | undefined {
  const to = placeOf(target)
  if (place.zone.packages === 'any') return undefined
  if (!to) return `imports ${target}, which belongs to no layer`
  return sees(place, to)
    ? undefined
    : `imports ${target}, but ${place.name} (L${place.zone.level}) may not see ${to.name} (L${to.zone.level})`
}

function judgeBuiltin(
  specifier: string,
  names: readonly string[],
  { name, zone }: Place,
): string | undefined {
  if (specifier === 'node:process')
    return zone.process === 'any'
      ? undefined
      : `imports ${specifier}; only src/main.ts reads process`
  if (zone.builtins !== 'any' && !zone.builtins.includes(specifier))
    return `imports ${specifier}, but ${name} may only use ${zone.builtins.join(', ') || 'no builtin'}`
  const drawn = zone.pure && names.find((taken) => chance.test(taken))
  return drawn ? `draws ${drawn} from ${specifier}; take random bytes as an argument` : undefined
}

function judgePackage(specifier: string, { name, zone }: Place): string | undefined {
  if (zone.packages === 'any') return undefined
  const [scope = '', rest = ''] = specifier.split('/')
  const wanted = specifier.startsWith('@') ? `${scope}/${rest}` : scope
  return zone.packages.includes(wanted)
    ? undefined
    : `imports the package ${wanted}, but ${name} may only use ${zone.packages.join(', ') || 'none'}`
}

function judgeUse({ name }: Use, { zone }: Place): string | undefined {
  if (/^process\b/.test(name) && zone.process !== 'any') {
    const isNodeApi = /^process\.\w/.test(name) && !/^process\.(argv|env|execArgv|exit)/.test(name)
    if (!isNodeApi || zone.process === 'none')
      return `reads ${name}; only src/main.ts reads process`
  }
  if (zone.pure && impure.some((pattern) => pattern.test(name)))
    return `uses ${name}; take the clock, chance or network as an argument`
  return undefined
}

const chance =
  /^(getRandomValues|pseudoRandomBytes|randomBytes|randomFill|randomFillSync|randomInt|randomUUID|webcrypto)$/

const impure = [
  /^(new )?Date\(\)$/,
  /^(Date\.now|Math\.random|performance\.\w+|Temporal\.Now\b.*)(\(\))?$/,
  /^(\w+\.)*(getRandomValues|randomBytes|randomFill|randomFillSync|randomInt|randomUUID)(\(\))?$/,
  /^(fetch|setImmediate|setInterval|setTimeout|new WebSocket|new EventSource)(\(\))?$/,
]
