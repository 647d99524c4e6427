/** A command run on files in memory: what the tests of src/cli share. The files come out of the committed vectors. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { certificateTable, tableGuids } from '../../enclave/simulator/certificate-table.ts'
import type { Files } from '../../src/cli/files.ts'
import { type VerifyDeps, verifyCommand } from '../../src/cli/verify.ts'
import { type AnchorSet, anchorSet } from '../../src/pki/anchor.ts'
import { decodeCertificate } from '../../src/pki/certificate.ts'
import { decodeVector, type Vector } from '../../src/rats/vector.ts'

export type Tree = Readonly<Record<string, Uint8Array | string>>

/** Paths with slashes; a folder is what some path begins with. Fails as node:fs does. */
export function filesInMemory(tree: Tree): Files {
  const isDirectory = (path: string) =>
    Object.keys(tree).some((each) => each.startsWith(`${path}/`))
  const failure = (code: string, path: string) =>
    Object.assign(new Error(`${code}: no such file or directory, open '${path}'`), { code })
  return {
    async read(path) {
      const file = Object.hasOwn(tree, path) ? tree[path] : undefined
      if (file === undefined) throw failure(isDirectory(path) ? 'EISDIR' : 'ENOENT', path)
      return typeof file === 'string' ? Buffer.from(file) : file
    },
    async list(folder) {
      const names = Object.keys(tree)
        .filter((path) => path.startsWith(`${folder}/`))
        .map((path) => path.slice(folder.length + 1).split('/')[0] ?? '')
      return [...new Set(names)].sort()
    },
    isDirectory: async (path) => isDirectory(path),
  }
}

/** Collects what a command writes. */
export function output() {
  const written = { out: '', err: '' }
  return {
    written,
    out: (text: string) => {
      written.out += text
    },
    err: (text: string) => {
      written.err += text
    },
  }
}

export function vectorText(name: string): string {
  return readFileSync(join(import.meta.dirname, '../../fixtures', `${name}.vector`), 'utf8')
}

export function vector(name: string): Vector {
  return decodeVector(vectorText(name))
}

/** A simulated root under the name of hardware, which only a test may give it: how genuine evidence is judged. */
export function asHardware({ anchors }: Vector): AnchorSet {
  return anchorSet(
    anchors.map(({ der, product }) => ({
      certificate: decodeCertificate(der),
      product,
      assurance: 'hardware',
    })),
  )
}

export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

/** A GHCB certificate table of these, in this order. */
export function tableOf(
  certificates: Readonly<Partial<Record<keyof typeof tableGuids, Uint8Array>>>,
): Uint8Array {
  // Object.entries of a record keyed by names of GUIDs has such names.
  const entries = Object.entries(certificates) as [keyof typeof tableGuids, Uint8Array][]
  return certificateTable(
    entries.map(([name, certificate]) => ({ guid: tableGuids[name], certificate })),
  )
}

/** `verify` on these files, with nothing but a vector's root trusted. */
export async function verifying(
  tree: Tree,
  args: readonly string[],
  deps: Partial<VerifyDeps> & Pick<VerifyDeps, 'anchors'>,
) {
  const { written, out, err } = output()
  const code = await verifyCommand(args, {
    files: filesInMemory(tree),
    out,
    err,
    now: () => new Date('2026-06-01T00:00:00Z'),
    simulatedAllowed: false,
    ...deps,
  })
  return { code, ...written }
}
