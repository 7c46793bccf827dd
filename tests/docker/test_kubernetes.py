"""The Kubernetes manifests, rendered by kubectl, against the schemas of the API and against our own settings."""

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import kubernetes_validate
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from llmops.settings import Settings
from serving.admission import Places
from serving.app import create_app
from serving.metrics import Metrics
from serving.settings import ServingSettings

_ROOT = Path(__file__).parents[2]
_FOLDER = _ROOT / "docker/kubernetes"
_HTTP_ROUTE = json.loads((Path(__file__).parent / "schemas/httproute.json").read_text())
_KUBECTL = Path(sys.executable).parent / "kubectl"
_SHAPES = ["cpu", "gpu", "separate", "weighted"]
_KUBERNETES = "1.34"
_ENGINE_ENDS_SECONDS = 5
_ALLOWED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim"}  # of the pod security standard "restricted"

Resource = dict[str, Any]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Resource]]:
    """Every shape's resources, with a key in place as docs/deployment.md says."""
    folder = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(_FOLDER, folder)
    (folder / "base/trusted.pem").write_text("a public key")
    return {shape: _render(folder / shape) for shape in _SHAPES}


def _render(folder: Path) -> list[Resource]:
    result = subprocess.run([_KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return list(yaml.safe_load_all(result.stdout))


@pytest.fixture(params=_SHAPES)
def shape(request: pytest.FixtureRequest, rendered: dict[str, list[Resource]]) -> list[Resource]:
    return rendered[request.param]


def _of_kind(resources: list[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] == kind]


def _pods(resources: list[Resource]) -> list[Resource]:
    return [deployment["spec"]["template"]["spec"] for deployment in _of_kind(resources, "Deployment")]


def _containers(resources: list[Resource]) -> list[Resource]:
    return [item for pod in _pods(resources) for item in [*pod["containers"], *pod.get("initContainers", [])]]


def _environment(container: Resource) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container.get("env", [])}


def _selected(selector: dict[str, str], resources: list[Resource]) -> list[Resource]:
    pods = [deployment["spec"]["template"] for deployment in _of_kind(resources, "Deployment")]
    return [pod for pod in pods if selector.items() <= pod["metadata"]["labels"].items()]


def test_every_resource_fits_its_schema(shape: list[Resource]) -> None:
    kinds = set()
    for resource in shape:
        kinds.add(resource["kind"])
        if resource["kind"] == "HTTPRoute":
            jsonschema.Draft202012Validator(_HTTP_ROUTE).validate(resource)
        elif resource["kind"] != "ServiceMonitor":  # its schema is to be had nowhere; see the tests below
            kubernetes_validate.validate(resource, _KUBERNETES, strict=True)

    assert {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "PersistentVolumeClaim"} <= kinds


@pytest.mark.parametrize("change", [{"replica": 2}, {"replicas": "2"}, {"selector": {"matchLables": {}}}])
def test_the_schemas_refuse_what_is_wrong(rendered: dict[str, list[Resource]], change: dict[str, Any]) -> None:
    (deployment,) = _of_kind(rendered["cpu"], "Deployment")
    wrong = {**deployment, "spec": {**deployment["spec"], **change}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, _KUBERNETES, strict=True)


def test_the_route_schema_refuses_what_is_wrong(rendered: dict[str, list[Resource]]) -> None:
    (route,) = _of_kind(rendered["weighted"], "HTTPRoute")
    for field, value in [("weigth", 5), ("weight", -1), ("port", "http")]:
        wrong = json.loads(json.dumps(route))
        wrong["spec"]["rules"][0]["backendRefs"][0][field] = value
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(_HTTP_ROUTE).validate(wrong)


def test_without_the_trusted_key_nothing_is_rendered(tmp_path: Path) -> None:
    shutil.copytree(_FOLDER, tmp_path / "kubernetes", ignore=shutil.ignore_patterns("*.pem"))

    result = subprocess.run(
        [_KUBECTL, "kustomize", tmp_path / "kubernetes/cpu"], capture_output=True, text=True, check=False
    )

    assert result.returncode != 0
    assert "trusted.pem" in result.stderr


def test_selectors_find_their_pods(shape: list[Resource]) -> None:
    for deployment in _of_kind(shape, "Deployment"):
        selector = deployment["spec"]["selector"]["matchLabels"]
        assert _selected(selector, shape) == [deployment["spec"]["template"]]
        for spread in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert spread["labelSelector"]["matchLabels"] == selector
    selectors = [service["spec"]["selector"] for service in _of_kind(shape, "Service")]
    selectors += [item["spec"]["selector"]["matchLabels"] for item in _of_kind(shape, "PodDisruptionBudget")]
    selectors += [item["spec"]["podSelector"]["matchLabels"] for item in _of_kind(shape, "NetworkPolicy")]
    assert [len(_selected(selector, shape)) for selector in selectors] == [1] * len(selectors)


def test_monitors_find_a_service_and_its_port(rendered: dict[str, list[Resource]]) -> None:
    (monitor,) = _of_kind(rendered["cpu"], "ServiceMonitor")
    (service,) = _of_kind(rendered["cpu"], "Service")

    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"]


def test_every_name_that_is_referred_to_exists(shape: list[Resource]) -> None:
    names = {(resource["kind"], resource["metadata"]["name"]) for resource in shape}
    for pod in _pods(shape):
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        for volume in pod["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in names
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in names
    for scaler in _of_kind(shape, "HorizontalPodAutoscaler"):
        assert ("Deployment", scaler["spec"]["scaleTargetRef"]["name"]) in names
    for route in _of_kind(shape, "HTTPRoute"):
        for backend in route["spec"]["rules"][0]["backendRefs"]:
            assert ("Service", backend["name"]) in names


def test_ports_and_probes_are_those_of_the_service(shape: list[Resource]) -> None:
    routes = {getattr(route, "path", "") for route in create_app(ServingSettings()).routes}
    for pod in _pods(shape):
        (container,) = pod["containers"]
        (port,) = container["ports"]
        assert str(port["containerPort"]) == _environment(container)["LLMOPS_SERVING_PORT"]
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[name]["httpGet"]["port"] == port["name"]
            assert container[name]["httpGet"]["path"] in routes
    for service in _of_kind(shape, "Service"):
        assert [port["targetPort"] for port in service["spec"]["ports"]] == ["http"]
    for policy in _of_kind(shape, "NetworkPolicy"):
        assert policy["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": "http"}]


def test_every_variable_is_a_setting_with_a_valid_value(shape: list[Resource], monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"LLMOPS_{name.upper()}" for name in Settings.model_fields}
    known |= {f"LLMOPS_SERVING_{name.upper()}" for name in ServingSettings.model_fields}
    for container in _containers(shape):
        given = _environment(container)
        assert set(given) <= known
        with monkeypatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            ServingSettings()


def test_pods_run_without_rights(shape: list[Resource]) -> None:
    for pod in _pods(shape):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(set(volume) - {"name"} <= _ALLOWED_VOLUMES for volume in pod["volumes"])
    for container in _containers(shape):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert re.fullmatch(r"llmops-serving:\d+\.\d+\.\d+-(cpu|gpu)", container["image"])


def test_lake_and_key_are_read_only_and_the_rest_is_scratch(shape: list[Resource]) -> None:
    for container in _containers(shape):
        for mount in container["volumeMounts"]:
            is_scratch = mount["name"] in {"scratch", "sockets", "shared-memory"}
            assert mount.get("readOnly", False) is not is_scratch
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}  # noqa: S108 - the container's


def test_several_processes_count_where_they_can_reach(shape: list[Resource]) -> None:
    """Each would count for itself in memory, and the service refuse to start."""
    policies = _of_kind(shape, "NetworkPolicy")
    for container in _containers(shape):
        given = _environment(container)
        if int(given.get("LLMOPS_SERVING_PROCESSES", "1")) > 1:
            storage = urlsplit(given["LLMOPS_ACCESS_LIMIT_STORAGE"])
            assert storage.scheme == "async+redis"
            (policy,) = policies
            targets = [
                (peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
                for rule in policy["spec"]["egress"]
                for peer in rule["to"]
                if "podSelector" in peer
                for port in rule["ports"]
            ]
            assert targets == [(storage.hostname, storage.port)]


def test_the_gpu_is_fed_by_several_processes(rendered: dict[str, list[Resource]]) -> None:
    (container,) = _containers(rendered["gpu"])

    assert int(_environment(container)["LLMOPS_SERVING_PROCESSES"]) > 1


def test_service_links_do_not_overwrite_the_port(shape: list[Resource]) -> None:
    """A Service `llmops-serving` would become the variable LLMOPS_SERVING_PORT in every pod of the namespace."""
    assert all(pod["enableServiceLinks"] is False for pod in _pods(shape))


def test_a_pod_has_time_to_finish_its_answers(shape: list[Resource]) -> None:
    for pod in _pods(shape):
        (container,) = pod["containers"]
        waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        answer = float(_environment(container)["LLMOPS_SERVING_REQUEST_TIMEOUT_SECONDS"])
        drain = math.ceil(answer) + 1  # as serving/__main__.py gives it to uvicorn
        assert pod["terminationGracePeriodSeconds"] >= waits + drain + _ENGINE_ENDS_SECONDS
    for route in _of_kind(shape, "HTTPRoute"):
        assert int(route["spec"]["rules"][0]["timeouts"]["request"].rstrip("s")) > answer


def test_the_autoscaler_sees_the_queue_before_it_is_full(rendered: dict[str, list[Resource]]) -> None:
    values = yaml.safe_load((_FOLDER / "autoscaling/prometheus-adapter.yaml").read_text())
    (rule,) = values["rules"]["custom"]
    exposed = {family.name for family in text_string_to_metric_families(Metrics(Places(1)).render().decode())}
    for name in ("cpu", "gpu", "separate"):
        (scaler,) = _of_kind(rendered[name], "HorizontalPodAutoscaler")
        (deployment,) = _of_kind(rendered[name], "Deployment")
        (metric,) = scaler["spec"]["metrics"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        limit = int(_environment(container).get("LLMOPS_SERVING_QUEUE_SIZE", ServingSettings().queue_size))

        assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
        assert rule["seriesQuery"].partition("{")[0] in exposed
        assert re.match(rule["name"]["matches"], rule["seriesQuery"].partition("{")[0])
        assert 0 < int(metric["pods"]["target"]["averageValue"]) < limit
        assert "replicas" not in deployment["spec"]


def test_the_three_processes_of_a_pod_meet_at_their_sockets(rendered: dict[str, list[Resource]]) -> None:
    (pod,) = _pods(rendered["separate"])
    (api,) = pod["containers"]
    sockets = {key: value for key, value in _environment(api).items() if key.endswith("_SOCKET")}
    commands = [container["command"] for container in pod["initContainers"]]

    assert _environment(api)["LLMOPS_SERVING_ENGINE"] == "remote"
    assert [command[3] for command in commands] == list(sockets.values())
    assert [command[4:] for command in commands] == [[], ["--tokenizer-only"]]
    for container in pod["initContainers"]:
        assert container["restartPolicy"] == "Always"
        assert find_spec(container["command"][2]) is not None
        assert container["command"][3] in container["startupProbe"]["exec"]["command"][-1]
    for container in [api, *pod["initContainers"]]:
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        shared = {"/lake": "lake", "/tmp": "scratch", "/run/llmops": "sockets"}  # noqa: S108 - the container's
        assert shared.items() <= mounts.items()


def _weights(route: Resource) -> Iterator[tuple[str, int]]:
    for backend in route["spec"]["rules"][0]["backendRefs"]:
        yield backend["name"], backend["weight"]


def test_the_weighted_route_sends_little_to_the_newer_deployment(rendered: dict[str, list[Resource]]) -> None:
    (route,) = _of_kind(rendered["weighted"], "HTTPRoute")
    claims = [pod["volumes"][0]["persistentVolumeClaim"]["claimName"] for pod in _pods(rendered["weighted"])]

    assert dict(_weights(route)) == {"llmops-serving-stable": 95, "llmops-serving-next": 5}
    assert sorted(claims) == ["llmops-lake-next", "llmops-lake-stable"]
