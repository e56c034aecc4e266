{{- define "weir.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}
{{- end }}

{{- define "weir.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component | quote }}
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

{{/* The name by which Prometheus knows the pods of a component, weir-store of the release weir: the ServiceMonitor makes it, autoscalers ask by it. */}}
{{- define "weir.job" -}}
weir-{{ printf "%s-%s" .root.Release.Name .component | trimPrefix "weir-" }}
{{- end }}

{{/* Names of Services and labels have 63 characters: to a StatefulSet's name 11 are added, to the gateway's 19. */}}
{{- define "weir.checkNames" -}}
{{- $name := include "weir.name" . }}
{{- range $service, $_ := .Values.services }}
{{- if has $service (list "config" "gateway" "monitoring" "network" "test" "topics") }}
{{- fail (printf "services.%s: the chart has a component of this name itself" $service) }}
{{- end }}
{{- if gt (len (printf "%s-%s" $name $service)) 52 }}
{{- fail (printf "services.%s: with the name of the release, %s, it may have 52 characters" $service $name) }}
{{- end }}
{{- end }}
{{- if gt (len $name) 44 }}{{ fail (printf "%s: may have 44 characters; choose a shorter name for the release" $name) }}{{ end }}
{{- end }}

{{/* Labels by which pods are found can't be set twice. */}}
{{- define "weir.checkLabels" -}}
{{- $own := include "weir.labels" (dict "root" . "component" "any") | fromYaml }}
{{- range $label, $_ := .Values.podLabels }}
{{- if hasKey $own $label }}{{ fail (printf "podLabels: the chart sets %s itself" $label) }}{{ end }}
{{- end }}
{{- end }}

{{/* Whether a plugin has a listener of its own, from which gateways read; "" if not. */}}
{{- define "weir.hasReads" -}}
{{- if has . (list "store" "notifier") }}yes{{ end }}
{{- end }}

{{/* A number as weir.conf has it: what comes from a file is a float, of which Go writes large ones with an exponent. */}}
{{- define "weir.value" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* The chart's own lines of a section, and the settings beside them. lines, settings, place: what the values call them */}}
{{- define "weir.section" -}}
{{ .lines }}
{{- range $key, $value := .settings }}
{{- if regexMatch (printf "(?m)^%s = " (regexQuoteMeta $key)) $.lines }}{{ fail (printf "%s.%s: the chart writes this key itself" $.place $key) }}{{ end }}
{{ $key }} = {{ include "weir.value" $value }}
{{- end }}
{{- end }}

{{- define "weir.conf.kafka" -}}
{{- $auth := .Values.kafka.auth -}}
[kafka]
bootstrap.servers = {{ required "kafka.bootstrapServers: which brokers?" .Values.kafka.bootstrapServers }}
{{- if ne $auth "none" }}
security.protocol = {{ eq $auth "tls" | ternary "ssl" "sasl_ssl" }}
ssl.ca.location = /etc/weir-kafka/ca.crt
{{- if eq $auth "tls" }}
ssl.certificate.location = /etc/weir-kafka/tls.crt
ssl.key.location = /etc/weir-kafka/tls.key
{{- else }}
sasl.mechanism = {{ $auth }}
sasl.password = @file:/etc/weir-kafka/password
{{- end }}
{{- end }}
{{- end }}

{{- define "weir.conf.gateway" -}}
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
{{- end }}

{{/* root, name, service */}}
{{- define "weir.conf.service" -}}
{{- $plugin := required (printf "services.%s.plugin: which one?" .name) .service.plugin -}}
[service {{ .name }}]
plugin = {{ $plugin }}
topics = {{ required (printf "services.%s.topics: which ones?" .name) .service.topics }}
management.listen = 0.0.0.0:8081
drain.timeout = {{ .service.drainSeconds | default 20 }}s
state.dir = /var/lib/weir/{{ .name }}
{{- if eq $plugin "store" }}
store.path = /var/lib/weir/{{ .name }}/db
{{- end }}
{{- if include "weir.hasReads" $plugin }}
{{ $plugin }}.listen = 0.0.0.0:8090
{{ $plugin }}.peer.secret = @file:/etc/weir-peer/peer-secret
{{- if .root.Values.reads.tls }}
tls.certificate = /etc/weir-reads-tls/tls.crt
tls.key = /etc/weir-reads-tls/tls.key
tls.client.ca = /etc/weir-reads-tls/ca.crt
{{- end }}
{{- end }}
{{- end }}

{{/* weir.conf: one file for all pods. */}}
{{- define "weir.conf" -}}
{{ include "weir.section" (dict "lines" (include "weir.conf.kafka" .) "settings" .Values.kafka.settings "place" "kafka.settings") }}

{{ include "weir.section" (dict "lines" (include "weir.conf.gateway" .) "settings" .Values.gateway.settings "place" "gateway.settings") }}
{{- range $name, $collection := .Values.collections }}

{{ include "weir.section" (dict "lines" (printf "[collection %s]" $name) "settings" $collection "place" (printf "collections.%s" $name)) }}
{{- end }}
{{- range $name, $service := .Values.services }}

{{ include "weir.section" (dict "lines" (include "weir.conf.service" (dict "root" $ "name" $name "service" $service)) "settings" $service.settings
  "place" (printf "services.%s.settings" $name)) }}
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
  - name: {{ . | quote }}
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
    topologyKey: {{ .root.Values.topologyKey | quote }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "weir.selector" . | nindent 8 }}
{{- end }}

{{/* root; image: another one than the chart's, or nothing */}}
{{- define "weir.container" -}}
image: {{ .image | default (include "weir.image" .root) | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Who a program is to Kafka, where its Secret says so and weir.conf is one for all. root, place, kafkaSecret */}}
{{- define "weir.env" -}}
{{- if not (has .root.Values.kafka.auth (list "none" "tls")) }}
- name: WEIR_KAFKA_SASL_USERNAME
  valueFrom: {secretKeyRef: {name: {{ include "weir.kafkaSecret" . }}, key: username}}
{{- end }}
{{- end }}

{{- define "weir.kafkaSecret" -}}
{{ required (printf "%s.kafkaSecret: kafka.auth asks for one" .place) .kafkaSecret | quote }}
{{- end }}

{{/* Files that programs read. root, kafkaSecret, place: what the values call it; reads: it has a side of the listeners of stores and notifiers, readsTlsSecret */}}
{{- define "weir.mounts" -}}
- {name: config, mountPath: /etc/weir, readOnly: true}
- {name: peer, mountPath: /etc/weir-peer, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if ne .root.Values.kafka.auth "none" }}
- {name: kafka, mountPath: /etc/weir-kafka, readOnly: true}
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
  secret: {secretName: {{ include "weir.peerSecret" .root | quote }}, defaultMode: 0440}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if ne .root.Values.kafka.auth "none" }}
- name: kafka
  secret: {secretName: {{ include "weir.kafkaSecret" . }}, defaultMode: 0440}
{{- end }}
{{- if and .reads .root.Values.reads.tls }}
- name: reads-tls
  secret: {secretName: {{ required (printf "%s.readsTlsSecret: reads.tls asks for one" .place) .readsTlsSecret | quote }}, defaultMode: 0440}
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
