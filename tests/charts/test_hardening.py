"""What every rendered object keeps to: least rights, nothing writable, nothing unbounded, no secret in sight."""

import re

from tests.support.rendering import Document, PodTemplate, Rendered

# They talk to the API server; nothing else does.
WITH_TOKEN = {"operator", "prometheus"}
KINDS = {
    "ConfigMap", "Deployment", "Job", "LimitRange", "Namespace", "NetworkPolicy", "PersistentVolumeClaim", "ResourceQuota",
    "Role", "RoleBinding", "Secret", "Service", "ServiceAccount", "StatefulSet",
}  # fmt: skip
FIXED_IMAGE = re.compile(r"^[a-z0-9./-]+(:\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$")
# Verbs and resources by which a right becomes every right.
DANGEROUS_VERBS = {"*", "bind", "escalate", "impersonate"}
DANGEROUS_RESOURCES = {
    "*",
    "secrets",
    "pods/exec",
    "pods/attach",
    "pods/portforward",
    "serviceaccounts/token",
    "nodes",
}
SECRET_WORDS = re.compile(r"password|secret|token|key", re.IGNORECASE)


def test_no_object_reaches_beyond_the_namespaces(rendered: Rendered) -> None:
    assert {document["kind"] for document in rendered.documents} <= KINDS


def test_every_container_runs_unprivileged_on_a_root_that_it_cannot_write(rendered: Rendered) -> None:
    for pod in rendered.pods():
        security = pod.spec["securityContext"]
        assert security["runAsNonRoot"] is True, pod.owner
        assert security["runAsUser"] == 65532, pod.owner
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, pod.owner
        for container in pod.containers():
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True, where(pod, container)
            assert security["allowPrivilegeEscalation"] is False, where(pod, container)
            assert security["capabilities"] == {"drop": ["ALL"]}, where(pod, container)


def where(pod: PodTemplate, container: Document) -> str:
    return f"{pod.owner}: {container['name']}"


def test_every_container_says_what_it_needs_and_what_it_may_take(rendered: Rendered) -> None:
    for pod in rendered.pods():
        for container in pod.containers():
            resources = container["resources"]
            for bound in ("requests", "limits"):
                assert {"cpu", "memory"} <= set(resources[bound]), where(pod, container)


def test_every_container_that_serves_is_probed(rendered: Rendered) -> None:
    for pod in rendered.pods():
        if pod.spec.get("restartPolicy") == "Never":
            continue
        for container in pod.spec["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= set(container), where(pod, container)


def test_every_image_is_fixed(rendered: Rendered) -> None:
    for pod in rendered.pods():
        for container in pod.containers():
            assert FIXED_IMAGE.match(container["image"]), where(pod, container)


def test_every_temporary_volume_is_bounded(rendered: Rendered) -> None:
    for pod in rendered.pods():
        for volume in pod.spec["volumes"]:
            if "emptyDir" in volume:
                assert volume["emptyDir"].get("sizeLimit"), f"{pod.owner}: {volume['name']}"


def test_only_those_who_ask_the_api_server_have_a_token(rendered: Rendered) -> None:
    for pod in rendered.pods():
        assert pod.spec["automountServiceAccountToken"] is (pod.component() in WITH_TOKEN), pod.owner
        assert pod.spec["enableServiceLinks"] is False, pod.owner
    for account in rendered.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False, account["metadata"]


def test_no_right_is_given_by_wildcard_nor_one_that_gives_others(rendered: Rendered) -> None:
    for role in rendered.of("Role"):
        for rule in role["rules"]:
            assert not DANGEROUS_VERBS & set(rule["verbs"]), role["metadata"]
            assert not DANGEROUS_RESOURCES & set(rule["resources"]), role["metadata"]
            assert "*" not in rule["apiGroups"], role["metadata"]


def test_every_binding_is_of_a_role_that_is_there_to_an_account_that_is_there(rendered: Rendered) -> None:
    for binding in rendered.of("RoleBinding"):
        assert rendered.one("Role", binding["roleRef"]["name"], binding["metadata"]["namespace"])
        for subject in binding["subjects"]:
            assert rendered.one("ServiceAccount", subject["name"], subject["namespace"])


def test_secrets_are_files_and_never_variables(rendered: Rendered) -> None:
    for pod in rendered.pods():
        for container in pod.containers():
            for entry in container.get("env", []):
                assert "secretKeyRef" not in entry.get("valueFrom", {}), where(pod, container)
                if SECRET_WORDS.search(entry["name"]):
                    # Files and folders may be named.
                    assert entry["value"].startswith("/"), where(pod, container)
            for source in container.get("envFrom", []):
                assert "secretRef" not in source, where(pod, container)


def test_a_project_gets_only_its_own_secret(rendered: Rendered) -> None:
    platform = "modelyard"
    for secret in rendered.of("Secret"):
        if secret["metadata"]["namespace"] != platform:
            assert secret["metadata"]["name"] == "modelyard-project"
            assert sorted(secret["data"]) == [
                "mlflow-password", "mlflow-username",
                "postgres-password", "postgres-username",
                "s3-access-key", "s3-secret-key",
            ]  # fmt: skip


def test_a_project_s_secret_and_the_provisioning_s_copy_are_the_same(rendered: Rendered) -> None:
    copies = rendered.one("Secret", "modelyard-projects")["data"]
    for secret in rendered.of("Secret"):
        project = secret["metadata"]["namespace"]
        if project != "modelyard":
            assert {
                f"{project}.{key}": value for key, value in secret["data"].items()
            }.items() <= copies.items()


def test_passwords_differ_between_projects_services_and_installations(
    rendered: Rendered, default: Rendered
) -> None:
    def passwords(of: Rendered) -> list[str]:
        data = of.one("Secret", "modelyard-projects")["data"]
        return [
            value for key, value in data.items() if key.endswith(("postgres-password", "mlflow-password"))
        ]

    mine = passwords(rendered)
    assert len(set(mine)) == len(mine)
    if rendered is not default:
        assert not set(mine) & set(passwords(default))


def test_a_project_s_namespace_enforces_restricted_and_is_kept(rendered: Rendered) -> None:
    for namespace in rendered.of("Namespace"):
        metadata = namespace["metadata"]
        assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert metadata["annotations"]["helm.sh/resource-policy"] == "keep"


def test_what_opens_a_volume_is_kept_with_it(rendered: Rendered) -> None:
    for kind in ("Secret", "PersistentVolumeClaim"):
        for document in rendered.of(kind):
            if document["metadata"]["namespace"] == "modelyard":
                assert document["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_there_is_no_hook_that_could_hold_up_an_uninstallation(rendered: Rendered) -> None:
    for document in rendered.documents:
        annotations = document["metadata"].get("annotations", {})
        assert not [name for name in annotations if name.startswith("helm.sh/hook")]
        assert "finalizers" not in document["metadata"]
