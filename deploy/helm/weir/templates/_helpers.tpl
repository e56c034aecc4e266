{{- define "weir.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "weir.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "weir.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "weir.peerSecret" -}}
{{ .Values.peerSecret.existingSecret | default (printf "%s-peer" (include "weir.name" .)) }}
{{- end }}

{{/* Whether a plugin has a listener of its own, from which gateways read; "" if not. */}}
{{- define "weir.hasReads" -}}
{{- if has . (list "store" "notifier") }}yes{{ end }}
{{- end }}

{{- define "weir.section" -}}
{{- range $key, $value := . }}
{{ $key }} = {{ $value }}
{{- end }}
{{- end }}

{{/* weir.conf: one file for all pods. */}}
{{- define "weir.conf" -}}
[kafka]
bootstrap.servers = {{ required "kafka.bootstrapServers: which brokers?" .Values.kafka.bootstrapServers }}
{{- if .Values.kafka.tls }}
security.protocol = ssl
ssl.ca.location = /etc/weir-tls/ca.crt
ssl.certificate.location = /etc/weir-tls/tls.crt
ssl.key.location = /etc/weir-tls/tls.key
{{- end }}
{{- include "weir.section" .Values.kafka.settings }}

[gateway]
listen = 0.0.0.0:8080
management.listen = 0.0.0.0:8081
drain.timeout = {{ .Values.gateway.drainSeconds }}s
auth = {{ .Values.gateway.auth }}
{{- if eq .Values.gateway.auth "keys" }}
keys.file = /etc/weir-keys/keys
{{- end }}
store.peer.secret = @file:/etc/weir-peer/peer-secret
{{- if .Values.reads.tls }}
store.tls.ca = /etc/weir-reads-tls/ca.crt
store.tls.certificate = /etc/weir-reads-tls/tls.crt
store.tls.key = /etc/weir-reads-tls/tls.key
{{- end }}
{{- include "weir.section" .Values.gateway.settings }}
{{- range $name, $collection := .Values.collections }}

[collection {{ $name }}]
{{- include "weir.section" $collection }}
{{- end }}
{{- range $name, $service := .Values.services }}

[service {{ $name }}]
plugin = {{ required (printf "services.%s.plugin: which one?" $name) $service.plugin }}
topics = {{ required (printf "services.%s.topics: which ones?" $name) $service.topics }}
management.listen = 0.0.0.0:8081
drain.timeout = {{ $service.drainSeconds | default 20 }}s
state.dir = /var/lib/weir/{{ $name }}
{{- if eq $service.plugin "store" }}
store.path = /var/lib/weir/{{ $name }}/db
{{- end }}
{{- if include "weir.hasReads" $service.plugin }}
{{ $service.plugin }}.listen = 0.0.0.0:8090
{{ $service.plugin }}.peer.secret = @file:/etc/weir-peer/peer-secret
{{- if $.Values.reads.tls }}
tls.certificate = /etc/weir-reads-tls/tls.crt
tls.key = /etc/weir-reads-tls/tls.key
tls.client.ca = /etc/weir-reads-tls/ca.crt
{{- end }}
{{- end }}
{{- include "weir.section" $service.settings }}
{{- end }}
{{- with .Values.extraConfig }}

{{ . }}
{{- end }}
{{- end }}

{{/* What every pod has: who it runs as, where it may run. root, component */}}
{{- define "weir.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.topologyKey }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "weir.selector" . | nindent 8 }}
{{- end }}

{{- define "weir.container" -}}
image: {{ include "weir.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Files that programs read. root, tlsSecret; reads: it has a side of the listeners of stores and notifiers, readsTlsSecret */}}
{{- define "weir.mounts" -}}
- {name: config, mountPath: /etc/weir, readOnly: true}
- {name: peer, mountPath: /etc/weir-peer, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if .root.Values.kafka.tls }}
- {name: tls, mountPath: /etc/weir-tls, readOnly: true}
{{- end }}
{{- if and .reads .root.Values.reads.tls }}
- {name: reads-tls, mountPath: /etc/weir-reads-tls, readOnly: true}
{{- end }}
{{- end }}

{{- define "weir.volumes" -}}
- name: config
  configMap:
    name: {{ include "weir.name" .root }}
    items:
      - {key: weir.conf, path: weir.conf}
      {{- range $file, $text := .root.Values.schemas }}
      - {key: {{ $file }}, path: schemas/{{ $file }}}
      {{- end }}
- name: peer
  secret: {secretName: {{ include "weir.peerSecret" .root }}, defaultMode: 0440}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if .root.Values.kafka.tls }}
- name: tls
  secret: {secretName: {{ required (printf "%s.tlsSecret: kafka.tls asks for one" .component) .tlsSecret }}, defaultMode: 0440}
{{- end }}
{{- if and .reads .root.Values.reads.tls }}
- name: reads-tls
  secret: {secretName: {{ required (printf "%s.readsTlsSecret: reads.tls asks for one" .component) .readsTlsSecret }}, defaultMode: 0440}
{{- end }}
{{- end }}

{{- define "weir.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: management}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: management}
  periodSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: management}
  periodSeconds: 2
  failureThreshold: 2
{{- end }}
