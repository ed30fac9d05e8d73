// Figures out of OpenMetrics text, as the library writes it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenure::cli {

class MetricsText {
 public:
  explicit MetricsText(std::string_view text);

  /// The figure of that name, and of that label's value where it has one; 0 where there is none.
  [[nodiscard]] double value(const std::string& name, const std::string& label = "") const;
  /// All of that name: the label's value and the figure, as they stand.
  [[nodiscard]] std::vector<std::pair<std::string, double>> all(const std::string& name) const;
  /// Their sum.
  [[nodiscard]] double sum(const std::string& name) const;

 private:
  void add_line(std::string_view line);

  std::map<std::string, std::vector<std::pair<std::string, double>>> figures_;  // by name
};

}  // namespace tenure::cli
