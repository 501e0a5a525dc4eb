"""Environment maps where they are used: evaluated by a shell, read from standard input."""

import shlex
from pathlib import Path

from tests.e2e.tools import needs
from tests.processes import EXAMPLES, OURS, run, skydns

CHART = """\
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  clusterIP: 192.0.2.10
  ports:
    - name: http
      port: 80
"""


@needs("dash", "dash")
async def test_a_posix_shell_takes_the_variables():
    """What `--format sh` prints gives dash the variables, exported, and nothing else happens."""
    script = await skydns("env", "-n", "shop", "--manifests", EXAMPLES, "--format", "sh")
    ending = 'printf "%s" "$WEB_SERVICE_HOST:$WEB_SERVICE_PORT_HTTP"; env | grep -c "^WEB_"'

    done = await run("dash", "-eu", stdin=script.out + ending)

    assert script.code == 0
    assert done.err == ""
    assert done.out.startswith("10.109.172.153:80")
    assert done.code == 0


async def test_a_name_that_no_shell_variable_can_have_is_refused():
    """A Service whose name begins with a digit has no `sh` form; other formats are offered."""
    chart = CHART.replace("name: web", 'name: "3scale"')
    done = await skydns("env", "-n", "shop", "--manifests", "-", "--format", "sh", stdin=chart)

    assert done.code == 1
    assert done.out == ""
    assert "3SCALE_SERVICE_HOST" in done.err
    assert "docker" in done.err
    assert len(done.err.splitlines()) == 1


async def test_a_namespace_that_is_not_there_is_named_with_those_that_are():
    """`env` of an unknown namespace fails with the list of known ones."""
    done = await skydns("env", "-n", "shpo", "--manifests", EXAMPLES)

    assert done.code == 2
    assert done.err.startswith("skydns-py: there is no namespace 'shpo'")
    assert "shop" in done.err


async def test_a_chart_is_listed_from_standard_input():
    """`… | skydns-py names -` lists what a chart will be called before it is installed."""
    done = await skydns("names", "-", stdin=CHART)

    assert done.code == 0
    assert "web.shop.svc.cluster.local. 5 IN A 192.0.2.10" in done.out.splitlines()
    assert ";   WEB_SERVICE_HOST=192.0.2.10" in done.out.splitlines()


async def test_a_listing_that_is_not_read_to_its_end_is_no_error(tmp_path: Path):
    """`skydns-py names | head -1` ends in silence, however much is left to print."""
    chart = CHART.replace("  clusterIP: 192.0.2.10\n", "")
    many = (chart.replace("name: web", f"name: web-{number}") for number in range(300))
    (tmp_path / "many.yaml").write_text("---\n".join(many))
    listing = f"{shlex.join(OURS)} names many.yaml"

    done = await run("sh", "-c", f"{listing} | head -1", cwd=tmp_path)

    assert done.err == ""
    assert len(done.out.splitlines()) == 1
