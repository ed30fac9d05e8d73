// Clients of a runtime: names for those who share its pools, and what each may hold.
#include <algorithm>
#include <string>

#include "core/runtime/state.hpp"
#include "tenure/runtime.hpp"

namespace tenure {

Result<ClientId> RuntimeState::make_client(std::string_view name) {
  constexpr std::size_t kMost = 65'535;
  if (name.empty()) {
    return Error{ErrorCode::kBadArgument, "a client needs a name"};
  }
  const std::scoped_lock lock(clients_mutex_);
  const auto at = std::find(clients_.begin(), clients_.end(), name);
  if (at == clients_.end()) {
    if (clients_.size() == kMost) {
      return Error{ErrorCode::kBadArgument, "65535 clients are known; no more can be told apart"};
    }
    clients_.emplace_back(name);
    client_count_.store(static_cast<std::uint32_t>(clients_.size()), std::memory_order_release);
    return static_cast<ClientId>(clients_.size());
  }
  return static_cast<ClientId>(at - clients_.begin() + 1);
}

Result<void> RuntimeState::limit_client(ClientId client, MemoryKind kind,
                                        const ClientLimits& limits) {
  if (client == ClientId::kNone || !knows(client)) {
    return no_such(client);
  }
  if (limits.soft > limits.hard && limits.soft != kUnlimited) {
    return Error{ErrorCode::kBadArgument, "a soft limit of " + to_string(limits.soft) +
                                              " lies above the hard one of " +
                                              to_string(limits.hard)};
  }
  if (!is_open()) {
    return Error{ErrorCode::kClosed, "the runtime was closed; it has nothing to limit"};
  }
  const Result<PayloadPool*> found = pool(kind);
  if (!found) {
    return found.failure();
  }
  const std::string name = [&] {
    const std::scoped_lock lock(clients_mutex_);
    return clients_[static_cast<std::size_t>(client) - 1];
  }();
  (*found)->limit_client(client, name, limits);
  return {};
}

Error RuntimeState::no_such(ClientId client) const {
  return Error{ErrorCode::kBadArgument,
               "there is no client " + std::to_string(static_cast<std::uint32_t>(client)) +
                   "; make_client made " + std::to_string(client_count_.load())};
}

void RuntimeState::name_clients(PoolStatistics& pool) {
  const std::scoped_lock lock(clients_mutex_);
  for (ClientStatistics& client : pool.clients) {
    client.name = clients_[static_cast<std::size_t>(client.client) - 1];
  }
}

std::vector<std::string> RuntimeState::client_names() {
  const std::scoped_lock lock(clients_mutex_);
  std::vector<std::string> names{""};
  names.insert(names.end(), clients_.begin(), clients_.end());
  return names;
}

Result<ClientId> Runtime::make_client(std::string_view name) { return state_->make_client(name); }

Result<void> Runtime::limit_client(ClientId client, MemoryKind kind, const ClientLimits& limits) {
  return state_->limit_client(client, kind, limits);
}

}  // namespace tenure
