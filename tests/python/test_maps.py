"""What lies where in the pools, as others read it."""
import pickle

import pytest

from tenure import Closed, GarbageCollector, GCConfiguration, ObjectType


@pytest.fixture
def snapshot(gc, tmp_path):
    """A file of three tensors in two pools, and the collector's own figures."""
    gc.kept = [gc.tensor([1000], memory="device"), gc.tensor([1 << 20], memory="device"),
               gc.allocate(ObjectType.VECTOR, 1 << 16)]
    path = tmp_path / "snapshot.pickle"
    gc.write_torch_snapshot(path)
    return path, {pool.memory: pool for pool in gc.get_pools()}


def test_a_snapshot_has_all_that_is_mapped_and_all_that_lives(gc, snapshot):
    path, pools = snapshot
    segments = pickle.loads(path.read_bytes())["segments"]
    assert sum(s["total_size"] for s in segments) == sum(p.reserved_bytes for p in pools.values())
    blocks = [b for s in segments for b in s["blocks"] if b["state"] == "active_allocated"]
    assert len(blocks) == sum(p.live_blocks for p in pools.values())
    assert sum(b["requested_size"] for b in blocks) == sum(p.live_bytes for p in pools.values())


def test_pytorchs_own_tools_read_it(snapshot):
    viewer = pytest.importorskip("torch.cuda._memory_viz", reason="PyTorch is not installed")
    path, pools = snapshot
    read = pickle.loads(path.read_bytes())
    if hasattr(viewer, "segsum"):  # of PyTorch 2
        assert f"segments: {len(read['segments'])}" in viewer.segsum(read)
        return
    stats = viewer.stats(read["segments"])
    assert stats["segments"] == len(read["segments"])
    assert stats["total_size"].value == sum(pool.reserved_bytes for pool in pools.values())


def test_a_path_that_cannot_be_written_is_an_error(gc, tmp_path):
    with pytest.raises(OSError, match="missing"):
        gc.write_torch_snapshot(tmp_path / "missing" / "snapshot.pickle")


def test_a_collector_that_was_shut_down_has_none(tmp_path):
    gc = GarbageCollector(GCConfiguration(device="sim:1GiB"))
    gc.shutdown()
    with pytest.raises(Closed):
        gc.write_torch_snapshot(tmp_path / "snapshot.pickle")
