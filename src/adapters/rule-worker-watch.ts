/**
 * Is whoever started this process still there? A thread beside the one that runs the rules: one that never ends would
 * otherwise outlive a service that was killed, and nobody would be left to end it.
 */
import { workerData } from 'node:worker_threads'

const EVERY_MS = 1_000

// rule-worker.ts gives the number of the process that started it.
const parent: unknown = workerData
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
}, EVERY_MS)
