/** Is this file a valid AgentRelease, and what does it say? Every mistake is reported, with line and column. */
import { hash } from 'node:crypto'
import type { z } from 'zod'
import type { AgentRelease, ReferenceValue, RuntimeConfig } from '../../rats/release.ts'
import { visible } from '../visible-text.ts'
import { identifier } from './document-fields.ts'
import { manifestSchema } from './manifest-schema.ts'
import { expectAt, ofTheFile, readDocument } from './policy-document.ts'
import { linesOfFields } from './reference-value-lines.ts'
import { configFieldOf, isBound, readRuntimeConfig } from './runtime-config.ts'
import { readRuntime } from './runtime-limits.ts'
import type { Mistake, YamlDocument } from './yaml-document.ts'

export interface ManifestFile {
  /** From the root of the repository: `agents/<environment>/<agent>.yaml`. */
  readonly path: string
  readonly bytes: Uint8Array
}

export interface ManifestContext {
  /** Ids and groups of checks that a policy may waive, which the TEEs know and this layer does not. */
  readonly waivable: ReadonlySet<string>
  /** Content of another file of the same commit. */
  readonly fileAt: (path: string) => Uint8Array | undefined
}

export type ManifestReading =
  | { readonly release: AgentRelease }
  | { readonly mistakes: readonly Mistake[] }

export function readManifest(
  { path, bytes }: ManifestFile,
  { waivable, fileAt }: ManifestContext,
): ManifestReading {
  const [, environment, agent] = /^agents\/([^/]+)\/([^/]+)\.yaml$/.exec(path) ?? []
  if (!isIdentifier(environment) || !isIdentifier(agent))
    return ofTheFile(
      'a manifest is agents/<environment>/<agent>.yaml, both names of lower-case letters, digits and inner hyphens',
    )
  const reading = readDocument(bytes, manifestSchema)
  if ('mistakes' in reading) return reading
  const { document, value: manifest } = reading
  const referenceValues = referenceValuesOf(manifest, document)
  const configuration = configurationOf(manifest, document, fileAt)
  const runtime = readRuntime(manifest.spec.runtime, { document, referenceValues, fileAt })
  const mistakes = [
    ...misnamed(manifest, document, { environment, agent }),
    ...unwaivable(manifest, document, waivable),
    ...configuration.mistakes,
    ...misboundIn(referenceValues, document, configuration.config),
    ...runtime.mistakes,
  ]
  if (mistakes.length > 0) return { mistakes }

  const { metadata, spec } = manifest
  return {
    release: {
      environment,
      agent,
      version: metadata.version,
      generation: metadata.generation,
      notBefore: metadata.notBefore,
      notAfter: metadata.notAfter,
      referenceValues,
      waivers: new Map(spec.waivers.map(({ check, reason }) => [check, reason])),
      rules: spec.release.map(({ audience, token, ttl, scopes }) => ({
        audience,
        form: token,
        tokenTtlSeconds: ttl,
        scopes,
      })),
      artifacts: spec.artifacts.map(({ reference, ...artifact }) => ({ ...artifact, reference })),
      models: spec.models,
      runtime: runtime.limits,
      runtimeConfig: configuration.config,
      manifest: { file: path, sha256: hash('sha256', bytes, 'hex') },
    },
  }
}

type Manifest = z.output<typeof manifestSchema>

function referenceValuesOf({ spec }: Manifest, document: YamlDocument): readonly ReferenceValue[] {
  return spec.referenceValues.map((entry, index) => {
    const path = ['spec', 'referenceValues', index]
    return {
      ...entry,
      line: document.placeOf(path).line,
      lines: linesOfFields(document, path, entry.reference),
    }
  })
}

/** The folder and the file's name are what is asked for; a manifest that says otherwise was copied and not finished. */
function misnamed(
  { metadata }: Manifest,
  document: YamlDocument,
  { environment, agent }: { readonly environment: string; readonly agent: string },
): readonly Mistake[] {
  return [
    ...expectAt(document, ['metadata', 'name'], {
      holds: metadata.name === agent,
      message: `must be ${agent}, as the file is called`,
    }),
    ...expectAt(document, ['metadata', 'environment'], {
      holds: (metadata.environment ?? environment) === environment,
      message: `must be ${environment}, as the folder is called`,
    }),
  ]
}

function unwaivable(
  { spec }: Manifest,
  document: YamlDocument,
  waivable: ReadonlySet<string>,
): readonly Mistake[] {
  return spec.waivers.flatMap(({ check }, index) =>
    expectAt(document, ['spec', 'waivers', index, 'check'], {
      holds: waivable.has(check),
      message: `${check} is no check that may be waived; signature, chain, binding, structure and debug never may`,
    }),
  )
}

interface Configuration {
  readonly config: RuntimeConfig | undefined
  readonly mistakes: readonly Mistake[]
}

function configurationOf(
  { spec: { runtimeConfig: path } }: Manifest,
  document: YamlDocument,
  fileAt: ManifestContext['fileAt'],
): Configuration {
  if (path === undefined) return { config: undefined, mistakes: [] }
  const bytes = fileAt(path)
  const reading = bytes
    ? readRuntimeConfig(path, bytes)
    : { mistake: `there is no file ${visible(path)} in this commit` }
  if ('config' in reading) return { config: reading.config, mistakes: [] }
  const at = ['spec', 'runtimeConfig']
  return {
    config: undefined,
    mistakes: expectAt(document, at, { holds: false, message: reading.mistake }),
  }
}

/** One machine is told one configuration: a reference value that expects another contradicts the manifest. */
function misboundIn(
  referenceValues: readonly ReferenceValue[],
  document: YamlDocument,
  config: RuntimeConfig | undefined,
): readonly Mistake[] {
  if (!config) return []
  return referenceValues.flatMap((referenceValue, index) => {
    const field = configFieldOf(referenceValue)
    return expectAt(document, ['spec', 'referenceValues', index, field.name], {
      holds: field.expected === undefined || isBound(field, config),
      message: `is not the digest of ${config.path}; put ${field.prefix}:${config[field.algorithm]} there, or leave it out`,
    })
  })
}

function isIdentifier(name: string | undefined): name is string {
  return identifier.safeParse(name).success
}
