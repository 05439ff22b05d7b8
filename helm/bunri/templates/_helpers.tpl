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

{{/* Every component with its block of values, as YAML. */}}
{{- define "bunri.components" -}}
{{- merge (dict "scheduler" .Values.scheduler "api" .Values.api) .Values.workers | toYaml }}
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
{{- if not $values.image.registry }}{{ $missing = append $missing "image.registry: where the images are" }}{{ end -}}
{{- range $name, $keys := dict
    "redis" (ternary "REDIS_URL and REDIS_PASSWORD" "REDIS_URL" $values.redis.enabled)
    "storage" "S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY"
    "modelApi" "OPENAI_API_KEY"
    "clientKeys" "API_KEYS" }}
{{- if not (index $values.secrets $name) }}
{{- $missing = append $missing (printf "secrets.%s: the name of a Secret with %s" $name $keys) }}
{{- end }}
{{- end }}
{{- if not $values.storage.bucket }}{{ $missing = append $missing "storage.bucket: the bucket of uploads and images" }}{{ end -}}
{{- if and $values.networkPolicy.enabled (not $values.redis.enabled) (not $values.networkPolicy.redis.to) }}
{{- $missing = append $missing "networkPolicy.redis.to: where Redis is (or redis.enabled=true)" }}
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
