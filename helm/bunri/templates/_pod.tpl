{{/*
The pod template of an app: the same for every app, so that none loses a probe or a restriction by an exception. Takes
`root`, `component`, `spec`, `nodeSelector` and, optionally, `preStopSeconds`.
*/}}
{{- define "bunri.pod" -}}
{{- $image := .root.Values.image -}}
metadata:
  labels:
    {{- include "bunri.selectorLabels" . | nindent 4 }}
    {{- with .spec.pool }}
    bunri/pool: {{ . }}
    {{- end }}
  annotations:
    checksum/settings: {{ include "bunri.settings" . | sha256sum }}
spec:
  serviceAccountName: {{ .root.Release.Name }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  terminationGracePeriodSeconds: {{ include "bunri.terminationGracePeriodSeconds" . }}
  nodeSelector:
    {{- toYaml .nodeSelector | nindent 4 }}
  # Counted among the nodes that the selector allows, so within the pool.
  topologySpreadConstraints:
    - topologyKey: kubernetes.io/hostname
      maxSkew: 1
      # A pod on a crowded node is better than none when a node is lost.
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "bunri.selectorLabels" . | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: {{ include "bunri.app" . }}
      image: {{ printf "%s/%s:%s" $image.registry (.spec.app | default (include "bunri.app" .)) ($image.tag | default .root.Chart.AppVersion) | quote }}
      imagePullPolicy: {{ $image.pullPolicy }}
      ports:
        - name: http
          containerPort: 8080
      envFrom:
        - configMapRef:
            name: {{ include "bunri.name" . }}
      env:
        - name: NODE_OPTIONS
          value: --max-old-space-size={{ include "bunri.heapMb" . }} --max-semi-space-size=2
        {{- with .root.Values.trust.caSecret }}
        - name: NODE_EXTRA_CA_CERTS
          value: /etc/bunri/trust/ca.crt
        {{- end }}
        {{- include "bunri.secretEnv" . | trim | nindent 8 }}
      resources:
        {{- toYaml .spec.resources | nindent 8 }}
      startupProbe:
        httpGet: { path: /healthz, port: http }
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 30
      # The event loop alone answers, so a minute of silence is a process that hangs. Killing a busy one repeats its work.
      livenessProbe:
        httpGet: { path: /healthz, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # A check may take 2 s.
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- with .preStopSeconds }}
      # Until every node's routing has forgotten the pod, it goes on answering.
      lifecycle:
        preStop:
          sleep:
            seconds: {{ . }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- with .root.Values.trust.caSecret }}
        - name: trust
          mountPath: /etc/bunri/trust
          readOnly: true
        {{- end }}
  volumes:
    {{- with .root.Values.trust.caSecret }}
    - name: trust
      secret:
        secretName: {{ . }}
        items:
          - { key: ca.crt, path: ca.crt }
    {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
{{- end }}
