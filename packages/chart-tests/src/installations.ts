import { readChartFile } from './chart.ts';

/** Everything that is off by default, on. */
export const everySwitch = {
  storage: { endpoint: 'https://s3.example.com' },
  modelApi: {
    baseUrl: 'https://models.example.com/v1',
    fallbackBaseUrl: 'https://others.example.com/v1',
    limits: { 'gpt-5': { requestsPerMinute: 2000 } },
  },
  api: {
    settings: { API_KEYS_IN_REDIS: 'true' },
    ingress: { enabled: true, className: 'nginx', host: 'bunri.example.com', tlsSecret: 'bunri-cert' },
    gateway: {
      enabled: true,
      parentRefs: [{ name: 'public', namespace: 'gateways' }],
      hostnames: ['bunri.example.com'],
    },
  },
  autoscaling: { enabled: true, prometheus: 'http://prometheus.monitoring:9090' },
  redis: { enabled: true },
  trust: { caSecret: 'bunri-ca' },
  test: { keySecret: 'bunri-test-key' },
  secrets: { clientKeys: '', webhooks: 'bunri-webhooks' },
  models: { visionAllowed: ['gpt-4o', 'local'] },
  workers: { 'vision-local': { replicas: 2 } },
  tracing: { enabled: true, endpoint: 'http://collector.monitoring:4318' },
  monitoring: { podMonitor: { enabled: true }, prometheusRule: { enabled: true }, dashboards: { enabled: true } },
  networkPolicy: { clients: { from: [{ namespaceSelector: { matchLabels: { name: 'ingress' } } }] } },
};

/** Installations that the chart is made for, each as layers of values over the least ones. */
export const installations: Record<string, readonly object[]> = {
  default: [],
  'every switch': [everySwitch],
  'one node': [readChartFile('values-one-node.yaml')],
  large: [readChartFile('values-large.yaml'), { autoscaling: { prometheus: 'http://prometheus.monitoring:9090' } }],
};
