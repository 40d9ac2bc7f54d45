"""The dashboard and the alerts name metrics that exist, and Prometheus takes them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.stream.metrics.families import FAMILIES

PLANT = Path(__file__).parents[4] / "plant"
DASHBOARD = PLANT / "grafana/edgecl.json"
RULES = PLANT / "prometheus/edgecl.rules.yml"

_METRIC = re.compile(r"\b((?:edgecl|process)_[a-z_]+)\b")
_EXPRESSION = re.compile(r"expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)")
OTHERS = {
    *(f"edgecl_step_seconds_{part}" for part in ("bucket", "sum", "count")),
    *("edgecl_sink_lost_total", "edgecl_sink_waiting", "edgecl_sink_count", "edgecl_build_info"),
    "edgecl_sink_acts_total",
    *("edgecl_parts_total", "edgecl_parts_without_camera_total"),
    *("process_cpu_seconds_total", "process_resident_memory_bytes"),
}


def exported() -> set[str]:
    """Names of samples; `test_families.py` finds the others in what is served."""
    ends = {"counter": "_total", "gauge": ""}
    return OTHERS | {f"{family.name}{ends[family.kind]}" for family in FAMILIES}


def expressions(value: Any) -> Iterator[str]:
    """All queries of a dashboard."""
    if isinstance(value, dict):
        yield from (
            text for key in ("expr", "definition") if isinstance(text := value.get(key), str)
        )
        for entry in value.values():
            yield from expressions(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from expressions(entry)


def test_every_metric_of_the_dashboard_exists():
    queries = list(expressions(json.loads(DASHBOARD.read_text())))
    named = {name for query in queries for name in _METRIC.findall(query)}
    assert len(queries) > 30
    assert named <= exported(), named - exported()
    # Nothing that is measured is left out of sight.
    assert exported() - named == set()


def test_every_metric_of_the_alerts_exists():
    text = RULES.read_text()
    found = [block or line for block, line in _EXPRESSION.findall(text)]
    assert len(found) == text.count("- alert:") > 10
    named = {name for query in found for name in _METRIC.findall(query)}
    assert named <= exported(), named - exported()
    assert "up" in found[0]


def test_panels_lie_side_by_side():
    panels = json.loads(DASHBOARD.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not taken & cells, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["check", "rules"], "edgecl.rules.yml"),
        pytest.param(["test", "rules"], "edgecl.rules.test.yml", marks=pytest.mark.slow),
        (["check", "config"], "prometheus.yml"),
    ],
)
def test_promtool_takes_the_files(arguments, file):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool: apt install prometheus")
    done = subprocess.run(
        [promtool, *arguments, file], cwd=RULES.parent, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_parses_the_queries_of_the_dashboard(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool: apt install prometheus")
    rules = []
    for number, query in enumerate(expressions(json.loads(DASHBOARD.read_text()))):
        if not query.startswith("label_values"):  # a function of Grafana's
            text = query.replace("$__rate_interval", "1m")
            rules.append(
                {"record": f"query_{number}", "expr": re.sub(r"\$(instance|camera)", ".*", text)}
            )
    document = {"groups": [{"name": "dashboard", "rules": rules}]}
    (tmp_path / "rules.yml").write_text(json.dumps(document))  # JSON is YAML
    done = subprocess.run(
        [promtool, "check", "rules", "rules.yml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
