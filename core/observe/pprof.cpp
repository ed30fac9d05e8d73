// A profile as profile.proto: strings, functions, places and modules are tables; a site is a sample.
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/check.hpp"
#include "core/observe/protobuf.hpp"
#include "tenure/export.hpp"

namespace tenure {

namespace {

// Numbers of fields, by the message they are in.
namespace profile_field {
constexpr std::uint32_t kSampleType = 1;
constexpr std::uint32_t kSample = 2;
constexpr std::uint32_t kMapping = 3;
constexpr std::uint32_t kLocation = 4;
constexpr std::uint32_t kFunction = 5;
constexpr std::uint32_t kStringTable = 6;
constexpr std::uint32_t kDurationNanos = 10;
constexpr std::uint32_t kPeriodType = 11;
constexpr std::uint32_t kPeriod = 12;
constexpr std::uint32_t kDefaultSampleType = 14;
}  // namespace profile_field
namespace value_type_field {
constexpr std::uint32_t kType = 1;
constexpr std::uint32_t kUnit = 2;
}  // namespace value_type_field
namespace sample_field {
constexpr std::uint32_t kLocationId = 1;
constexpr std::uint32_t kValue = 2;
constexpr std::uint32_t kLabel = 3;
}  // namespace sample_field
namespace label_field {
constexpr std::uint32_t kKey = 1;
constexpr std::uint32_t kString = 2;
}  // namespace label_field
namespace mapping_field {
constexpr std::uint32_t kId = 1;
constexpr std::uint32_t kMemoryStart = 2;
constexpr std::uint32_t kMemoryLimit = 3;
constexpr std::uint32_t kFilename = 5;
constexpr std::uint32_t kHasFunctions = 7;
}  // namespace mapping_field
namespace location_field {
constexpr std::uint32_t kId = 1;
constexpr std::uint32_t kMappingId = 2;
constexpr std::uint32_t kAddress = 3;
constexpr std::uint32_t kLine = 4;
}  // namespace location_field
constexpr std::uint32_t kLineFunctionId = 1;
namespace function_field {
constexpr std::uint32_t kId = 1;
constexpr std::uint32_t kName = 2;
constexpr std::uint32_t kSystemName = 3;
}  // namespace function_field

// Numbers things from `first` on, in the order they are first seen in.
template <class Key>
class Numbering {
 public:
  explicit Numbering(std::uint64_t first) : first_(first) {}
  std::uint64_t number(const Key& key) {
    const auto [at, is_new] = numbers_.try_emplace(key, first_ + keys_.size());
    if (is_new) {
      keys_.push_back(key);
    }
    return at->second;
  }
  [[nodiscard]] const std::vector<Key>& keys() const { return keys_; }

 private:
  std::uint64_t first_;
  std::map<Key, std::uint64_t> numbers_;
  std::vector<Key> keys_;
};

std::uint64_t count_of(double estimate) {
  return static_cast<std::uint64_t>(std::llround(std::max(estimate, 0.0)));
}

class Writer {
 public:
  explicit Writer(const Profile& profile) : profile_(profile) { (void)string(""); }

  std::string write() {
    using namespace profile_field;
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kValues{
        {{"alloc_objects", "count"},
         {"alloc_space", "bytes"},
         {"inuse_objects", "count"},
         {"inuse_space", "bytes"}}};
    for (const auto& [type, unit] : kValues) {
      message_.add(kSampleType, value_type(type, unit));
    }
    for (const AllocationSite& site : profile_.sites) {
      message_.add(kSample, sample(site));
    }
    write_modules();
    message_.add(kDurationNanos,
                 profile_.taken_ns - std::min(profile_.taken_ns, profile_.since_ns));
    message_.add(kPeriodType, value_type("space", "bytes"));
    message_.add(kPeriod, profile_.sample_interval.count());
    message_.add(kDefaultSampleType, string("inuse_space"));
    for (const std::string& text : strings_.keys()) {
      message_.add(kStringTable, std::string_view(text));
    }
    return std::string(message_.bytes());
  }

 private:
  std::uint64_t string(std::string_view text) { return strings_.number(std::string(text)); }

  ProtobufMessage value_type(std::string_view type, std::string_view unit) {
    ProtobufMessage message;
    message.add(value_type_field::kType, string(type));
    message.add(value_type_field::kUnit, string(unit));
    return message;
  }

  ProtobufMessage sample(const AllocationSite& site) {
    std::vector<std::uint64_t> places;
    for (const StackFrame& frame : site.stack) {
      places.push_back(place(frame));
    }
    const std::array<std::uint64_t, 4> values{
        count_of(site.total_allocations), site.total_bytes.count(), count_of(site.live_allocations),
        site.live_bytes.count()};
    ProtobufMessage label;
    label.add(label_field::kKey, string("type"));
    label.add(label_field::kString, string(site.what));
    ProtobufMessage message;
    message.add_packed(sample_field::kLocationId, places);
    message.add_packed(sample_field::kValue, values);
    message.add(sample_field::kLabel, label);
    return message;
  }

  // The place of a frame, written when it is first met.
  std::uint64_t place(const StackFrame& frame) {
    const std::size_t known = places_.keys().size();
    const std::uint64_t id = places_.number(frame.address);
    if (places_.keys().size() == known) {
      return id;
    }
    ProtobufMessage message;
    message.add(location_field::kId, id);
    if (!frame.module.empty()) {
      message.add(location_field::kMappingId, module(frame));
    }
    message.add(location_field::kAddress, frame.address);
    if (!frame.function.empty()) {
      ProtobufMessage line;
      line.add(kLineFunctionId, function(frame.function));
      message.add(location_field::kLine, line);
    }
    message_.add(profile_field::kLocation, message);
    return id;
  }

  std::uint64_t function(const std::string& name) {
    const std::size_t known = functions_.keys().size();
    const std::uint64_t id = functions_.number(name);
    if (functions_.keys().size() > known) {
      ProtobufMessage message;
      message.add(function_field::kId, id);
      message.add(function_field::kName, string(name));
      message.add(function_field::kSystemName, string(name));
      message_.add(profile_field::kFunction, message);
    }
    return id;
  }

  std::uint64_t module(const StackFrame& frame) {
    const std::pair key(frame.module, frame.address - frame.offset);
    const std::uint64_t id = modules_.number(key);
    ends_[id] = std::max(ends_[id], frame.address + 1);
    return id;
  }

  void write_modules() {
    constexpr std::uint64_t kPage = 4096;
    for (const auto& [name, first] : modules_.keys()) {
      const std::uint64_t id = modules_.number({name, first});
      ProtobufMessage message;
      message.add(mapping_field::kId, id);
      message.add(mapping_field::kMemoryStart, first);
      message.add(mapping_field::kMemoryLimit, (ends_[id] + kPage - 1) / kPage * kPage);
      message.add(mapping_field::kFilename, string(name));
      message.add(mapping_field::kHasFunctions, std::uint64_t{1});
      message_.add(profile_field::kMapping, message);
    }
  }

  const Profile& profile_;
  ProtobufMessage message_;
  Numbering<std::string> strings_{0};
  Numbering<std::uint64_t> places_{1};
  Numbering<std::string> functions_{1};
  Numbering<std::pair<std::string, std::uint64_t>> modules_{1};  // and where each begins
  std::map<std::uint64_t, std::uint64_t> ends_;  // of modules, as far as places are known
};

std::string compressed(const std::string& plain) {
  z_stream stream{};
  constexpr int kGzip = MAX_WBITS + 16;
  constexpr int kMemoryLevel = 8;
  check(deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) == Z_OK,
        "zlib has memory for a compressor");
  std::string out(deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  check(deflate(&stream, Z_FINISH) == Z_STREAM_END, "what zlib said would do, does");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

std::string to_pprof(const Profile& profile) { return compressed(Writer(profile).write()); }

}  // namespace tenure
