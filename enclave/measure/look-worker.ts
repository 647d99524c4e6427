/** Thread that looks: takes LookRequests one after the other, and answers each with what it saw. */
import { parentPort, workerData } from 'node:worker_threads'
import { type LookRequest, looker, type WatchedAgent } from './look.ts'

// Sent by look-thread.ts alone, which has these types.
const look = looker(workerData as WatchedAgent, () => performance.now())
parentPort?.on('message', (request: LookRequest) => parentPort?.postMessage(look(request)))
