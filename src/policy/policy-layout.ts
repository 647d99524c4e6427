/**
 * Which file of the repository is what? Its path alone decides. Whatever lies in a folder of documents must be one of them:
 * a misnamed file would otherwise silently approve, revoke or forbid nothing.
 */
import { visible } from './visible-text.ts'

export type FileKind = 'manifest' | 'measurements' | 'revocations' | 'rules'

interface Folder {
  readonly name: string
  readonly kind: FileKind
  readonly form: RegExp
  readonly sentence: string
}

const folders: readonly Folder[] = [
  {
    name: 'agents/',
    kind: 'manifest',
    form: /^agents\/./,
    // readManifest says how a manifest is named: its name is part of what it says.
    sentence: '',
  },
  {
    name: 'measurements/',
    kind: 'measurements',
    form: /^measurements\/[0-9a-f]{64}\.list$/,
    sentence:
      'measurement lists are measurements/<sha256 in hex>.list, as vouchsafe measure tree calls them',
  },
  {
    name: 'revoked/',
    kind: 'revocations',
    form: /^revoked\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.yaml$/,
    sentence: 'revocations are revoked/<name>.yaml',
  },
  {
    name: 'rules/',
    kind: 'rules',
    form: /^rules\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(yaml|wasm)$/,
    sentence: 'rules are rules/<name>.yaml, with Rego modules as rules/<name>.wasm',
  },
]

/** Undefined for what means nothing here: pages, configurations, approvals, and the files under trust/, which trust-files.ts reads. */
export function kindOf(path: string): FileKind | { readonly misnamed: string } | undefined {
  const folder = folders.find(({ name }) => path.startsWith(name))
  // Git keeps no empty folder, and a page is what keeps it.
  if (!folder || path === `${folder.name}README.md`) return undefined
  return folder.form.test(path)
    ? folder.kind
    : { misnamed: `${visible(path)} is none of the documents of this folder: ${folder.sentence}` }
}
