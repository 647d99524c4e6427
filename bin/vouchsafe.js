#!/usr/bin/env node
/**
 * Starts Vouchsafe under a Node that can: 24 and newer run TypeScript as it is. An older one hands over to the Node that
 * `npm ci` brought as an optional dependency. Plain JavaScript, because that older Node has to read it.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const main = new URL('../src/main.ts', import.meta.url)
const brought = fileURLToPath(
  new URL(`../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url),
)

/** Dockerfile says why. */
const asInTheImage = ['--max-semi-space-size=64', '--heap-growing-percent=200', '--v8-pool-size=1']

if (Number.parseInt(process.versions.node, 10) >= 24) await import(main.href)
else if (process.platform === 'linux' && existsSync(brought)) handOver()
else {
  process.stderr.write(
    `vouchsafe needs Node 24 or newer, and this is ${process.version}. ` +
      'Run `npm ci` here, which brings one for Linux on x64 and arm64, or install Node 24 from https://nodejs.org.\n',
  )
  process.exitCode = 1
}

function handOver() {
  const child = spawn(brought, [...asInTheImage, fileURLToPath(main), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      // A terminal sends its own two to the whole foreground group: the child would get them twice.
      const fromTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')
      if (!fromTerminal) child.kill(signal)
    })
  child.on('error', (error) => {
    process.stderr.write(
      `vouchsafe could not start ${brought} (${error.message}). Run \`npm ci\` again, or install Node 24 from https://nodejs.org.\n`,
    )
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    if (!signal) {
      process.exitCode = code ?? 1
      return
    }
    // Die as the child died, so that a shell or supervisor sees the same end.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}
