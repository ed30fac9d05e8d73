// What other libraries draw from a collector's pools: allocators for them, and who holds how much.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <algorithm>
#include <optional>
#include <string>

#include "python/src/collector.hpp"
#include "python/src/wrappers.hpp"
#include "tenure/plugins/address_allocator.hpp"

namespace tenure::python {

namespace {

// Another library's allocator. It keeps the pools' memory when the collector is shut down: nobody
// knows when that library looks at its bytes for the last time.
//
// Invariant: none is ever ended. Whoever was handed its functions calls them until the process ends.
class Plugged {
 public:
  Plugged(Collector& collector, std::string_view client, MemoryKind kind)
      : collector_(nb::borrow(collector.self())),
        visit_(collector),
        allocator_(collector.runtime(), client, kind),
        table_(allocator_.table()) {}

  [[nodiscard]] AddressAllocator& allocator() { return allocator_; }
  [[nodiscard]] const AllocatorTable& table() const { return table_; }

 private:
  nb::object collector_;
  Collector::Visit visit_;
  AddressAllocator allocator_;
  AllocatorTable table_;
};

Plugged* plug(Collector& collector, std::string_view client, std::string_view memory) {
  collector.require_open();
  return new Plugged(collector, client, kind_of(memory));
}

StreamId stream_of(Plugged& plugged, std::uintptr_t native) {
  return value_or_throw(
      plugged.allocator().runtime().adopt_stream(reinterpret_cast<void*>(native)));
}

std::uintptr_t allocate(Plugged& plugged, std::uint64_t bytes, std::uintptr_t stream) {
  // Why without the interpreter's lock: it may collect, and wait.
  const nb::gil_scoped_release release;
  return reinterpret_cast<std::uintptr_t>(
      value_or_throw(plugged.allocator().allocate(Bytes{bytes}, stream_of(plugged, stream))));
}

void require_known(bool is_known, std::uintptr_t address) {
  if (!is_known) {
    throw Failure({ErrorCode::kBadArgument, "nothing was allocated here at address " +
                                                std::to_string(address) +
                                                ", or it was freed before"});
  }
}

void give_back(Plugged& plugged, std::uintptr_t address) {
  require_known(plugged.allocator().release(reinterpret_cast<const void*>(address)), address);
}

void note_use(Plugged& plugged, std::uintptr_t address, std::uintptr_t stream) {
  require_known(plugged.allocator().used_on(reinterpret_cast<const void*>(address),
                                            stream_of(plugged, stream)),
                address);
}

// In the signatures of cupy.cuda.CFunctionAllocator, which looks for no error: null says that there is
// no room. Called with or without the interpreter's lock, which is given up meanwhile.
void* allocate_in_c(void* plugged, std::size_t bytes, int) {
  const auto ask = [&]() -> void* {
    const Result<std::byte*> got =
        static_cast<Plugged*>(plugged)->allocator().allocate(Bytes{bytes});
    return got ? *got : nullptr;
  };
  if (PyGILState_Check() == 0) {
    return ask();
  }
  const nb::gil_scoped_release release;
  return ask();
}
void release_in_c(void* plugged, void* address, int) {
  static_cast<Plugged*>(plugged)->allocator().release(address);
}

nb::dict to_dict(const PoolStatistics& pool, Bytes limit) {
  nb::dict made;
  made["memory"] = std::string(to_string(pool.kind));
  made["backend"] = pool.backend;
  made["live_bytes"] = pool.live.count();
  made["peak_live_bytes"] = pool.peak_live.count();
  made["reserved_bytes"] = pool.reserved.count();
  made["peak_reserved_bytes"] = pool.peak_reserved.count();
  made["limit_bytes"] = limit.count();
  made["live_blocks"] = pool.live_blocks;
  made["leases"] = pool.leases;
  made["returns"] = pool.returns;
  return made;
}

nb::object bytes_or_none(Bytes limit) {
  return limit == kUnlimited ? nb::object(nb::none()) : nb::object(nb::int_(limit.count()));
}

nb::dict to_dict(const ClientStatistics& client, MemoryKind kind) {
  nb::dict made;
  made["name"] = client.name;
  made["memory"] = std::string(to_string(kind));
  made["live_bytes"] = client.live.count();
  made["peak_live_bytes"] = client.peak_live.count();
  made["soft_limit_bytes"] = bytes_or_none(client.limits.soft);
  made["hard_limit_bytes"] = bytes_or_none(client.limits.hard);
  made["refusals"] = client.refusals;
  return made;
}

Statistics statistics_of(Collector& collector) {
  return collector.ask([](GarbageCollector& facade) { return facade.runtime().statistics(); });
}

nb::list pools(Collector& collector) {
  const Pressure pressure =
      collector.ask([](GarbageCollector& facade) { return facade.runtime().pressure(); });
  const auto limit_of = [&](MemoryKind kind) {
    const auto found = std::find_if(pressure.pools.begin(), pressure.pools.end(),
                                    [&](const PoolPressure& pool) { return pool.kind == kind; });
    return found == pressure.pools.end() ? Bytes{} : found->limit;
  };
  nb::list made;
  for (const PoolStatistics& pool : statistics_of(collector).pools) {
    made.append(to_dict(pool, limit_of(pool.kind)));
  }
  return made;
}

// Rows of nobody's are of clients that never came to this pool.
nb::list clients(Collector& collector) {
  nb::list made;
  for (const PoolStatistics& pool : statistics_of(collector).pools) {
    for (const ClientStatistics& client : pool.clients) {
      if (client.peak_live != Bytes{} || client.limits.hard != kUnlimited ||
          client.limits.soft != kUnlimited) {
        made.append(to_dict(client, pool.kind));
      }
    }
  }
  return made;
}

void limit_client(Collector& collector, std::string_view name, std::string_view memory,
                  std::optional<std::uint64_t> soft, std::optional<std::uint64_t> hard) {
  const MemoryKind kind = kind_of(memory);
  const ClientLimits limits{.soft = soft ? Bytes{*soft} : kUnlimited,
                            .hard = hard ? Bytes{*hard} : kUnlimited};
  collector.ask([&](GarbageCollector& facade) {
    Runtime& runtime = facade.runtime();
    value_or_throw(runtime.limit_client(value_or_throw(runtime.make_client(name)), kind, limits));
  });
}

}  // namespace

void bind_plugins(nb::module_& module, nb::class_<Collector>& type) {
  nb::class_<Plugged>(module, "Allocator", "Memory of a collector's pools for another library.")
      .def("allocate", allocate, nb::arg("bytes"), nb::arg("stream") = 0,
           "The address of so many bytes; 0 for none. `stream` is the device's handle, such as a "
           "cudaStream_t. Raises OutOfMemory.")
      .def("used_on", note_use, nb::arg("address"), nb::arg("stream"),
           "Work put on that stream so far uses the bytes too.")
      .def("free", give_back, nb::arg("address"),
           "Hands them back. 0 is nothing. Raises ValueError for an address that is not here.")
      .def_prop_ro(
          "allocations", [](Plugged& p) { return p.allocator().allocations(); },
          "How many there ever were.")
      .def_prop_ro(
          "allocated_bytes", [](Plugged& p) { return p.allocator().allocated().count(); },
          "All of them together, as asked for.")
      .def_prop_ro(
          "c_functions",
          [](Plugged& p) {
            return nb::make_tuple(reinterpret_cast<std::uintptr_t>(&p),
                                  reinterpret_cast<std::uintptr_t>(&allocate_in_c),
                                  reinterpret_cast<std::uintptr_t>(&release_in_c));
          },
          nb::sig("def c_functions(self) -> tuple[int, int, int]"),
          "An argument, and void* (*)(argument, size_t, int) and void (*)(argument, void*, int).")
      .def_prop_ro(
          "table_address",
          [](const Plugged& p) { return reinterpret_cast<std::uintptr_t>(&p.table()); },
          "Of a tenure::AllocatorTable, for a library that takes one.");
  type.def("plug", plug, nb::arg("client"), nb::arg("memory"), nb::rv_policy::reference)
      .def("watch_garbage", [](Collector& collector) { collector.watch_garbage(); })
      .def("unwatch_garbage", [](Collector& collector) { collector.unwatch_garbage(); })
      .def("pools", pools)
      .def("clients", clients)
      .def("limit_client", limit_client, nb::arg("name"), nb::arg("memory"),
           nb::arg("soft_bytes").none(), nb::arg("hard_bytes").none());
}

}  // namespace tenure::python
