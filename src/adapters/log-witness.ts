/** One witness of the transparency log, over HTTP: C2SP tlog-witness, `add-checkpoint`. What it answers is judged elsewhere. */
import { TREE_SIZE_TYPE } from '../log/add-checkpoint.ts'
import { parseVerifierKey } from '../log/note-key.ts'
import type { Witness } from '../service/log-witnesses.ts'

const TIMEOUT_MS = 5000
/** A service that starts waits for this. */
const RECALL_TIMEOUT_MS = 3000
/** Bytes: some signature lines, post-quantum ones included. */
const LARGEST_ANSWER = 32 * 1024

/** `url`: its submission prefix. `key`: its verifier key, of the kind for cosignatures. Throws LogFault. */
export function httpWitness({ url, key }: { readonly url: string; readonly key: string }): Witness {
  const prefix = url.replace(/\/$/, '')
  const address = `${prefix}/add-checkpoint`
  return {
    key: parseVerifierKey(key),
    async submit(body) {
      const response = await fetch(address, {
        method: 'POST',
        headers: { 'content-type': 'text/plain; charset=utf-8', 'user-agent': 'vouchsafe' },
        body,
        // Only the configuration names addresses.
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      const { status, headers } = response
      const contentType = headers.get('content-type') ?? ''
      // Nothing else that it says is looked into.
      const isRead = status === 200 || contentType.startsWith(TREE_SIZE_TYPE)
      if (!isRead) await response.body?.cancel()
      return { status, contentType, body: isRead ? await boundedText(response) : '' }
    },
    async latest() {
      const response = await fetch(`${prefix}/checkpoint`, {
        headers: { 'user-agent': 'vouchsafe' },
        redirect: 'error',
        signal: AbortSignal.timeout(RECALL_TIMEOUT_MS),
      })
      if (response.status === 200) return await boundedText(response)
      await response.body?.cancel()
      return undefined
    },
  }
}

async function boundedText({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop by a throw cancels the rest of the body.
  for await (const chunk of body ?? []) {
    size += chunk.length
    if (size > LARGEST_ANSWER) throw new RangeError(`it answered more than ${LARGEST_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
