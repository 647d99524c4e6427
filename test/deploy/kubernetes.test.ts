/** Is a pod of the Kustomize base as confined as the Pod Security Standard "restricted" asks, and are its settings usable? */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { readConfig } from '#src/config.ts'
import { deployFolder, describeWhere, run } from './tool.ts'

// biome-ignore lint/suspicious/noExplicitAny: documents of Kubernetes, whose members the expectations name
type Resource = any

const documents = (text: string): readonly Resource[] =>
  parseAllDocuments(text).map((document) => document.toJS())
const ofKind = (resources: readonly Resource[], kind: string): Resource =>
  resources.find((each) => each.kind === kind)

function expectConfined(deployment: Resource): void {
  const { spec: pod } = deployment.spec.template
  expect(pod).toMatchObject({
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
  })
  for (const name of ['hostNetwork', 'hostPID', 'hostIPC', 'initContainers'])
    expect(pod).not.toHaveProperty(name)
  expect(pod.containers).toHaveLength(1)
  const [container] = pod.containers
  expect(container.securityContext).toEqual({
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  // Secrets come as files: the environment is inherited by git and gpgv, and shown by whoever describes the pod.
  expect(container).not.toHaveProperty('env')
  expect(container).not.toHaveProperty('envFrom')
  expect(container.resources.limits.memory).toBeDefined()
  const kinds = pod.volumes.flatMap(({ name: _, ...kind }: Resource) => Object.keys(kind))
  expect(new Set(kinds)).toEqual(new Set(['configMap', 'secret', 'emptyDir']))
}

describe('the base', () => {
  const files = ['deployment', 'service-account', 'service', 'disruption-budget', 'network-policy']
  const base = files.flatMap((name) =>
    documents(readFileSync(join(deployFolder, `kubernetes/base/${name}.yaml`), 'utf8')),
  )
  const deployment = ofKind(base, 'Deployment')

  test('confines its pods', () => expectConfined(deployment))

  test('survives the loss of a node, and an upgrade', () => {
    expect(deployment.spec.replicas).toBeGreaterThanOrEqual(2)
    expect(deployment.spec.strategy.rollingUpdate.maxUnavailable).toBe(0)
    expect(ofKind(base, 'PodDisruptionBudget').spec).toMatchObject({ maxUnavailable: 1 })
  })

  test('has an identity that can ask nothing', () =>
    expect(ofKind(base, 'ServiceAccount').automountServiceAccountToken).toBe(false))

  test('gives the drain enough time, and the probe enough looks', () => {
    const { spec: pod } = deployment.spec.template
    const [{ readinessProbe, livenessProbe }] = pod.containers
    const { drainSeconds } = JSON.parse(
      readFileSync(join(deployFolder, 'kubernetes/base/vouchsafe.json'), 'utf8'),
    )
    expect(readinessProbe.httpGet.path).toBe('/readyz')
    expect(readinessProbe.periodSeconds * readinessProbe.failureThreshold).toBeLessThan(
      drainSeconds,
    )
    // What runs may take 20 s (http/server.ts).
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(drainSeconds + 20)
    // A database that is gone must not restart every replica.
    expect(livenessProbe.httpGet.path).toBe('/healthz')
  })

  test('lets nobody but monitoring reach the figures', () => {
    const { spec } = ofKind(base, 'NetworkPolicy')
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress'])
    const metrics = spec.ingress.filter(({ ports }: Resource) =>
      ports.some(({ port }: Resource) => port === 'metrics'),
    )
    expect(metrics).toHaveLength(1)
    expect(metrics[0].from).toHaveLength(1)
  })
})

test.each([
  'kubernetes/base/vouchsafe.json',
  'kubernetes/example/vouchsafe.json',
  'compose/vouchsafe.json',
])('%s is usable, and holds no secret', (path) => {
  const text = readFileSync(join(deployFolder, path), 'utf8')
  const secrets: Readonly<Record<string, string>> = {
    'key-encryption-key': '0123456789abcdef'.repeat(4),
    'database-url': 'postgres://vouchsafe:password@postgres/vouchsafe',
    operators: '',
  }
  const reading = readConfig({
    env: { VOUCHSAFE_CONFIG: path },
    readText: (name) => (name === path ? text : (secrets[name.split('/').at(-1) ?? ''] ?? '')),
  })
  expect(reading).toMatchObject({
    config: { metrics: { port: 9464 } },
    secrets: { databaseUrl: secrets['database-url'] },
  })
})

describeWhere('kubectl', 'kubectl kustomize', () => {
  test.each(['base', 'example'])('renders the %s', (name) => {
    const { status, stdout, text } = run('kubectl', ['kustomize', `kubernetes/${name}`])
    expect([status, text]).toEqual([0, expect.any(String)])
    const rendered = documents(stdout)
    const deployment = ofKind(rendered, 'Deployment')
    expectConfined(deployment)
    const labels = { 'app.kubernetes.io/name': 'vouchsafe' }
    expect(deployment.spec.template.metadata.labels).toEqual(labels)
    for (const kind of ['PodDisruptionBudget', 'NetworkPolicy']) {
      const { spec } = ofKind(rendered, kind)
      expect((spec.selector ?? spec.podSelector).matchLabels).toEqual(labels)
    }
    const [spread] = deployment.spec.template.spec.topologySpreadConstraints
    expect(spread.labelSelector.matchLabels).toEqual(labels)
    expect(deployment.spec.selector.matchLabels).toEqual(labels)
    const config = deployment.spec.template.spec.volumes.find(
      (volume: Resource) => volume.name === 'config',
    )
    // By its content: a changed setting rolls the pods.
    expect(config.configMap.name).toBe(ofKind(rendered, 'ConfigMap').metadata.name)
    expect(config.configMap.name).toMatch(/^vouchsafe-[a-z0-9]+$/)
  })
})
