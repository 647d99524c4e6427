/** Preloaded by bin.test.ts: the starter looks at nothing but the version. */
Object.defineProperty(process, 'version', { value: 'v20.0.0' })
Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } })
