// tenure doctor: what this machine offers, and what would be used of it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>

#include "tenure/config.hpp"
#include "tenure/machine.hpp"
#include "tools/cli/commands.hpp"
#include "tools/cli/output.hpp"

namespace tenure::cli {

namespace {

void line(std::string_view what, const std::string& value) {
  fmt::print("  {:<16} {}\n", what, value);
}

int run() {
  const MachineReport machine = inspect_machine();
  fmt::print("machine\n");
  line("processor", machine.processor);
  line("cores", std::to_string(machine.cores));
  line("memory", fmt::format("{}, {} available", to_string(machine.memory),
                             to_string(machine.memory_available)));
  line("cgroup limit",
       machine.cgroup_limit == kUnlimited ? "none" : to_string(machine.cgroup_limit));
  line("page", to_string(machine.page));
  line("huge pages", machine.huge_pages);
  line("NUMA nodes", std::to_string(machine.numa_nodes));
  line("lockable", to_string(machine.lockable));
  line("pressure", machine.pressure_readings ? "readable (PSI)" : "not readable: no PSI here");
  fmt::print("device\n");
  line("CUDA in build", machine.cuda_in_build ? "yes" : "no");
  line("CUDA driver", machine.cuda_driver);
  for (const DeviceReport& device : machine.devices) {
    line("device",
         fmt::format("{}, compute {}.{}, {} multiprocessors, {}", device.name, device.compute_major,
                     device.compute_minor, device.multiprocessors, to_string(device.memory)));
  }
  line("backend", fmt::format("{} ({})", machine.backend, machine.backend_reason));
  fmt::print("library\n");
  line("version", TENURE_VERSION);
  line("compiler", machine.compiler);
  fmt::print("options, by --set or by environment\n");
  const Result<Config> config = config_from_environment();
  if (!config) {
    return refuse(config.failure());
  }
  for (const ConfigRow& row : describe(*config)) {
    fmt::print("  {:<20} {:<12} {} ({}; {})\n", row.name, row.value, row.help, row.range,
               row.environment);
  }
  return kOk;
}

}  // namespace

Command add_doctor(CLI::App&) { return run; }

}  // namespace tenure::cli
