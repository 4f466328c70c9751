"""The Kubernetes manifests: valid by the API's own schemas, every reference answered, no more rights than needed."""

import kubernetes_validate
import pytest

import binaries
from manifests import container, environment, kustomization, of_kind, pod_selectors, resources, selects, workloads

# The oldest that has all we use, and the newest that the schemas know.
VERSIONS = ["1.30", kubernetes_validate.latest_version()]
SECRET_KEYS = {"master-key", "admin-token", "join-token", "database-url", "redis-url"}
# What a stopping proxy takes at most beside lame duck and drain: cut requests are booked, usage is reported.
LAST_REPORT_SECONDS = 6
WORKLOADS = ["proxy", "control-plane", "ledger"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_follows_its_schema(version):
    for each in resources():
        kubernetes_validate.validate(each, version, strict=True)


def test_names_are_unique():
    names = [(each["kind"], each["metadata"]["name"]) for each in resources()]
    assert len(names) == len(set(names))
    assert sorted(workloads()) == sorted(WORKLOADS)


def test_selectors_find_their_pods():
    for name, each in workloads().items():
        assert selects(each["spec"]["selector"]["matchLabels"]) == [name]
        for spread in each["spec"]["template"]["spec"]["topologySpreadConstraints"]:
            assert selects(spread["labelSelector"]["matchLabels"]) == [name]
    for each in of_kind("PodDisruptionBudget").values():
        assert selects(each["spec"]["selector"]["matchLabels"]) == [each["metadata"]["name"]]
    budgets = [name for _, name in of_kind("PodDisruptionBudget")]
    assert sorted(budgets) == sorted(WORKLOADS)
    for each in of_kind("NetworkPolicy").values():
        for selector in pod_selectors(each["spec"]):
            assert selects(selector) != []


def test_services_lead_to_ports_that_are_there():
    for each in of_kind("Service").values():
        (workload,) = selects(each["spec"]["selector"])
        ports = {port["name"] for port in container(workloads()[workload])["ports"]}
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports
    proxy = workloads()["proxy"]
    assert ("Service", proxy["spec"]["serviceName"]) in of_kind("Service")
    for variable, port in (("PORTCULLIS_CONTROL_PLANE", 8082), ("PORTCULLIS_LEDGER", 8082)):
        host, _, number = environment(proxy)[variable]["value"].removeprefix("http://").partition(":")
        service = of_kind("Service")[("Service", host)]
        assert int(number) == port and port in {each["port"] for each in service["spec"]["ports"]}


def test_the_autoscaler_and_the_images_are_of_something():
    for each in of_kind("HorizontalPodAutoscaler").values():
        target = each["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in of_kind(target["kind"])
    images = {container(each)["image"] for each in workloads().values()}
    assert images == {each["name"] for each in kustomization()["images"]}


@pytest.mark.parametrize("name", WORKLOADS)
def test_references_are_answered_and_settings_known(name):
    workload = workloads()[name]
    spec = workload["spec"]["template"]["spec"]
    assert ("ServiceAccount", spec["serviceAccountName"]) in of_kind("ServiceAccount")
    referred = [("ConfigMap", each["configMapRef"]["name"]) for each in container(workload)["envFrom"]]
    settings = [of_kind("ConfigMap")[each] for each in referred]
    for each in environment(workload).values():
        if secret := each.get("valueFrom", {}).get("secretKeyRef"):
            assert secret["name"] == "portcullis" and secret["key"] in SECRET_KEYS
    claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    assert {mount["name"] for mount in container(workload).get("volumeMounts", [])} == claims
    used = set(environment(workload)) | {variable for each in settings for variable in each["data"]}
    assert used <= binaries.variables(f"portcullis-{name}")


@pytest.mark.parametrize("name", WORKLOADS)
def test_pods_have_no_rights(name):
    workload = workloads()[name]
    spec, security = workload["spec"]["template"]["spec"], container(workload)["securityContext"]
    assert spec["automountServiceAccountToken"] is False
    account = of_kind("ServiceAccount")[("ServiceAccount", spec["serviceAccountName"])]
    assert account["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 65532
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container(workload)["resources"].keys() == {"requests", "limits"}


@pytest.mark.parametrize("name", WORKLOADS)
def test_probes_ask_the_ops_port(name):
    only = container(workloads()[name])
    ports = {port["name"]: port["containerPort"] for port in only["ports"]}
    assert ports["ops"] == 8083
    paths = {kind: only[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert all(probe["port"] == "ops" for probe in paths.values())
    assert paths["readiness"]["path"] == "/readyz" and paths["liveness"]["path"] == "/healthz"


def test_a_stopping_proxy_is_given_the_time_it_needs():
    proxy = workloads()["proxy"]
    seconds = {name: int(environment(proxy)[f"PORTCULLIS_{name}_SECONDS"]["value"]) for name in ("LAME_DUCK", "DRAIN")}
    grace = proxy["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > sum(seconds.values()) + LAST_REPORT_SECONDS
    probe = container(proxy)["readinessProbe"]
    assert seconds["LAME_DUCK"] > 2 * probe["periodSeconds"] * probe["failureThreshold"]


def test_nothing_is_reachable_unless_a_rule_says_so():
    deny = of_kind("NetworkPolicy")[("NetworkPolicy", "deny-all")]["spec"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert {name for _, name in of_kind("NetworkPolicy")} >= set(WORKLOADS)
