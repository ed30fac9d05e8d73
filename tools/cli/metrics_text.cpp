#include "tools/cli/metrics_text.hpp"

#include <cstdlib>

namespace tenure::cli {

namespace {

std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      ++at;
      out += text[at] == 'n' ? '\n' : text[at];
    } else {
      out += text[at];
    }
  }
  return out;
}

}  // namespace

MetricsText::MetricsText(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    add_line(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

// name{label="value"} 12.5; one label at the most.
void MetricsText::add_line(std::string_view line) {
  const std::size_t space = line.rfind(' ');
  if (line.empty() || line.front() == '#' || space == std::string_view::npos) {
    return;
  }
  const std::string_view key = line.substr(0, space);
  const std::size_t brace = key.find('{');
  const std::size_t first = key.find('"');
  const std::size_t last = key.rfind('"');
  std::string label;
  if (first != std::string_view::npos && last > first) {
    label = unescaped(key.substr(first + 1, last - first - 1));
  }
  figures_[std::string(key.substr(0, brace))].emplace_back(
      std::move(label), std::strtod(std::string(line.substr(space + 1)).c_str(), nullptr));
}

double MetricsText::value(const std::string& name, const std::string& label) const {
  for (const auto& [of, figure] : all(name)) {
    if (of == label) {
      return figure;
    }
  }
  return 0.0;
}

std::vector<std::pair<std::string, double>> MetricsText::all(const std::string& name) const {
  const auto found = figures_.find(name);
  return found == figures_.end() ? std::vector<std::pair<std::string, double>>{} : found->second;
}

double MetricsText::sum(const std::string& name) const {
  double sum = 0.0;
  for (const auto& [of, figure] : all(name)) {
    sum += figure;
  }
  return sum;
}

}  // namespace tenure::cli
