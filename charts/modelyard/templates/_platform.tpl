{{/* Where the services are, whether this release runs them or somebody else does. */}}

{{- define "modelyard.postgres.host" -}}
{{- if .Values.postgres.enabled -}}
{{ include "modelyard.name" (dict "context" . "component" "postgres") }}.{{ .Release.Namespace }}.svc
{{- else -}}
{{ required "postgres.external.host is needed when postgres.enabled is false" .Values.postgres.external.host }}
{{- end -}}
{{- end }}

{{- define "modelyard.postgres.port" -}}
{{- if .Values.postgres.enabled }}5432{{ else }}{{ int .Values.postgres.external.port }}{{ end -}}
{{- end }}

{{- define "modelyard.postgres.sslmode" -}}
{{- if .Values.postgres.enabled }}disable{{ else }}{{ .Values.postgres.external.sslmode }}{{ end -}}
{{- end }}

{{- define "modelyard.postgres.secret" -}}
{{- if .Values.postgres.enabled -}}
{{ include "modelyard.name" (dict "context" . "component" "postgres") }}
{{- else -}}
{{ required "postgres.external.adminSecret is needed when postgres.enabled is false" .Values.postgres.external.adminSecret }}
{{- end -}}
{{- end }}

{{- define "modelyard.store.url" -}}
{{- if .Values.minio.enabled -}}
http://{{ include "modelyard.name" (dict "context" . "component" "minio") }}.{{ .Release.Namespace }}.svc:9000
{{- else -}}
{{ .Values.minio.external.endpointUrl }}
{{- end -}}
{{- end }}

{{- define "modelyard.store.region" -}}
{{- if .Values.minio.enabled }}us-east-1{{ else }}{{ .Values.minio.external.region }}{{ end -}}
{{- end }}

{{- define "modelyard.store.secret" -}}
{{- if .Values.minio.enabled -}}
{{ include "modelyard.name" (dict "context" . "component" "minio") }}
{{- else -}}
{{ required "minio.external.credentialsSecret is needed when minio.enabled is false" .Values.minio.external.credentialsSecret }}
{{- end -}}
{{- end }}

{{/* "true" where each project gets a credential of its own. */}}
{{- define "modelyard.store.makesUsers" -}}
{{- if .Values.minio.enabled }}true{{ else }}{{ .Values.minio.external.makesUsers }}{{ end -}}
{{- end }}

{{- define "modelyard.mlflow.url" -}}
{{- if .Values.mlflow.enabled -}}
http://{{ include "modelyard.name" (dict "context" . "component" "mlflow") }}.{{ .Release.Namespace }}.svc:5000
{{- else -}}
{{ required "mlflow.external.url is needed when mlflow.enabled is false" .Values.mlflow.external.url }}
{{- end -}}
{{- end }}

{{- define "modelyard.mlflow.secret" -}}
{{- if .Values.mlflow.enabled -}}
{{ include "modelyard.name" (dict "context" . "component" "mlflow") }}
{{- else -}}
{{ required "mlflow.external.adminSecret is needed when mlflow.enabled is false" .Values.mlflow.external.adminSecret }}
{{- end -}}
{{- end }}

{{- define "modelyard.prometheus.url" -}}
{{- if .Values.prometheus.enabled -}}
http://{{ include "modelyard.name" (dict "context" . "component" "prometheus") }}.{{ .Release.Namespace }}.svc:9090
{{- else -}}
{{ .Values.prometheus.external.url }}
{{- end -}}
{{- end }}

{{/*
The one random value from which every project's passwords follow. It is made once and kept, so that the Secret of the
project and the copy that the provisioning reads agree, and a project's namespace that was deleted comes back as it was.
*/}}
{{- define "modelyard.seed" -}}
{{- if not (hasKey .Values "seed_") -}}
{{- $name := include "modelyard.name" (dict "context" . "component" "projects") -}}
{{- $_ := set .Values "seed_" (include "modelyard.keep" (dict "secret" (lookup "v1" "Secret" .Release.Namespace $name) "key" "seed") | b64dec) -}}
{{- end -}}
{{- .Values.seed_ -}}
{{- end }}

{{/* A password of a holder for a service. */}}
{{- define "modelyard.password" -}}
{{- printf "%s/%s/%s" (include "modelyard.seed" .context) .holder .service | sha256sum | trunc 40 -}}
{{- end }}

{{/* Shared credential of an S3 store that makes none for each project: access key and secret key as JSON. */}}
{{- define "modelyard.store.shared" -}}
{{- $name := include "modelyard.store.secret" . -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace $name -}}
{{- if $secret -}}
{{- dict "access" (index $secret.data "access-key" | b64dec) "secret" (index $secret.data "secret-key" | b64dec) | toJson -}}
{{- else if lookup "v1" "Namespace" "" .Release.Namespace -}}
{{- fail (printf "minio.external.credentialsSecret: there is no Secret %s in the namespace %s" $name .Release.Namespace) -}}
{{- else -}}
{{- dict "access" "read-when-installed" "secret" "read-when-installed" | toJson -}}
{{- end -}}
{{- end }}

{{/* The S3 credential of a holder as JSON. */}}
{{- define "modelyard.store.credential" -}}
{{- if eq (include "modelyard.store.makesUsers" .context) "true" -}}
{{- dict "access" (printf "modelyard-%s" .holder) "secret" (include "modelyard.password" (dict "context" .context "holder" .holder "service" "s3")) | toJson -}}
{{- else -}}
{{- include "modelyard.store.shared" .context -}}
{{- end -}}
{{- end }}

{{/* The six files of a project, as JSON. */}}
{{- define "modelyard.project.files" -}}
{{- $store := include "modelyard.store.credential" (dict "context" .context "holder" .project) | fromJson -}}
{{- dict
  "postgres-username" .project
  "postgres-password" (include "modelyard.password" (dict "context" .context "holder" .project "service" "postgres"))
  "s3-access-key" $store.access
  "s3-secret-key" $store.secret
  "mlflow-username" .project
  "mlflow-password" (include "modelyard.password" (dict "context" .context "holder" .project "service" "mlflow"))
| toJson -}}
{{- end }}

{{/* Port of a URL. */}}
{{- define "modelyard.port" -}}
{{- $parts := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $parts.host -}}
{{- if $port }}{{ trimPrefix ":" $port }}{{ else if eq $parts.scheme "http" }}80{{ else }}443{{ end -}}
{{- end }}

{{/* Rules of egress to services elsewhere: those that are given, else their ports at any address. */}}
{{- define "modelyard.externalEgress" -}}
{{- $ports := list -}}
{{- if not .Values.postgres.enabled }}{{ $ports = append $ports (int .Values.postgres.external.port) }}{{ end -}}
{{- if not .Values.minio.enabled }}{{ $ports = append $ports (include "modelyard.port" .Values.minio.external.endpointUrl | int) }}{{ end -}}
{{- if not .Values.mlflow.enabled }}{{ $ports = append $ports (include "modelyard.port" .Values.mlflow.external.url | int) }}{{ end -}}
{{- if and (not .Values.prometheus.enabled) .Values.prometheus.external.url }}{{ $ports = append $ports (include "modelyard.port" .Values.prometheus.external.url | int) }}{{ end -}}
{{- if .Values.networkPolicy.externalEgress -}}
{{ toYaml .Values.networkPolicy.externalEgress }}
{{- else if $ports -}}
- ports:
  {{- range $ports | uniq }}
  - {protocol: TCP, port: {{ . }}}
  {{- end }}
{{- end -}}
{{- end }}

{{/* Refuses what the schema cannot see. */}}
{{- define "modelyard.check" -}}
{{- $names := list -}}
{{- range .Values.projects -}}
{{- if eq .name $.Release.Namespace -}}
{{- fail (printf "projects: %s is the release's own namespace; a project needs another one" .name) -}}
{{- end -}}
{{- if has .name $names -}}
{{- fail (printf "projects: %s is listed twice" .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end }}

{{/* A project with the defaults that it does not override, as JSON. */}}
{{- define "modelyard.project" -}}
{{- mergeOverwrite (deepCopy .context.Values.projectDefaults) .project | toJson -}}
{{- end }}
