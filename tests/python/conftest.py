"""What the tests share: a collector of a small heap that verifies itself after each collection."""
import pytest

from tenure import GarbageCollector, GCConfiguration


@pytest.fixture
def gc():
    collector = GarbageCollector(GCConfiguration(young_gen_size_mb=1, debug_mode=True,
                                                 device="sim:64MiB"))
    yield collector
    collector.shutdown()
