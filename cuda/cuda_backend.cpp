#include "cuda/cuda_backend.hpp"

#include <algorithm>
#include <utility>

#include "core/backend/platform.hpp"
#include "core/base/check.hpp"
#include "cuda/host_work.hpp"
#include "host/byte_moves.hpp"
#include "host/pages.hpp"

namespace tenure {

namespace {

constexpr std::size_t kOnDevice = 0;  // accounts of capacity
constexpr std::size_t kOnHost = 1;

RangeRules rules_for(const CudaOptions& options, Bytes memory, Bytes granule) {
  const KindRules device{granule, kOnDevice, PageUse::kPlain};
  const KindRules host{kHugePage, kOnHost, PageUse::kDense};
  RangeRules rules;
  rules.kinds.at(index_of(MemoryKind::kHost)) = host;
  rules.kinds.at(index_of(MemoryKind::kPinned)) = host;
  rules.kinds.at(index_of(MemoryKind::kUnified)) = device;
  rules.kinds.at(index_of(MemoryKind::kDevice)) = device;
  const Bytes most = std::min(options.host_capacity, host_platform().memory().total);
  rules.capacities = {round_down(std::min(options.capacity, memory), granule),
                      round_down(most, kHugePage)};
  return rules;
}

std::string name_of(int device) { return "cuda:" + std::to_string(device); }

Error no_mapping(MemoryKind kind, Bytes size) {
  return {ErrorCode::kUnsupported, "cannot reserve " + to_string(size) + " of " +
                                       std::string(to_string(kind)) +
                                       " memory: this device cannot map it; allocate it"};
}

}  // namespace

// --- opening and closing ----------------------------------------------------------------------

Result<std::unique_ptr<CudaBackend>> CudaBackend::open(const CudaOptions& options) {
  const std::string name = name_of(options.device);
  int count = 0;  // Why: the runtime leaves it unwritten where it finds no driver it can use
  if (std::optional<Error> fault = take_error(cudaGetDeviceCount(&count), "cudaGetDeviceCount")) {
    return Error{fault->code, "cannot open " + name + ": " + fault->message};
  }
  if (options.device < 0 || options.device >= count) {
    return Error{ErrorCode::kUnsupported, "cannot open " + name + ": CUDA shows " +
                                              std::to_string(count) + " devices, numbered from 0"};
  }
  const Result<Driver> driver = load_driver();
  if (!driver) {
    return Error{driver.failure().code, "cannot open " + name + ": " + driver.failure().message};
  }
  std::unique_ptr<CudaBackend> backend(new CudaBackend(options, *driver));
  if (Result<void> started = backend->start(); !started) {
    return Error{started.failure().code, "cannot open " + name + ": " + started.failure().message};
  }
  return backend;
}

CudaBackend::CudaBackend(const CudaOptions& options, const Driver& driver)
    : options_(options),
      driver_(driver),
      health_(name_of(options.device)),
      context_(driver_, health_),
      streams_(health_),
      mapping_(driver_, health_),
      blocks_(health_, options.device) {}

Result<void> CudaBackend::start() {
  if (Result<void> opened = context_.open(options_.device); !opened) {
    return opened;
  }
  const Result<ContextScope> scope = enter("open");
  if (!scope) {
    return scope.failure();
  }
  if (driver_.can_map()) {
    // Why not smaller: each granule is a mapping of its own.
    const Result<Bytes> granule = mapping_.open(options_.device, kHugePage);
    if (!granule) {
      return granule.failure();
    }
    granule_ = *granule;
  }
  if (Result<void> opened = blocks_.open(); !opened) {
    return opened;
  }
  const auto attribute = [&](cudaDeviceAttr asked, int& value) {
    return health_.take(cudaDeviceGetAttribute(&value, asked, options_.device),
                        "cudaDeviceGetAttribute");
  };
  int managed = 0;
  int concurrent = 0;
  std::optional<Error> fault = attribute(cudaDevAttrManagedMemory, managed);
  if (!fault) {
    fault = attribute(cudaDevAttrConcurrentManagedAccess, concurrent);
  }
  std::size_t free = 0;
  std::size_t total = 0;
  if (!fault) {
    fault = health_.take(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  }
  if (fault) {
    return *fault;
  }
  has_unified_ = managed != 0;
  host_reads_unified_ = concurrent != 0;
  ledger_ = std::make_unique<RangeLedger>(
      rules_for(options_, Bytes{total}, std::max(granule_, kHugePage)));
  return {};
}

CudaBackend::~CudaBackend() {
  if (context_.is_open()) {
    const Result<ContextScope> scope = enter_surely("close");
    streams_.drain();
    for (const AddressRange& range : ledger_ ? ledger_->ranges() : std::vector<AddressRange>()) {
      if (!ledger_->is_block(range)) {
        release(range);
      } else if (range.kind == MemoryKind::kHost) {
        release_pages(range.base, range.size);
      }
    }
    blocks_.close();
    streams_.close();
  }
}

Result<ContextScope> CudaBackend::enter(const char* call) {
  if (std::optional<Error> lost = health_.refusal(call)) {
    return *lost;
  }
  return context_.enter();
}

// Where something is given back, a refusal has nobody to be told.
Result<ContextScope> CudaBackend::enter_surely(const char* call) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (Result<ContextScope> scope = enter(call); scope || health_.is_lost()) {
      return scope;
    }
  }
  return enter(call);
}

// --- memory -----------------------------------------------------------------------------------

bool CudaBackend::maps(MemoryKind kind) const {
  return kind == MemoryKind::kHost || (kind == MemoryKind::kDevice && !granule_.is_zero());
}

KindTraits CudaBackend::traits(MemoryKind kind) const {
  KindTraits traits;
  traits.supported = kind != MemoryKind::kUnified || has_unified_;
  traits.can_map = maps(kind);
  traits.host_readable =
      kind == MemoryKind::kUnified ? host_reads_unified_ : kind != MemoryKind::kDevice;
  const std::scoped_lock lock(mutex_);
  traits.granularity = ledger_->rules(kind).granularity;
  traits.capacity = ledger_->capacity(kind);
  if (!traits.supported) {
    traits.note = "the device has no managed memory";
  } else if (kind == MemoryKind::kUnified && !host_reads_unified_) {
    traits.note = "the host may not touch it while the device works";
  } else if (kind == MemoryKind::kDevice && !traits.can_map) {
    traits.note = "allocated in blocks: the device has no virtual memory management";
  }
  return traits;
}

Result<AddressRange> CudaBackend::reserve(MemoryKind kind, Bytes size) {
  if (!maps(kind)) {
    return no_mapping(kind, size);
  }
  {
    const std::scoped_lock lock(mutex_);
    ledger_->require_reservable(kind, size);
  }
  if (std::optional<Error> lost = health_.refusal("reserve")) {
    return *lost;
  }
  const std::scoped_lock growing(growth_);
  const Result<std::byte*> base = kind == MemoryKind::kHost
                                      ? reserve_pages(size, ledger_->rules(kind).granularity)
                                      : mapping_.reserve(size);
  if (!base) {
    return base.failure();
  }
  const AddressRange range{*base, size, kind};
  const std::scoped_lock lock(mutex_);
  ledger_->add(range);
  return range;
}

void CudaBackend::release(const AddressRange& range) {
  const std::scoped_lock growing(growth_);
  std::vector<AddressRange> pieces;
  {
    const std::scoped_lock lock(mutex_);
    ledger_->require_range(range);
    pieces = ledger_->pieces(range);
    ledger_->remove(range);
  }
  if (range.kind == MemoryKind::kHost) {
    release_pages(range.base, range.size);
    return;
  }
  for (const AddressRange& piece : pieces) {
    mapping_.unmap(piece.base, piece.size);
  }
  mapping_.release(range.base, range.size);
}

Result<void> CudaBackend::map(const AddressRange& range, Bytes offset, Bytes size) {
  const std::scoped_lock growing(growth_);
  {
    const std::scoped_lock lock(mutex_);
    if (Result<void> room = ledger_->may_map(range, offset, size); !room) {
      return room;
    }
  }
  const Result<ContextScope> scope = enter("map");
  if (!scope) {
    return scope.failure();
  }
  std::byte* const base = range.base + offset.count();
  const Result<void> done = range.kind == MemoryKind::kHost
                                ? commit_pages(base, size, PageUse::kDense)
                                : mapping_.map(base, size);
  if (!done) {
    return with_figures(done.failure());
  }
  const std::scoped_lock lock(mutex_);
  ledger_->note_mapped(range, offset, size);
  return {};
}

// What the device has left, where it is short: others use it too.
Error CudaBackend::with_figures(const Error& refused) const {
  std::size_t free = 0;
  std::size_t total = 0;
  if (refused.code != ErrorCode::kOutOfMemory ||
      take_error(cudaMemGetInfo(&free, &total), "cudaMemGetInfo")) {
    return refused;
  }
  return {refused.code, refused.message + "; " + to_string(Bytes{free}) + " of " +
                            to_string(Bytes{total}) + " are free on " + name()};
}

void CudaBackend::unmap(const AddressRange& range, Bytes offset, Bytes size) {
  const std::scoped_lock growing(growth_);
  {
    const std::scoped_lock lock(mutex_);
    ledger_->require_mapped(range, offset, size);
    ledger_->note_unmapped(range, offset, size);
  }
  if (range.kind == MemoryKind::kHost) {
    decommit_pages(range.base + offset.count(), size);
  } else {
    mapping_.unmap(range.base + offset.count(), size);
  }
}

Result<std::byte*> CudaBackend::allocate(MemoryKind kind, Bytes size) {
  if (kind == MemoryKind::kUnified && !has_unified_) {
    return Error{ErrorCode::kUnsupported, "cannot allocate " + to_string(size) +
                                              " of unified memory: " + name() + " has none"};
  }
  const std::scoped_lock growing(growth_);
  Bytes whole;
  {
    const std::scoped_lock lock(mutex_);
    if (Result<void> room = ledger_->may_allocate(kind, size); !room) {
      return room.failure();
    }
    whole = ledger_->block_size(kind, size);
  }
  const Result<ContextScope> scope = enter("allocate");
  if (!scope) {
    return scope.failure();
  }
  const Result<std::byte*> base = kind == MemoryKind::kHost
                                      ? allocate_pages(whole, kHugePage, PageUse::kDense)
                                      : blocks_.allocate(kind, whole);
  if (!base) {
    return with_figures(base.failure());
  }
  const std::scoped_lock lock(mutex_);
  ledger_->add_block(kind, *base, size);
  return *base;
}

void CudaBackend::deallocate(MemoryKind kind, std::byte* base, Bytes size) {
  const std::scoped_lock growing(growth_);
  AddressRange range;
  {
    const std::scoped_lock lock(mutex_);
    range = ledger_->require_block(kind, base, size);
    ledger_->remove(range);
  }
  if (kind == MemoryKind::kHost) {
    release_pages(range.base, range.size);
    return;
  }
  const Result<ContextScope> scope = enter_surely("deallocate");
  blocks_.deallocate(base);
}

// --- streams ----------------------------------------------------------------------------------

Result<StreamId> CudaBackend::make_stream() {
  const Result<ContextScope> scope = enter("make a stream");
  return scope ? streams_.make() : scope.failure();
}

Result<StreamId> CudaBackend::adopt_stream(void* native) {
  return streams_.adopt(static_cast<cudaStream_t>(native));
}

bool CudaBackend::has_stream(StreamId stream) const { return streams_.has(stream); }

Result<StreamEvent> CudaBackend::record(StreamId stream) {
  const Result<ContextScope> scope = enter("record");
  return scope ? streams_.record(stream) : scope.failure();
}

std::uint64_t CudaBackend::reached(StreamId stream) {
  check(streams_.has(stream), "a stream that is asked after was made");
  const Result<ContextScope> scope = enter("ask after a stream");
  return scope ? streams_.reached(stream) : streams_.last_reached(stream);
}

Result<void> CudaBackend::wait(StreamId waiter, StreamEvent event) {
  const Result<ContextScope> scope = enter("wait");
  return scope ? streams_.wait(waiter, event) : scope.failure();
}

Result<void> CudaBackend::synchronize(StreamEvent event) {
  const Result<ContextScope> scope = enter("synchronize");
  return scope ? streams_.synchronize(event) : scope.failure();
}

// --- work -------------------------------------------------------------------------------------

Result<void> CudaBackend::require_access(const std::byte* address, Bytes size,
                                         const char* call) const {
  const std::scoped_lock lock(mutex_);
  const std::optional<std::string> fault = ledger_->fault_of(address, size);
  if (!fault) {
    return {};
  }
  return Error{ErrorCode::kBadArgument,
               std::string("cannot ") + call + " " + to_string(size) + ": " + *fault};
}

std::optional<MemoryKind> CudaBackend::kind_of(const std::byte* address) const {
  const std::scoped_lock lock(mutex_);
  return ledger_->kind_of(address);
}

// Of a caller's own memory the runtime knows.
Result<CudaBackend::Place> CudaBackend::place_of(const std::byte* address) {
  if (const std::optional<MemoryKind> kind = kind_of(address)) {
    return *kind == MemoryKind::kHost     ? Place::kPlain
           : *kind == MemoryKind::kPinned ? Place::kPinned
                                          : Place::kDevice;
  }
  cudaPointerAttributes attributes{};
  if (std::optional<Error> fault = health_.take(cudaPointerGetAttributes(&attributes, address),
                                                "cudaPointerGetAttributes", Blame::kCaller)) {
    return *fault;
  }
  return attributes.type == cudaMemoryTypeUnregistered ? Place::kPlain
         : attributes.type == cudaMemoryTypeHost       ? Place::kPinned
                                                       : Place::kDevice;
}

// Why plain memory is waited for: a copy from it to the device may read it when it is put on the
// stream, and not in the stream's order.
Result<void> CudaBackend::do_on_host(StreamId stream, cudaStream_t native, Place place,
                                     std::function<void()> work) {
  std::unique_lock<std::mutex> in_order;
  if (place == Place::kPlain) {
    in_order = streams_.hold(stream);
  }
  if (std::optional<Error> fault =
          health_.take(launch_host_work(native, std::move(work)), "cudaLaunchHostFunc")) {
    return *fault;
  }
  if (place != Place::kPlain) {
    return {};
  }
  if (std::optional<Error> fault =
          health_.take(cudaStreamSynchronize(native), "cudaStreamSynchronize")) {
    return *fault;
  }
  return {};
}

Result<void> CudaBackend::copy(StreamId stream, std::byte* to, const std::byte* from, Bytes size) {
  const Result<cudaStream_t> native = streams_.native(stream, "copy");
  if (!native) {
    return native.failure();
  }
  for (const std::byte* const side : {from, static_cast<const std::byte*>(to)}) {
    if (Result<void> access = require_access(side, size, "copy"); !access) {
      return access;
    }
  }
  const Result<ContextScope> scope = enter("copy");
  if (!scope) {
    return scope.failure();
  }
  if (size.is_zero()) {
    return {};
  }
  const Result<Place> to_place = place_of(to);
  const Result<Place> from_place = place_of(from);
  if (!to_place || !from_place) {
    return to_place ? from_place.failure() : to_place.failure();
  }
  const bool is_plain = *to_place == Place::kPlain || *from_place == Place::kPlain;
  if (*to_place != Place::kDevice && *from_place != Place::kDevice) {
    return do_on_host(stream, *native, is_plain ? Place::kPlain : Place::kPinned,
                      [=] { copy_bytes(to, from, size); });
  }
  std::unique_lock<std::mutex> in_order;
  if (is_plain) {
    in_order = streams_.hold(stream);
  }
  if (std::optional<Error> fault =
          health_.take(cudaMemcpyAsync(to, from, size.count(), cudaMemcpyDefault, *native),
                       "cudaMemcpyAsync", Blame::kCaller)) {
    return *fault;
  }
  return {};
}

Result<void> CudaBackend::fill(StreamId stream, std::byte* to, std::byte value, Bytes size) {
  const Result<cudaStream_t> native = streams_.native(stream, "fill");
  if (!native) {
    return native.failure();
  }
  if (Result<void> access = require_access(to, size, "fill"); !access) {
    return access;
  }
  const Result<ContextScope> scope = enter("fill");
  if (!scope) {
    return scope.failure();
  }
  if (size.is_zero()) {
    return {};
  }
  const Result<Place> place = place_of(to);
  if (!place) {
    return place.failure();
  }
  if (*place != Place::kDevice) {
    return do_on_host(stream, *native, *place, [=] { fill_bytes(to, value, size); });
  }
  if (std::optional<Error> fault =
          health_.take(cudaMemsetAsync(to, std::to_integer<int>(value), size.count(), *native),
                       "cudaMemsetAsync", Blame::kCaller)) {
    return *fault;
  }
  return {};
}

}  // namespace tenure
