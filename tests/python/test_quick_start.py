"""Programs as the README shows them, each in an interpreter of its own: they print what they say, and
nothing on the error stream."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

QUICK_START = """\
from tenure import GarbageCollector, GCConfiguration, GCMode, ObjectType

config = GCConfiguration(mode=GCMode.ADAPTIVE, enable_profiling=True, optimize_allocation_patterns=True,
                         num_generations=3, young_gen_size_mb=64, old_gen_size_mb=256, max_pause_time_ms=10.0)
gc = GarbageCollector(config)
gc.optimize_for_workload(['scientific_computing'])
addr = gc.allocate(ObjectType.ARRAY, 1024*1024)
print(f"Memory usage: {gc.get_statistics().used_bytes / (1024*1024):.1f} MB")
gc.shutdown()
"""


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_quick_start_runs_word_for_word():
    assert run(QUICK_START) == "Memory usage: 1.0 MB\n"


def test_the_readme_has_the_quick_start():
    assert QUICK_START in (ROOT / "README.md").read_text()


def test_the_object_of_the_quick_start_is_as_promised():
    assert run(QUICK_START.replace("gc.shutdown()", """
stats = gc.get_statistics()
assert stats.total_objects == 1 and stats.objects_by_type == {"array": 1}
view = memoryview(addr)
assert addr and view.nbytes == 1024 * 1024 and not any(view[::4096])
assert addr.address % 64 == 0
view[-1] = 7
view.release()
assert gc.shutdown().views_outstanding == 0
assert not addr.is_alive and addr
gc.shutdown()
""")) == "Memory usage: 1.0 MB\n"


def test_each_python_block_of_the_readme_and_of_numpys_page_runs():
    numpy = (ROOT / "docs/plugins.md").read_text().split("## NumPy", 1)[1].split("\n## ")[0]
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text() + numpy, flags=re.S)
    assert len(blocks) == 2
    for block in blocks:
        run(block)


def test_what_is_open_at_the_end_of_the_program_is_shut_down():
    assert run("""
from tenure import *
gc = GarbageCollector()
kept = gc.allocate(ObjectType.STRUCT, 8)
kept.set_finalizer(lambda dying: print("goodbye", dying.size))
""") == "goodbye 8\n"
