"""Wrong settings: one line that names the variable, and a status other than 0."""

import pytest

from deployment import Deployment, new_secret

ALL = ["PORTCULLIS_MASTER_KEY", "PORTCULLIS_ADMIN_TOKEN", "PORTCULLIS_JOIN_TOKEN", "POSTGRES_PASSWORD"]


@pytest.mark.parametrize(
    ("service", "variable", "value"),
    [
        ("control-plane", "PORTCULLIS_MASTER_KEY", "changeme"),
        ("control-plane", "PORTCULLIS_ADMIN_TOKEN", "hunter2"),
        ("control-plane", "PORTCULLIS_LOG_FORMAT", "xml"),
        ("ledger", "PORTCULLIS_DATABASE_URL", f"postgres://portcullis:{new_secret()}@postgres/portcullis"),
        ("ledger", "PORTCULLIS_MASTER_KEY", ""),
        ("proxy-1", "PORTCULLIS_DRAIN_SECONDS", "soon"),
        ("proxy-1", "PORTCULLIS_LISTEN", "everywhere"),
        ("proxy-1", "PORTCULLIS_REDIS_URL", "postgres://redis"),
        ("proxy-1", "PORTCULLIS_ALLOW_PRIVATE_NETWORKS", "10.0.0.0/99"),
    ],
)
def test_a_service_names_the_variable(deployment: Deployment, figures, service, variable, value):
    arguments = ["run", "--rm", "--no-deps", "-T", "-e", f"{variable}={value}", service]
    done = deployment.compose(*arguments)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "portcullis: " in line]
    assert done.returncode == 64, (done.stdout, done.stderr)
    assert len(lines) == 1 and variable in lines[0], lines
    assert "password" not in lines[0] or value not in lines[0]
    figures[f"{service} with a wrong {variable}"] = f"exit 64: {lines[0][:140]}"


@pytest.mark.parametrize("variable", ALL)
def test_compose_names_what_is_missing(deployment: Deployment, figures, variable):
    done = deployment.compose("config", **{variable: ""})
    assert done.returncode != 0
    assert f"{variable} must be set" in done.stderr.strip().splitlines()[-1]
    figures[f"compose without {variable}"] = f"exit {done.returncode}: … {variable} must be set in .env"
