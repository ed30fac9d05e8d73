"""What the tests share: a collector of a small heap that verifies itself after each collection."""
import pytest

from tenure import GarbageCollector, GCConfiguration


@pytest.fixture
def gc(monkeypatch):
    # Not debug_mode, which has payloads between redzones too: here they fill the device to the byte.
    with monkeypatch.context() as patched:
        patched.setenv("TENURE_VERIFY", "on")
        collector = GarbageCollector(GCConfiguration(young_gen_size_mb=1, device="sim:64MiB"))
    yield collector
    collector.shutdown()
