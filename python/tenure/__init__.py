"""A precise, generational, moving heap and pools of tensor memory, from Python.

    from tenure import GarbageCollector, ObjectType

    gc = GarbageCollector()
    array = gc.allocate(ObjectType.ARRAY, 1024)
    numpy.frombuffer(array, numpy.float32)[:] = 1      # the object's own bytes
    gc.shutdown()

What Python holds is kept: a GCObject or a Tensor is a root for as long as it lives. Objects refer to
each other by slots (`allocate(..., references=2)`, `set_reference`); what nothing leads to is collected.
Any thread may call; no call holds the interpreter's lock while it collects or waits.
"""
import atexit
import collections.abc
import dataclasses
import os
import threading
import weakref

from . import _native
from .layouts import StructLayout
from ._native import (AccessPattern, AgeTracker, AllocationPattern, AllocationPatterns, AllocationSite, AllocationStrategy, AllocationTracker, Closed, FreeBlock, GCCollectionStatistics, GCFlags, GCGeneration, GCMetrics, GCMode, GCObject,
                      GenerationalGC, HeapManager, HeapRegion, HeapRegionType, HeapStatistics,
                      MemoryOptimizer, MemoryPool, MemoryPoolStatistics, MemoryProfiler, ObjectHeader,
                      ObjectRelocator, ObjectType, OptimizationRecommendation, OptimizationReport,
                      OptimizationStrategy, OptimizationTrial, OutOfMemory, PoolBlock, PoolResize, ProfilingLevel, RecentAllocation,
                      ReferenceCycle, ReferenceStatistics, ReferenceTracer, ReferenceTracker,
                      RememberedSet, StrategyChoice, SystemMonitor, SystemStatistics, Tensor, WeakMap,
                      WeakReference, WriteBarrier)

__version__ = _native.__version__
__all__ = ["AccessPattern", "AgeTracker", "AllocationPattern", "AllocationPatterns", "AllocationSite",
           "AllocationStrategy", "AllocationTracker", "ClientStats", "Closed", "CollectionReport", "ConfigurationChange", "FreeBlock", "GCCollectionStatistics",
           "GCConfiguration", "GCFlags", "GCGeneration", "GCMetrics", "GCMode", "GCObject", "GCStats",
           "GarbageCollector", "GenerationalGC", "HeapManager", "HeapRegion", "HeapRegionType",
           "HeapStatistics", "MemoryOptimizer", "MemoryPool", "MemoryPoolStatistics", "MemoryProfiler",
           "ObjectHeader", "ObjectRelocator", "ObjectType", "OptimizationRecommendation",
           "OptimizationReport", "OptimizationStrategy", "OptimizationTrial", "OutOfMemory", "PoolBlock", "PoolResize", "PoolStats", "Pressure", "PressureCall", "ProfilingLevel", "RecentAllocation", "ReferenceCycle",
           "ReferenceStatistics", "ReferenceTracer", "ReferenceTracker", "RememberedSet",
           "ShutdownReport", "StrategyChoice", "StructLayout",
           "SystemMonitor", "SystemStatistics", "Tensor", "WeakMap",
           "WeakReference", "WriteBarrier", "shared_collector"]


@dataclasses.dataclass
class GCConfiguration:
    """How a collector behaves. Sizes are in units of 2^20 and 2^10 bytes; it is checked as a whole
    when a collector is opened with it."""
    num_generations: int = 3
    young_gen_size_mb: int = 32
    old_gen_size_mb: int = 128
    large_object_threshold_kb: int = 32
    mode: GCMode = GCMode.AUTOMATIC
    max_pause_time_ms: float = 10.0
    collection_ratio: collections.abc.Sequence[int] | None = None
    enable_incremental: bool = True
    enable_write_barriers: bool = True
    enable_compaction: bool = True
    compaction_threshold: float = 0.3
    optimize_allocation_patterns: bool = True
    allocation_strategy: AllocationStrategy = AllocationStrategy.BEST_FIT
    enable_profiling: bool = False
    track_allocation_sites: bool = False
    profiling_level: ProfilingLevel = ProfilingLevel.NONE
    sample_interval_bytes: int = 512 << 10
    debug_mode: bool = False
    heap_limit_mb: int = 0
    payload_budget_mb: int = 0
    permanent_size_mb: int = 16
    device: str = "auto"
    seed: int = 1

    def _to_native(self):
        native = _native.Configuration()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            try:
                if field.name == "collection_ratio":
                    if value is not None:
                        native.set_collection_ratio(list(value))
                else:
                    setattr(native, field.name, value)
            except TypeError:
                raise TypeError(f"{field.name} cannot be {value!r}") from None
        return native


@dataclasses.dataclass(frozen=True)
class GCStats:
    """A collector at one moment. A copy, that never changes."""
    total_collections: int
    collections_by_generation: list[int]
    total_pause_time_ms: float
    average_pause_time_ms: float
    max_pause_time_ms: float
    p50_pause_time_ms: float
    p99_pause_time_ms: float
    pause_target_misses: int
    heap_size_bytes: int
    used_bytes: int
    free_bytes: int
    fragmentation_ratio: float
    total_objects: int
    permanent_objects: int
    objects_by_type: dict[str, int]
    objects_by_generation: list[int]
    allocation_rate_mb_per_sec: float
    collection_efficiency: float
    memory_pressure: float


@dataclasses.dataclass(frozen=True)
class PoolStats:
    """One pool at one moment. Live is what was asked for, reserved what is mapped for it."""
    memory: str
    backend: str
    live_bytes: int
    peak_live_bytes: int
    reserved_bytes: int
    peak_reserved_bytes: int
    limit_bytes: int
    live_blocks: int
    leases: int
    returns: int


@dataclasses.dataclass(frozen=True)
class Pressure:
    """How full everything is, each as a share of its limit; `level` is none, moderate (from 0.75 on), high
    (0.9) or critical (0.97), of the largest share or of a machine whose tasks wait for memory."""
    level: str
    share: float
    heap_share: float
    pool_shares: dict[str, float]
    system_share: float
    system_stall: float
    system_available_bytes: int
    system_total_bytes: int
    reclaimable_bytes: int


@dataclasses.dataclass(frozen=True)
class PressureCall:
    """What a callback is told: `wanted_bytes` of a kind of memory would have to come back for a request;
    0: a level was passed. `of_system`: it is the machine that is short."""
    level: str
    memory: str
    wanted_bytes: int
    of_system: bool


@dataclasses.dataclass(frozen=True)
class ClientStats:
    """What one client holds of one pool, as it was asked for. No limit is None."""
    name: str
    memory: str
    live_bytes: int
    peak_live_bytes: int
    soft_limit_bytes: int | None
    hard_limit_bytes: int | None
    refusals: int


@dataclasses.dataclass(frozen=True)
class CollectionReport:
    """One collection. `generation` is None where it only began or went on with a marking; `generations`
    has a row for each that it took."""
    generation: int | None
    full: bool
    trigger: str
    pause_time_ms: float
    objects_copied: int
    objects_promoted: int
    bytes_promoted: int
    objects_marked: int
    bytes_freed: int
    payloads_retired: int
    payload_bytes_retired: int
    generations: list[GCMetrics]


@dataclasses.dataclass(frozen=True)
class ConfigurationChange:
    """One field that a preset changed."""
    field: str
    before: str
    after: str


@dataclasses.dataclass(frozen=True)
class ShutdownReport:
    """What was left. Views are memory that somebody looks at still; it goes with the last of them."""
    objects_released: int
    handles_outstanding: int
    views_outstanding: int
    finalizers_run: int


def _replace(path, make):
    """Writes what `make` gives, which is called once the file can be written: whole, or not at all."""
    part = f"{os.fspath(path)}.part{os.getpid()}"
    try:
        with open(part, "wb") as file:
            file.write(make())
        os.replace(part, path)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise


class GarbageCollector(_native.Collector):
    """One heap and its pools."""

    def __init__(self, config: GCConfiguration | None = None):
        """Raises ValueError where a field is out of range or contradicts another."""
        self._configuration = dataclasses.replace(config or GCConfiguration())
        self._monitor = SystemMonitor()
        super().__init__(self._configuration._to_native())
        _open.add(self)

    def tensor(self, shape: collections.abc.Sequence[int], dtype: str = "float32",
               memory: str = "host") -> Tensor:
        """A row-major tensor, its bytes whatever lay there before. `memory` is host, pinned, unified
        or device. Raises OutOfMemory."""
        return _native._tensor(self, list(shape), dtype, memory)

    def from_dlpack(self, array: object) -> Tensor:
        """A tensor of another library's memory, without a copy: it is kept until the tensor, as an
        object of this heap, is found dead."""
        return _native._from_dlpack(self, array)

    def string(self, text: str) -> GCObject:
        """A STRING of this text, which nobody can change."""
        return super().make_string(text)

    def function(self, name: str, code: int, captures: collections.abc.Sequence[GCObject] = ()
                 ) -> GCObject:
        """A FUNCTION: the address of native code, which is only kept, and a name; a CLOSURE where it
        captures, which keeps what it captured."""
        return super().make_closure(name, code, list(captures))

    def struct(self, layout: StructLayout) -> GCObject:
        """A STRUCT of a declared layout, its data zero."""
        return super().make_struct(layout._native)

    @property
    def config(self) -> GCConfiguration:
        """As it was opened with."""
        return self._configuration

    @property
    def stats(self) -> GCStats:
        """As `get_statistics`."""
        return self.get_statistics()

    def get_gc_statistics(self) -> GCCollectionStatistics:
        """Generations with their objects by age, and the last 64 collections. Stops the heap for a walk
        over it."""
        return self.generational_gc.get_gc_statistics()

    def get_heap_statistics(self) -> HeapStatistics:
        """What was allocated and freed, and the pools. Stops the heap for walks over it."""
        return self.heap_manager.get_heap_statistics()

    def reset_statistics(self) -> None:
        """Counts collections, pauses, allocations and bytes from 0 again; what is there now stays as it
        is."""
        super().reset_statistics()

    def collect(self, generation: int | None = None) -> CollectionReport:
        """Collects generations 0 to `generation`, and calls what finalizers are due. None: as far as
        the heap is full: 0, up to 1 above 0.7, all above 0.9."""
        if generation is None:
            share = super().heap_share()
            last = self.get_configuration().num_generations - 1
            generation = last if share > 0.9 else min(1, last) if share > 0.7 else 0
        elif not 0 <= generation < self.get_configuration().num_generations:
            raise ValueError(f"there is no generation {generation}")
        return CollectionReport(**super().collect(generation))

    def force_full_collection(self) -> CollectionReport:
        """Collects everything, and calls what finalizers are due."""
        return CollectionReport(**super().collect(None))

    def run_finalizers(self) -> int:
        """Calls what finalizers and callbacks are due; how many there were."""
        return super().run_finalizers()

    def get_statistics(self) -> GCStats:
        """A copy of all figures. Stops the heap for a walk over it."""
        return GCStats(**super().statistics())

    def get_detailed_statistics(self) -> dict[str, object]:
        """All figures, in groups whose keys stay: gc_stats (a GCStats as a dictionary), heap_stats,
        generational_stats (a list), reference_stats, allocation_stats, payload_stats (with its pools),
        pause_stats and system_stats. Stops the heap for two walks over it."""
        groups = super().detailed_statistics()
        groups["gc_stats"] = dataclasses.asdict(self.get_statistics())
        references = self.reference_tracker.reference_stats()
        groups["reference_stats"] |= {
            "memory_usage_by_type": references.memory_usage_by_type,
            "reference_cycles_detected": references.reference_cycles_detected,
            "largest_cycle_size": references.largest_cycle_size}
        groups["payload_stats"]["pools"] = [dataclasses.asdict(pool) for pool in self.get_pools()]
        system = self._monitor.read()
        groups["system_stats"] = {
            name: getattr(system, name) for name in
            ("system_memory_total", "system_memory_available", "system_memory_percent",
             "process_memory_rss", "process_memory_vms", "cpu_percent", "cpu_count")}
        return groups

    def add_root(self, object: GCObject | Tensor) -> None:
        """Keeps the object, whatever Python holds, until it was removed as often as it was added."""
        super().add_root(object)

    def remove_root(self, object: GCObject | Tensor) -> None:
        """Raises ValueError where it is no such root."""
        super().remove_root(object)

    def add_root_callback(self, callback: collections.abc.Callable[[], collections.abc.Iterable[GCObject | Tensor]]
                          ) -> int:
        """Asks `callback` for objects in each collection, in each of its stops: they live. It runs while
        the program stands still, and may not call this collector: RuntimeError. One that raises answers
        what it did the last time, which stays where it is; what it raised goes to sys.unraisablehook.
        Kept until `remove_root_callback` takes the number that this gives, or `shutdown`."""
        return super().add_root_callback(callback)

    def remove_root_callback(self, id: int) -> bool:
        """Never asks it again. False where there is none."""
        return super().remove_root_callback(id)

    def pressure(self) -> Pressure:
        """How full heap, pools and machine are."""
        return Pressure(**super().pressure())

    def on_pressure(self, callback: collections.abc.Callable[[PressureCall], object]) -> int:
        """Calls `callback` when a pool or the machine passes a level on the way up, and before a request
        is refused, on whichever thread asks. It may drop what it holds, such as tensors and caches; a
        call of this collector from within is a RuntimeError. What it raises goes to sys.unraisablehook.
        Kept until `remove_pressure_callback` takes the number that this gives, or `shutdown`."""
        return super().on_pressure(lambda *told: callback(PressureCall(*told)))

    def remove_pressure_callback(self, id: int) -> bool:
        """Ends it, once no other thread runs it. False where there is none."""
        return super().remove_pressure_callback(id)

    def get_configuration(self) -> GCConfiguration:
        """As it was opened with."""
        return self._configuration

    def optimize_for_workload(self, names: collections.abc.Sequence[str]) -> list[ConfigurationChange]:
        """Sets what suits the named loads; several combine. ValueError names the known ones."""
        return [ConfigurationChange(*change) for change in super().optimize(list(names))]

    def get_pools(self) -> list[PoolStats]:
        """The pools of payload memory that are open."""
        return [PoolStats(**pool) for pool in super().pools()]

    def get_clients(self) -> list[ClientStats]:
        """Who holds how much of which pool: the libraries that draw from it, by their names."""
        return [ClientStats(**client) for client in super().clients()]

    def write_torch_snapshot(self, path: str | os.PathLike) -> None:
        """Writes what lies where in the pools, as a memory snapshot that pytorch.org/memory_viz and
        torch.cuda._memory_viz open. Each pool is a device there, in the order of `get_pools`. Raises
        OSError where it cannot be written."""
        super().torch_snapshot(os.fspath(path))

    def write_report(self, path: str | os.PathLike, title: str = "", snapshot: bool = True) -> None:
        """Writes all that is known into one file, of which `tenure report` makes text and
        `python -m tenure.report` a page. Without `snapshot` the heap's objects are left out, and with
        them most of the time that it takes. Raises OSError where it cannot be written."""
        super().report(os.fspath(path), title, snapshot)

    def write_snapshot(self, path: str | os.PathLike, format: str = "heapsnapshot") -> None:
        """Writes the objects that live, what refers to what, and why each lives: "heapsnapshot" for
        Chrome's DevTools, or "json". Raises OSError where it cannot be written, ValueError for another
        format."""
        super().snapshot(os.fspath(path), format)

    def write_profile(self, path: str | os.PathLike) -> None:
        """Writes the sites that were sampled so far as a heap profile that pprof opens. Raises ValueError
        where nothing is watched, OSError where it cannot be written."""
        _replace(path, super().pprof)

    def write_events(self, path: str | os.PathLike) -> None:
        """Writes what happened since the last time as a timeline that Perfetto and Chrome open. Raises as
        `write_profile` does."""
        trace = super().chrome_trace
        _replace(path, lambda: trace().encode())

    def limit_client(self, name: str, memory: str, soft_bytes: int | None = None,
                     hard_bytes: int | None = None) -> None:
        """How much of a kind of memory a client may hold from now on; None: as much as there is. Past
        the hard limit it is refused, and nobody else; past the soft one callbacks are told. What it
        holds already stays. Raises ValueError where soft lies above hard."""
        super().limit_client(name, memory, soft_bytes, hard_bytes)

    def watch_garbage(self) -> None:
        """Has Python's own collector (module gc) run when a pool is nine tenths full, and before a request
        is refused: cyclic garbage that holds tensors, or other libraries' arrays in these pools, is
        found then. Finalizers that run because of it may free anything, and must not call this
        collector: RuntimeError. Until `unwatch_garbage` or `shutdown`."""
        super().watch_garbage()

    def unwatch_garbage(self) -> None:
        """Ends it, once it runs no more on other threads."""
        super().unwatch_garbage()

    def shutdown(self) -> ShutdownReport:
        """Calls all finalizers and releases everything; what Python holds is inert afterwards. Twice
        is as good as once."""
        return ShutdownReport(**super().shut_down())

    def __enter__(self) -> "GarbageCollector":
        return self

    def __exit__(self, *raised: object) -> None:
        self.shutdown()


_shared: GarbageCollector | None = None
_sharing = threading.Lock()


def shared_collector() -> GarbageCollector:
    """The collector that plug-ins draw from unless they are given another: one a process, opened as
    `GCConfiguration()` and the environment (TENURE_DEVICE, ...) say when it is first asked for."""
    global _shared
    with _sharing:
        if _shared is None:
            _shared = GarbageCollector()
        return _shared


_open: weakref.WeakSet = weakref.WeakSet()


def _shut_down_all():
    for collector in list(_open):
        collector.shutdown()


atexit.register(_shut_down_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_native.note_fork)
