"""Reports, as files and as pages that a browser opens."""
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest.mock

import pytest

import tenure.report
from tenure import GarbageCollector, GCConfiguration, ObjectType, ProfilingLevel

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def report_file(tmp_path_factory):
    """Of a collector that kept some, dropped some, and collected."""
    with unittest.mock.patch.dict(os.environ, TENURE_PROFILE="detailed", TENURE_SAMPLE_INTERVAL="4KiB"):
        gc = GarbageCollector(GCConfiguration(young_gen_size_mb=1, device="sim:64MiB"))
    kept = [gc.allocate(ObjectType.VECTOR, 3000) for _ in range(300)]
    kept += [gc.tensor([1 << 16], memory="device") for _ in range(8)]
    for _ in range(2000):
        gc.allocate(ObjectType.ARRAY, 512)
    del kept[-3]
    gc.force_full_collection()
    path = tmp_path_factory.mktemp("report") / "report.json"
    gc.write_report(path, title="a <b>test</b> & more")
    figures = gc.get_statistics(), {pool.memory: pool for pool in gc.get_pools()}
    gc.shutdown()
    return path, figures


def test_it_says_what_the_collector_says(report_file):
    path, (stats, pools) = report_file
    report = tenure.report.load(path)
    assert report["title"] == "a <b>test</b> & more"
    assert report["collections"]["all"] == stats.total_collections
    assert {p["kind"]: (p["live"], p["reserved"]) for p in report["pools"]} == {
        memory: (pool.live_bytes, pool.reserved_bytes) for memory, pool in pools.items()}
    for pool, mapped in zip(report["pools"], report["maps"]):
        places = [place for run in mapped["runs"] for place in run["places"]]
        assert sum(place[1] for place in places) == pool["reserved"]
        assert sum(place[2] for place in places) == pool["live"]


def test_the_heap_in_it_has_each_object_and_its_payload(report_file):
    heap = tenure.report.load(report_file[0])["heap"]
    types = {row["type"]: row["held"] for row in heap["types"]}
    assert sum(held["objects"] for held in types.values()) == heap["total"]["objects"] >= 307
    assert heap["total"]["payloads"]["device"] == 7 * (4 << 16)
    assert heap["holders"] and all(" -> " in row["path"] or row["path"] for row in heap["holders"])


def test_it_is_what_its_schema_says(report_file):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(report_file[0].read_text()))


@pytest.fixture
def watched():
    """A collector that follows nearly each object, and notes each."""
    gc = GarbageCollector(GCConfiguration(
        device="sim:64MiB", enable_profiling=True, profiling_level=ProfilingLevel.COMPREHENSIVE,
        track_allocation_sites=True, sample_interval_bytes=1))
    yield gc
    gc.shutdown()


def test_both_forms_of_a_snapshot_say_the_same(watched, tmp_path):
    cache = watched.allocate(ObjectType.STRUCT, 64, references=2)
    cache.set_reference(0, watched.tensor([1 << 16], memory="device"))
    cache.set_reference(1, watched.allocate(ObjectType.ARRAY, 100, references=3))
    files = [tmp_path / "it.heapsnapshot", tmp_path / "it.json"]
    for file, form in zip(files, ("heapsnapshot", "json")):
        watched.write_snapshot(file, form)
    check = ROOT / "tests/tools/heap_snapshot_check.py"
    ran = subprocess.run([sys.executable, "-B", check, *files, ROOT / "docs/heap_snapshot.schema.json"],
                         capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert json.loads(files[1].read_text())["total"]["device"] == 4 << 16
    with pytest.raises(ValueError, match="heapsnapshot and json"):
        watched.write_snapshot(files[0], "yaml")
    with pytest.raises(OSError, match="missing"):
        watched.write_snapshot(tmp_path / "missing" / "it.json", "json")


def test_a_profile_and_events_are_written_of_what_was_watched(watched, gc, tmp_path):
    kept = [watched.allocate(ObjectType.VECTOR, 200) for _ in range(500)]
    watched.force_full_collection()
    watched.write_profile(tmp_path / "heap.pb.gz")
    profile = gzip.decompress((tmp_path / "heap.pb.gz").read_bytes())
    assert b"inuse_space" in profile and b"vector" in profile.lower()
    watched.write_events(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert "collection" in {event["name"] for event in events}
    allocated = sum(event["args"]["bytes_per_ms"] for event in events if event["name"].endswith("allocates"))
    assert allocated >= len(kept) * 200
    with pytest.raises(ValueError):
        gc.write_profile(tmp_path / "none.pb.gz")  # nothing is watched there
    assert sorted(file.name for file in tmp_path.iterdir()) == ["heap.pb.gz", "trace.json"]


def test_events_are_not_lost_to_a_file_that_cannot_be(watched, tmp_path):
    watched.force_full_collection()
    for write in (watched.write_events, watched.write_report):
        with pytest.raises(OSError, match="missing"):
            write(tmp_path / "missing" / "file")
    watched.write_report(tmp_path / "report.json")
    kinds = [event["kind"] for event in tenure.report.load(tmp_path / "report.json")["events"]]
    assert kinds.count("collection") == 1


def test_a_file_that_is_none_is_refused(tmp_path):
    for text in ("", "[]", '{"format": "tenure report", "version": 2}', '{"format": "x"}'):
        path = tmp_path / "report.json"
        path.write_text(text)
        with pytest.raises(ValueError, match="report.json"):
            tenure.report.load(path)
        ran = subprocess.run([sys.executable, "-m", "tenure.report", path], capture_output=True, text=True)
        assert ran.returncode == 2 and "report.json" in ran.stderr and "Traceback" not in ran.stderr


def test_the_page_has_what_the_report_has_and_asks_nothing_of_the_network(report_file, tmp_path):
    offline = pytest.importorskip("plotly.offline", reason="Plotly is not installed")
    page = tmp_path / "page.html"
    tenure.report.write_page(tenure.report.load(report_file[0]), page)
    text = page.read_text()
    assert "a &lt;b&gt;test&lt;/b&gt; &amp; more" in text and "<b>test</b>" not in text
    own = text.replace(offline.get_plotlyjs(), "")
    assert "http" not in own and "src=" not in own


# The page's own errors go to its title, which the browser prints with the rest of the document.
_WATCH = """<script>
window.addEventListener('error', e => { document.title = 'ERROR ' + e.message; });
const say = console.error; console.error = (...a) => { document.title = 'ERROR ' + a.join(' '); say(...a); };
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_browser_draws_every_figure_without_an_error(report_file, tmp_path):
    pytest.importorskip("plotly", reason="Plotly is not installed")
    page = tmp_path / "page.html"
    text = tenure.report.page(tenure.report.load(report_file[0]))
    page.write_text(text.replace("<head>", "<head>" + _WATCH, 1))
    ran = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--user-data-dir={tmp_path}/profile", "--window-size=400,900", "--virtual-time-budget=8000",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
    document = ran.stdout
    assert "<title>ERROR" not in document, document[document.index("<title>"):][:300]
    figures = text.count('class="figure"')
    assert figures == 5
    assert document.count('class="figure js-plotly-plot"') == figures
