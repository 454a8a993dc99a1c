{{/* Name of a component's objects: <release>-<component>. */}}
{{- define "modelyard.name" -}}
{{- printf "%s-%s" .context.Release.Name .component | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{/* Labels that never change, by which Services and NetworkPolicies find pods. */}}
{{- define "modelyard.selector" -}}
app.kubernetes.io/name: {{ .component }}
app.kubernetes.io/instance: {{ .context.Release.Name }}
{{- end }}

{{/* All labels of a component's objects. */}}
{{- define "modelyard.labels" -}}
{{ include "modelyard.selector" . }}
app.kubernetes.io/part-of: modelyard
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version }}
{{- end }}

{{/* Full name of an image: registry, repository, and the tag or the chart's version. */}}
{{- define "modelyard.image" -}}
{{- $registry := .context.Values.global.registry -}}
{{- $tag := .image.tag | default .context.Chart.AppVersion -}}
{{- if $registry }}{{ trimSuffix "/" $registry }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ $tag }}{{ end }}
{{- end }}

{{/* What Pod Security "restricted" asks of a pod, and the group that may read its secrets and volumes. */}}
{{- define "modelyard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* What Pod Security "restricted" asks of a container, and a root that cannot be written. */}}
{{- define "modelyard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Annotations by which Prometheus finds a pod's metrics. */}}
{{- define "modelyard.scrape" -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: {{ .path | default "/metrics" }}
{{- end }}

{{/* Placement of a component's pods. */}}
{{- define "modelyard.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* Secrets for pulling images. */}}
{{- define "modelyard.pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* A value of a Secret that is there already, else a new random one: made once, the same at every upgrade. */}}
{{- define "modelyard.keep" -}}
{{- $data := dig "data" dict (.secret | default dict) -}}
{{- if hasKey $data .key -}}
{{- index $data .key -}}
{{- else -}}
{{- .value | default (randAlphaNum 40) | b64enc -}}
{{- end -}}
{{- end }}

{{/* Ports of egress to DNS. */}}
{{- define "modelyard.dnsEgress" -}}
- ports:
  - {protocol: UDP, port: 53}
  - {protocol: TCP, port: 53}
{{- end }}
