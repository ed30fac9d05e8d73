// Where objects are now that were somewhere else: for tables that a program keys by address.
//
//   std::map<const void*, Note> notes;                   // a side table
//   const void* key = value_or_throw(relocator.add_forwarding(object));
//   ... collections ...
//   const void* now = relocator.relocate_reference(key);  // null: nobody registered it
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tenure/facade/objects.hpp"
#include "tenure/result.hpp"
#include "tenure/roots.hpp"

namespace tenure {

class FacadeState;  // core/facade

/// Forwardings of registered objects, kept by the collections that move them. They hold their objects:
/// one that is only in a side table lives.
///
/// errors   of all calls: kClosed
/// threads  one at a time
class ObjectRelocator {
 public:
  explicit ObjectRelocator(FacadeState& state);
  ObjectRelocator(ObjectRelocator&&) noexcept;
  ObjectRelocator& operator=(ObjectRelocator&&) noexcept;
  ~ObjectRelocator();

  /// Registers an object under the address that it has now.
  ///
  /// returns  that address, of the object's data
  /// errors   kBadArgument: the handle is null, or another collector's; the address is the key of an object
  ///          that moved away since, which is to be removed first
  Result<const void*> add_forwarding(const Handle<GcObject>& object);
  /// Where the object is that was registered under `old`; null where none was.
  [[nodiscard]] Result<const void*> relocate_reference(const void* old) const;
  /// Ends one.
  ///
  /// returns  whether there was one
  Result<bool> remove_forwarding(const void* old);

  [[nodiscard]] std::size_t count() const;
  /// Of these, how many are not where they were registered.
  [[nodiscard]] Result<std::size_t> moved() const;
  /// Registers all under the addresses that they have now: for after a side table was rewritten.
  Result<void> rebase();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tenure
