{{/*
What a component's `needs` mean, in three facets: settings, secrets and ways out of the pod. One word decides all three,
so that no pod may reach a system without being configured for it, or the other way round.
*/}}

{{/* The component's settings that are not secret, as a YAML map of environment variables. */}}
{{- define "bunri.settings" -}}
{{- $values := .root.Values -}}
PORT: "8080"
LOG_LEVEL: {{ $values.logLevel | quote }}
GRACE_MS: {{ int64 $values.graceMs | quote }}
{{- if $values.tracing.enabled }}
TRACING: otlp
OTEL_EXPORTER_OTLP_ENDPOINT: {{ $values.tracing.endpoint | quote }}
OTEL_TRACES_SAMPLER_ARG: {{ $values.tracing.sampleRatio | quote }}
OTEL_SERVICE_NAME: {{ include "bunri.name" . }}
{{- end }}
{{- with .spec.concurrency }}
CONCURRENCY: {{ int64 . | quote }}
{{- end }}
{{- range .spec.needs }}
{{- if eq . "redis" }}
REDIS_PREFIX: {{ $values.redisPrefix | quote }}
RECORD_RETENTION_HOURS: {{ int64 $values.retention.recordHours | quote }}
CACHE_RETENTION_HOURS: {{ int64 $values.retention.cacheHours | quote }}
DEAD_LETTER_RETENTION_HOURS: {{ int64 $values.retention.deadLetterHours | quote }}
{{- else if eq . "storage" }}
S3_BUCKET: {{ $values.storage.bucket | quote }}
S3_REGION: {{ $values.storage.region | quote }}
{{- with $values.storage.endpoint }}
S3_ENDPOINT: {{ . | quote }}
{{- end }}
{{- else if eq . "imageRetention" }}
IMAGE_RETENTION_DAYS: {{ int64 $values.storage.imageRetentionDays | quote }}
{{- else if eq . "modelApi" }}
{{- with $values.modelApi.baseUrl }}
OPENAI_BASE_URL: {{ . | quote }}
{{- end }}
{{- with $values.modelApi.fallbackBaseUrl }}
FALLBACK_BASE_URL: {{ . | quote }}
{{- end }}
{{- with $values.modelApi.prices }}
MODEL_PRICES: {{ toJson . | quote }}
{{- end }}
{{- with $values.modelApi.limits }}
MODEL_LIMITS: {{ toJson . | quote }}
{{- end }}
{{- else if eq . "modelApiUrl" }}
{{- with $values.modelApi.baseUrl }}
OPENAI_BASE_URL: {{ . | quote }}
{{- end }}
{{- else if eq . "visionModel" }}
VISION_MODEL: {{ $values.models.vision | quote }}
{{- with $values.models.visionReasoningEffort }}
VISION_REASONING_EFFORT: {{ . | quote }}
{{- end }}
{{- else if eq . "visionModels" }}
{{- with $values.models.visionAllowed }}
VISION_MODELS: {{ join "," . | quote }}
{{- end }}
{{- else if eq . "localVision" }}
VISION_QUEUE: vision.local
VISION_MODEL: local
{{- else if eq . "llmModel" }}
LLM_MODEL: {{ $values.models.llm | quote }}
{{- else if eq . "contextBudget" }}
CONTEXT_TOKEN_BUDGET: {{ int64 $values.models.contextTokenBudget | quote }}
{{- else if eq . "spendingCaps" }}
{{- with $values.spendingCaps.usdPerDay }}
SPENDING_CAP_USD_PER_DAY: {{ . | quote }}
{{- end }}
{{- with $values.spendingCaps.usdPerOwner }}
SPENDING_CAP_USD_PER_OWNER: {{ . | quote }}
{{- end }}
{{- else if eq . "clientKeys" }}
# An app that others call listens on every interface of its pod.
HOST: "0.0.0.0"
{{- end }}
{{- end }}
{{- range $name, $value := .spec.settings }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* The component's secret settings, as entries of a container's `env`. */}}
{{- define "bunri.secretEnv" -}}
{{- $secrets := .root.Values.secrets -}}
{{- $variables := dict
    "redis" (list "REDIS_URL")
    "storage" (list "S3_ACCESS_KEY_ID" "S3_SECRET_ACCESS_KEY")
    "modelApi" (.root.Values.modelApi.fallbackBaseUrl | empty | ternary (list "OPENAI_API_KEY") (list "OPENAI_API_KEY" "FALLBACK_API_KEY"))
    "webhooks" ($secrets.webhooks | empty | ternary (list) (list "WEBHOOK_SECRET_KEY"))
    "clientKeys" ($secrets.clientKeys | empty | ternary (list) (list "API_KEYS")) -}}
{{- $asksModelApi := include "bunri.asksModelApi" . -}}
{{- range $need := .spec.needs }}
{{- range ternary (list) (index $variables $need) (and (eq $need "modelApi") (not $asksModelApi)) }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ index $secrets $need }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- if and .root.Values.tracing.enabled $secrets.tracing }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ $secrets.tracing }}
      key: OTEL_EXPORTER_OTLP_HEADERS
{{- end }}
{{- end }}

{{/* The ways out of the component's pods, as `egress` rules. */}}
{{- define "bunri.egress" -}}
{{- $policy := .root.Values.networkPolicy -}}
- to:
    {{- toYaml $policy.dns.to | nindent 4 }}
  ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
{{- $root := .root }}
{{- range .spec.needs }}
{{- if eq . "redis" }}
- to:
    {{- if $root.Values.redis.enabled }}
    - podSelector:
        matchLabels:
          {{- include "bunri.selectorLabels" (dict "root" $root "component" "redis") | nindent 10 }}
    {{- else }}
    {{- toYaml $policy.redis.to | nindent 4 }}
    {{- end }}
  ports:
    - { port: {{ ternary 6379 (int64 $policy.redis.port) $root.Values.redis.enabled }}, protocol: TCP }
    {{- if and $policy.redis.sentinelPort (not $root.Values.redis.enabled) }}
    - { port: {{ int64 $policy.redis.sentinelPort }}, protocol: TCP }
    {{- end }}
    {{- range ternary (list) $policy.redis.clusterPorts $root.Values.redis.enabled }}
    - { port: {{ int64 .port }}, {{ with .endPort }}endPort: {{ int64 . }}, {{ end }}protocol: TCP }
    {{- end }}
{{- else if eq . "storage" }}
{{ include "bunri.egressTo" (dict "to" $policy.storage.to "url" $root.Values.storage.endpoint) }}
{{- else if and (eq . "modelApi") (include "bunri.asksModelApi" $) }}
{{ include "bunri.egressTo" (dict "to" $policy.modelApi.to "url" $root.Values.modelApi.baseUrl) }}
{{- with $root.Values.modelApi.fallbackBaseUrl }}
{{ include "bunri.egressTo" (dict "to" $policy.fallbackApi.to "url" .) }}
{{- end }}
{{- else if and (eq . "webhooks") $root.Values.secrets.webhooks }}
{{ include "bunri.egressTo" (dict) }}
{{- else if and (eq . "imageUrls") $policy.imageUrls.enabled }}
{{ include "bunri.egressTo" (dict) }}
{{- end }}
{{- end }}
{{- if $root.Values.tracing.enabled }}
{{ include "bunri.egressTo" (dict "to" $policy.tracing.to "url" $root.Values.tracing.endpoint) }}
{{- end }}
{{- end }}

{{/* A rule to the peers of `to`, or to public addresses if there are none, at the port of `url`, or 443 if there is none. */}}
{{- define "bunri.egressTo" -}}
{{- $url := urlParse (.url | default "https://") -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary "80" "443" (eq $url.scheme "http")) -}}
- to:
    {{- with .to }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    {{- /* IANA's special-purpose registries: what is not globally reachable, above all the cluster, the nodes and the
           cloud's metadata service. */}}
    - ipBlock:
        cidr: 0.0.0.0/0
        except:
          - 0.0.0.0/8
          - 10.0.0.0/8
          - 100.64.0.0/10
          - 127.0.0.0/8
          - 169.254.0.0/16
          - 172.16.0.0/12
          - 192.0.0.0/24
          - 192.168.0.0/16
          - 198.18.0.0/15
          - 224.0.0.0/4
          - 240.0.0.0/4
    # Global unicast addresses; everything local lies outside.
    - ipBlock:
        cidr: 2000::/3
    {{- end }}
  ports:
    - { port: {{ $port }}, protocol: TCP }
{{- end }}
