#include "host/simulated_device.hpp"

#include <algorithm>
#include <utility>

#include "core/backend/platform.hpp"
#include "core/base/check.hpp"
#include "host/byte_moves.hpp"
#include "host/pages.hpp"

namespace tenure {

namespace {

constexpr std::size_t kOnDevice = 0;  // accounts of capacity
constexpr std::size_t kOnHost = 1;

bool is_on_device(MemoryKind kind) {
  return kind == MemoryKind::kDevice || kind == MemoryKind::kUnified;
}

RangeRules rules_for(const SimulatedOptions& options) {
  const KindRules device{options.granularity, kOnDevice, PageUse::kPlain};
  const KindRules host{page_bytes(), kOnHost, PageUse::kPlain};
  RangeRules rules;
  rules.kinds.at(index_of(MemoryKind::kHost)) = host;
  rules.kinds.at(index_of(MemoryKind::kPinned)) = host;
  rules.kinds.at(index_of(MemoryKind::kUnified)) = device;
  rules.kinds.at(index_of(MemoryKind::kDevice)) = device;
  rules.capacities = {round_down(options.capacity, options.granularity),
                      std::min(options.host_capacity, host_platform().memory().total)};
  return rules;
}

SimulatedOptions options_for_tests(Bytes capacity) {
  SimulatedOptions options;
  options.capacity = capacity;
  options.costs = SimulatedCosts::free();
  options.checks_order = true;
  return options;
}

// As it is asked for by name: "80GiB", "1536MiB".
std::string exact(Bytes size) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  std::uint64_t count = size.count();
  std::size_t unit = 0;
  while (count != 0 && count % 1024 == 0 && unit + 1 < kUnits.size()) {
    count /= 1024;
    ++unit;
  }
  return std::to_string(count) + kUnits.at(unit);
}

std::string words_of(StreamId stream) {
  return "stream " + std::to_string(static_cast<std::uint32_t>(stream));
}

std::string cannot(BackendCall call) { return "cannot " + std::string(to_string(call)); }

// Why noexcept: an exception would leave the clock half moved, with nobody to catch it.
void run(Effect& effect) noexcept {
  if (effect.run) {
    effect.run();
  }
}

std::byte* writable(const std::byte* bytes) { return const_cast<std::byte*>(bytes); }

}  // namespace

SimulatedDevice::SimulatedDevice(const SimulatedOptions& options)
    : options_(options), ranges_(rules_for(options)) {}

SimulatedDevice::SimulatedDevice(Bytes capacity) : SimulatedDevice(options_for_tests(capacity)) {}

SimulatedDevice::~SimulatedDevice() { advance_until_idle(); }

// --- time -------------------------------------------------------------------------------------

// Waits until no other thread's effects run. An effect's own calls pass.
SimulatedDevice::Lock SimulatedDevice::take_turn() const {
  Lock lock(mutex_);
  turn_.wait(lock, [this] {
    return runner_ == std::thread::id{} || runner_ == std::this_thread::get_id();
  });
  return lock;
}

// In the child of a fork: effects that ran on another thread end there for ever.
void SimulatedDevice::begin_child() {
  if (runner_ != std::this_thread::get_id()) {
    runner_ = std::thread::id{};
  }
  mutex_.unlock();
}

// Moves the clock to `time_ns`, and lets all that is due by then happen.
void SimulatedDevice::pass_time(Lock& lock, std::uint64_t time_ns) {
  if (runner_ == std::this_thread::get_id()) {
    return;  // an effect's own calls take no time
  }
  runner_ = std::this_thread::get_id();
  while (std::optional<Effect> effect = streams_.take_due(time_ns)) {
    lock.unlock();
    run(*effect);
    effect.reset();  // what it holds may be anyone's, and goes without the lock too
    lock.lock();
  }
  streams_.set_time(time_ns);
  runner_ = std::thread::id{};
  turn_.notify_all();
}

void SimulatedDevice::advance(std::uint64_t time_ns) {
  Lock lock = take_turn();
  check(runner_ != std::this_thread::get_id(), "an effect does not move the clock");
  pass_time(lock, streams_.now_ns() + time_ns);
}

void SimulatedDevice::advance_until_idle() {
  Lock lock = take_turn();
  check(runner_ != std::this_thread::get_id(), "an effect does not move the clock");
  do {
    pass_time(lock, streams_.idle_at());
  } while (streams_.idle_at() > streams_.now_ns());
}

std::uint64_t SimulatedDevice::host_now_ns() const {
  const Lock lock = take_turn();
  return streams_.now_ns();
}

// --- faults -----------------------------------------------------------------------------------

// Counts a call, lets its cost pass, and says why it fails where it is to.
std::optional<Error> SimulatedDevice::enter(Lock& lock, BackendCall call, std::uint64_t cost_ns) {
  std::optional<Error> fault = faults_.count(call);
  if (is_lost_) {
    return Error{ErrorCode::kDeviceLost,
                 cannot(call) + ": " + name() + " is lost; open another backend"};
  }
  pass_time(lock, streams_.now_ns() + cost_ns);
  if (fault && fault->code == ErrorCode::kDeviceLost) {
    lose(lock);
  }
  return fault;
}

// Of a call that cannot fail: a lost device lets go of what it held at once.
void SimulatedDevice::enter_surely(Lock& lock, BackendCall call, std::uint64_t cost_ns) {
  const std::optional<Error> fault = faults_.count(call);
  check(!fault, "what cannot fail was not made to");
  if (!is_lost_) {
    pass_time(lock, streams_.now_ns() + cost_ns);
  }
}

void SimulatedDevice::lose(Lock& lock) {
  is_lost_ = true;
  const std::vector<Effect> abandoned = streams_.abandon();
  lock.unlock();  // what the effects hold may be anyone's, and goes without the lock
}

void SimulatedDevice::lose() {
  Lock lock = take_turn();
  lose(lock);
}

void SimulatedDevice::fail(BackendCall call, std::uint64_t nth, ErrorCode code) {
  const Lock lock = take_turn();
  faults_.fail(call, nth, code);
}

void SimulatedDevice::fail_randomly(double probability, std::uint64_t seed) {
  const Lock lock = take_turn();
  faults_.fail_randomly(probability, seed);
}

std::optional<Error> SimulatedDevice::refuse_stream(StreamId stream, BackendCall call) const {
  if (streams_.has(stream)) {
    return std::nullopt;
  }
  const char* const reason = streams_.had(stream) ? " was ended" : " was never made";
  return Error{ErrorCode::kBadArgument, cannot(call) + ": " + words_of(stream) + reason};
}

std::optional<Error> SimulatedDevice::refuse_event(StreamEvent event, BackendCall call) const {
  const std::uint64_t last = streams_.had(event.stream) ? streams_.recorded(event.stream) : 0;
  if (streams_.had(event.stream) && event.sequence <= last) {
    return std::nullopt;
  }
  return Error{ErrorCode::kBadArgument,
               cannot(call) + " for event " + std::to_string(event.sequence) + " of " +
                   words_of(event.stream) + ": " + std::to_string(last) + " were recorded there"};
}

std::optional<Error> SimulatedDevice::refuse_access(const std::byte* address, Bytes size,
                                                    BackendCall call) const {
  const std::optional<std::string> fault = ranges_.fault_of(address, size);
  if (!fault) {
    return std::nullopt;
  }
  return Error{ErrorCode::kBadArgument, cannot(call) + " " + to_string(size) + ": " + *fault};
}

void SimulatedDevice::require_unused(const std::byte* base, Bytes size, BackendCall call) const {
  if (const std::optional<PayloadView> use = streams_.pending_use(base, size)) {
    tenure::fail(std::string(to_string(call)) + " of " + to_string(size) +
                 ", while work in flight uses " + to_string(use->size) + " there");
  }
}

// --- memory -----------------------------------------------------------------------------------

std::string SimulatedDevice::name() const { return "sim:" + exact(options_.capacity); }

KindTraits SimulatedDevice::traits(MemoryKind kind) const {
  KindTraits traits;
  traits.supported = true;
  traits.can_map = options_.can_map.at(index_of(kind));
  traits.host_readable = kind != MemoryKind::kDevice;
  traits.granularity = ranges_.rules(kind).granularity;
  traits.capacity = ranges_.capacity(kind);
  traits.note = "simulated: memory of the host, taken as it is touched";
  return traits;
}

Result<AddressRange> SimulatedDevice::reserve(MemoryKind kind, Bytes size) {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kReserve, 0)) {
    return *fault;
  }
  if (!options_.can_map.at(index_of(kind))) {
    return Error{ErrorCode::kUnsupported, "cannot reserve " + to_string(size) + " of " +
                                              std::string(to_string(kind)) +
                                              " memory: this device cannot map it; allocate it"};
  }
  return ranges_.reserve(kind, size);
}

void SimulatedDevice::release(const AddressRange& range) {
  Lock lock = take_turn();
  enter_surely(lock, BackendCall::kRelease, 0);
  require_unused(range.base, range.size, BackendCall::kRelease);
  order_.forget(range.base, range.size);
  ranges_.release(range);
}

Result<void> SimulatedDevice::map(const AddressRange& range, Bytes offset, Bytes size) {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kMap, options_.costs.map_ns)) {
    return *fault;
  }
  return ranges_.map(range, offset, size);
}

void SimulatedDevice::unmap(const AddressRange& range, Bytes offset, Bytes size) {
  Lock lock = take_turn();
  enter_surely(lock, BackendCall::kUnmap, options_.costs.unmap_ns);
  require_unused(range.base + offset.count(), size, BackendCall::kUnmap);
  order_.forget(range.base + offset.count(), size);
  ranges_.unmap(range, offset, size);
}

Result<std::byte*> SimulatedDevice::allocate(MemoryKind kind, Bytes size) {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kAllocate, options_.costs.map_ns)) {
    return *fault;
  }
  return ranges_.allocate(kind, size);
}

void SimulatedDevice::deallocate(MemoryKind kind, std::byte* base, Bytes size) {
  Lock lock = take_turn();
  enter_surely(lock, BackendCall::kDeallocate, options_.costs.unmap_ns);
  require_unused(base, size, BackendCall::kDeallocate);
  order_.forget(base, size);
  ranges_.deallocate(kind, base, size);
}

Bytes SimulatedDevice::mapped(MemoryKind kind) const {
  const Lock lock = take_turn();
  return ranges_.mapped(kind);
}

// --- streams ----------------------------------------------------------------------------------

Result<StreamId> SimulatedDevice::make_stream() {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kMakeStream, 0)) {
    return *fault;
  }
  order_.make_stream();
  return streams_.make();
}

void SimulatedDevice::end_stream(StreamId stream) {
  const Lock lock = take_turn();
  check(streams_.has(stream), "a stream that is ended was made, and not ended before");
  streams_.end(stream);
}

bool SimulatedDevice::has_stream(StreamId stream) const {
  const Lock lock = take_turn();
  return streams_.has(stream);
}

Result<StreamEvent> SimulatedDevice::record(StreamId stream) {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kRecord, options_.costs.record_ns)) {
    return *fault;
  }
  if (std::optional<Error> refusal = refuse_stream(stream, BackendCall::kRecord)) {
    return *refusal;
  }
  if (options_.checks_order) {
    order_.record(stream);
  }
  return streams_.record(stream);
}

std::uint64_t SimulatedDevice::reached(StreamId stream) {
  Lock lock = take_turn();
  enter_surely(lock, BackendCall::kReached, 0);
  check(streams_.had(stream), "a stream that is asked after was made");
  const std::uint64_t sequence = streams_.reached(stream);
  if (options_.checks_order) {
    order_.observe({stream, sequence});
  }
  return sequence;
}

Result<void> SimulatedDevice::wait(StreamId waiter, StreamEvent event) {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kWait, options_.costs.wait_ns)) {
    return *fault;
  }
  if (std::optional<Error> refusal = refuse_stream(waiter, BackendCall::kWait)) {
    return *refusal;
  }
  if (std::optional<Error> refusal = refuse_event(event, BackendCall::kWait)) {
    return *refusal;
  }
  streams_.wait(waiter, event);
  if (options_.checks_order) {
    order_.wait(waiter, event);
  }
  if (options_.keeps_waits) {
    waits_.push_back({waiter, event});
  }
  return {};
}

std::vector<WaitRecord> SimulatedDevice::waits() const {
  const Lock lock = take_turn();
  return waits_;
}

std::vector<std::string> SimulatedDevice::order_faults() const {
  const Lock lock = take_turn();
  return order_.faults();
}

std::uint64_t SimulatedDevice::count(BackendCall call) const {
  const Lock lock = take_turn();
  return faults_.made(call);
}

Result<void> SimulatedDevice::synchronize(StreamEvent event) {
  Lock lock = take_turn();
  check(runner_ != std::this_thread::get_id(), "an effect does not wait for others");
  if (std::optional<Error> fault = enter(lock, BackendCall::kSynchronize, 0)) {
    return *fault;
  }
  if (std::optional<Error> refusal = refuse_event(event, BackendCall::kSynchronize)) {
    return *refusal;
  }
  pass_time(lock, std::max(streams_.now_ns(), streams_.time_of(event)));
  if (options_.checks_order) {
    order_.observe(event);
  }
  return {};
}

// --- work -------------------------------------------------------------------------------------

// How long the device is at it, by the slowest way that the bytes go.
std::uint64_t SimulatedDevice::transfer_ns(const std::byte* to, const std::byte* from,
                                           Bytes size) const {
  const auto is_here = [this](const std::byte* address) {
    const std::optional<MemoryKind> kind = ranges_.kind_of(address);
    return kind && is_on_device(*kind);
  };
  const std::uint64_t bytes_per_us = is_here(to) && is_here(from)
                                         ? options_.costs.device_bytes_per_us
                                         : options_.costs.bus_bytes_per_us;
  return bytes_per_us == 0 ? 0 : size.count() * 1000 / bytes_per_us;
}

void SimulatedDevice::submit_locked(StreamId stream, std::uint64_t duration_ns, Effect effect) {
  if (options_.checks_order) {
    order_.submit(stream, effect.uses);
  }
  const double longer = options_.jitter * seeded_fraction(options_.seed, works_++);
  const auto added_ns = static_cast<std::uint64_t>(static_cast<double>(duration_ns) * longer);
  streams_.submit(stream, duration_ns + added_ns, std::move(effect));
}

Result<void> SimulatedDevice::submit(StreamId stream, std::uint64_t duration_ns,
                                     std::function<void()> effect, std::vector<DeviceUse> uses) {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kSubmit, options_.costs.launch_ns)) {
    return *fault;
  }
  if (std::optional<Error> refusal = refuse_stream(stream, BackendCall::kSubmit)) {
    return *refusal;
  }
  submit_locked(stream, duration_ns, {std::move(effect), std::move(uses)});
  return {};
}

Result<void> SimulatedDevice::copy(StreamId stream, std::byte* to, const std::byte* from,
                                   Bytes size) {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kCopy, options_.costs.launch_ns)) {
    return *fault;
  }
  if (std::optional<Error> refusal = refuse_stream(stream, BackendCall::kCopy)) {
    return *refusal;
  }
  for (const std::byte* const side : {from, static_cast<const std::byte*>(to)}) {
    if (std::optional<Error> refusal = refuse_access(side, size, BackendCall::kCopy)) {
      return *refusal;
    }
  }
  submit_locked(stream, transfer_ns(to, from, size),
                {[to, from, size] { copy_bytes(to, from, size); },
                 {PayloadView{to, size}, {PayloadView{writable(from), size}, Access::kRead}}});
  return {};
}

Result<void> SimulatedDevice::fill(StreamId stream, std::byte* to, std::byte value, Bytes size) {
  Lock lock = take_turn();
  if (std::optional<Error> fault = enter(lock, BackendCall::kFill, options_.costs.launch_ns)) {
    return *fault;
  }
  if (std::optional<Error> refusal = refuse_stream(stream, BackendCall::kFill)) {
    return *refusal;
  }
  if (std::optional<Error> refusal = refuse_access(to, size, BackendCall::kFill)) {
    return *refusal;
  }
  submit_locked(stream, transfer_ns(to, to, size),
                {[to, value, size] { fill_bytes(to, value, size); }, {PayloadView{to, size}}});
  return {};
}

}  // namespace tenure
