// Device memory for tests of kernels: the same test is a program of the emulator, where it is the
// host's memory, and of a device. The link decides.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace tenure::testing {

/// Why no kernel can run here, in a sentence; empty where one can.
[[nodiscard]] std::string why_no_device();

/// Lanes in order, or an order drawn from the seed with pre-emption and two workers. A device has its
/// own order.
void use_order(unsigned seed);

/// How many of a number of runs are enough here: all on a device, fewer in the emulator, and fewer
/// still under a sanitizer.
[[nodiscard]] unsigned share_of(unsigned runs);

// For Buffer. Each stops the program where the device refuses.
[[nodiscard]] std::byte* take_device_memory(std::size_t bytes);
void give_device_memory(std::byte* memory);
/// Zeroed host memory that kernels write while the host reads it.
[[nodiscard]] std::byte* take_shared_memory(std::size_t bytes);
void give_shared_memory(std::byte* memory);
void copy_to_device(std::byte* device, const void* host, std::size_t bytes);
void copy_from_device(void* host, const std::byte* device, std::size_t bytes);  // waits

/// An array in device memory, touched from the host by copies alone.
template <class T>
class Buffer {
 public:
  static_assert(std::is_trivially_copyable_v<T>);

  explicit Buffer(std::size_t size, T value = {}) : Buffer(std::vector<T>(size, value)) {}
  explicit Buffer(const std::vector<T>& values) : Buffer(std::span<const T>(values)) {}
  explicit Buffer(std::span<const T> values)
      : size_(values.size()), memory_(take_device_memory(size_ * sizeof(T))) {
    write(values);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { give_device_memory(memory_); }

  [[nodiscard]] T* data() { return reinterpret_cast<T*>(memory_); }
  [[nodiscard]] std::size_t size() const { return size_; }

  void write(std::span<const T> values) {
    copy_to_device(memory_, values.data(), values.size() * sizeof(T));
  }
  [[nodiscard]] std::vector<T> read() const {
    std::vector<T> values(size_);
    copy_from_device(values.data(), memory_, size_ * sizeof(T));
    return values;
  }

 private:
  std::size_t size_;
  std::byte* memory_;
};

}  // namespace tenure::testing
