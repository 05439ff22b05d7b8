{{/*
Most helpers take a dict: `root` (the chart's context), `component` (a stage, "scheduler" or "api") and `spec`, its block
of values.
*/}}

{{/* The name of the app that runs a component; the image has the same name. */}}
{{- define "bunri.app" -}}
{{- if hasKey .root.Values.workers .component }}{{ .component }}-worker{{ else }}{{ .component }}{{ end }}
{{- end }}

{{/* The name of a component's objects. */}}
{{- define "bunri.name" -}}
{{ .root.Release.Name }}-{{ include "bunri.app" . }}
{{- end }}

{{/* The queue of a stage: a name in Kubernetes has a hyphen where the stage's has a dot. */}}
{{- define "bunri.queue" -}}
{{ .component | replace "-" "." }}
{{- end }}

{{/* Every component with its block of values, as YAML; of a worker without replicas nothing is rendered. */}}
{{- define "bunri.components" -}}
{{- $components := dict "scheduler" .Values.scheduler "api" .Values.api -}}
{{- range $stage, $worker := .Values.workers }}
{{- if $worker.replicas }}{{ $_ := set $components $stage $worker }}{{ end }}
{{- end }}
{{- $components | toYaml }}
{{- end }}

{{/*
"true" where a worker asks a model API: its first choice is none that ships with bunri, requests may name one, or a
fallback is one. Only then does it get a key, and a way out to the API.
*/}}
{{- define "bunri.asksModelApi" -}}
{{- $models := .root.Values.models -}}
{{- $isBuiltIn := ternary (eq $models.llm "rules") (and (eq $models.vision "local") (not $models.visionAllowed)) (has "llmModel" .spec.needs) -}}
{{- $fallbacks := printf "%s,%s" (get .spec.settings "VISION_FALLBACKS") (get .spec.settings "LLM_FALLBACKS") -}}
{{- if and (has "modelApi" .spec.needs) (or (not $isBuiltIn) (regexMatch "(primary|fallback):" $fallbacks)) }}true{{ end -}}
{{- end }}

{{- define "bunri.selectorLabels" -}}
app.kubernetes.io/name: bunri
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "bunri.labels" -}}
{{ include "bunri.selectorLabels" . }}
app.kubernetes.io/part-of: bunri
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Fails with everything that is required and missing. */}}
{{- define "bunri.checkRequired" -}}
{{- $values := .Values -}}
{{- $missing := list -}}
{{- if not (regexMatch "^[a-z][a-z0-9-]*$" .Release.Name) }}{{ fail (printf "the release's name %q: it begins with a letter and has letters, digits and hyphens only, as it begins the names of services" .Release.Name) }}{{ end -}}
{{- if gt (len .Release.Name) 36 }}{{ fail (printf "the release's name %q: 36 characters at most, as names that begin with it become labels of 63" .Release.Name) }}{{ end -}}
{{- if not $values.image.registry }}{{ $missing = append $missing "image.registry: where the images are" }}{{ end -}}
{{- $asked := list -}}
{{- range $values.workers }}{{ $asked = append $asked (include "bunri.asksModelApi" (dict "root" $ "spec" .)) }}{{ end -}}
{{- range $name, $keys := dict
    "redis" (ternary "REDIS_URL and REDIS_PASSWORD" "REDIS_URL" $values.redis.enabled)
    "storage" "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY"
    "modelApi" "OPENAI_API_KEY"
    "clientKeys" "API_KEYS" }}
{{- $needed := true -}}
{{- if eq $name "modelApi" }}{{ $needed = has "true" $asked }}{{ end -}}
{{- if eq $name "clientKeys" }}{{ $needed = ne (get $values.api.settings "API_KEYS_IN_REDIS") "true" }}{{ end -}}
{{- if and $needed (not (index $values.secrets $name)) }}
{{- $missing = append $missing (printf "secrets.%s: the name of a Secret with %s" $name $keys) }}
{{- end }}
{{- end }}
{{- if not $values.storage.bucket }}{{ $missing = append $missing "storage.bucket: the bucket of uploads and images" }}{{ end -}}
{{- if and $values.networkPolicy.enabled (not $values.redis.enabled) (not $values.networkPolicy.redis.to) }}
{{- $missing = append $missing "networkPolicy.redis.to: where Redis is (or redis.enabled=true)" }}
{{- end }}
{{- if and $values.api.ingress.enabled (not $values.api.ingress.host) }}
{{- $missing = append $missing "api.ingress.host: the name that clients call" }}
{{- end }}
{{- if and $values.api.gateway.enabled (not $values.api.gateway.parentRefs) }}
{{- $missing = append $missing "api.gateway.parentRefs: the Gateway that the route belongs to" }}
{{- end }}
{{- if and $values.autoscaling.enabled (not $values.autoscaling.prometheus) }}
{{- $missing = append $missing "autoscaling.prometheus: the URL of Prometheus" }}
{{- end }}
{{- if and $values.tracing.enabled (not $values.tracing.endpoint) }}
{{- $missing = append $missing "tracing.endpoint: the URL of an OTLP/HTTP collector" }}
{{- end }}
{{- if $missing }}{{ fail (printf "these values are required:\n  %s" (join "\n  " $missing)) }}{{ end -}}
{{- end }}

{{/*
Seconds until a stopping pod is killed: the time to finish work, the 5 s that a process has to release what it holds, the
sleep before the stop signal, and a margin.
*/}}
{{- define "bunri.terminationGracePeriodSeconds" -}}
{{- $work := divf (int64 .root.Values.graceMs) 1000 | ceil -}}
{{ add (int64 $work) 5 15 (.preStopSeconds | default 0) }}
{{- end }}

{{/*
V8's heap in MiB for a memory limit in Mi: five eighths, since pixels, sockets and code live outside the heap. Without
it V8 takes a heap larger than the pod for granted.
*/}}
{{- define "bunri.heapMb" -}}
{{ div (mul (int64 (trimSuffix "Mi" .spec.resources.limits.memory)) 5) 8 }}
{{- end }}

{{/* The nodes of a worker's pool. */}}
{{- define "bunri.poolSelector" -}}
{{- $pool := ternary (dict .root.Values.poolLabel .spec.pool) dict (ne .root.Values.poolLabel "") -}}
{{- merge $pool .root.Values.workerNodeSelector | toYaml }}
{{- end }}

{{/*
The most pods of a stage: what the values say, and no more than the provider's limit can keep busy, since pods beyond that
only ask in vain. Never fewer than there are without scaling. Takes `root`, `stage`, `scale` and `worker`.
*/}}
{{- define "bunri.mostReplicas" -}}
{{- $most := int64 .scale.maxReplicas -}}
{{- $model := get .root.Values.models .stage | default "" -}}
{{- $limit := get .root.Values.modelApi.limits $model | default dict -}}
{{- if and .scale.callSeconds $limit.requestsPerMinute -}}
{{- $busy := divf (mulf $limit.requestsPerMinute .scale.callSeconds) 60 .worker.concurrency | ceil | int64 -}}
{{- $most = min $most $busy -}}
{{- end -}}
{{ max $most (int64 .worker.replicas) }}
{{- end }}
