// What a unit of work of the five hot paths costs: CPU, by the server's threads, too; system calls
// and task switches; allocations. Three windows a round: CPU is read while nothing else watches,
// system calls while perf counts them, allocations on another server, which has them counted.
#include "clock.hpp"
#include "scenarios/hot_paths.hpp"
#include "scenarios/scenarios.hpp"
#include "scenarios/systems.hpp"

namespace soma::bench {
namespace {

constexpr double told_from = 0.01;  // of a thing a unit of work; less is no part of the path

class path_costs {
 public:
  path_costs(const options& o, const hot_path& path, report& r) : o_(o), path_(path), r_(r) {}

  void measure(std::size_t round) {
    scratch_folder scratch(o_.work_dir);
    watched(scratch.path(), round);
    if (!std::filesystem::exists(preload_library())) {
      if (round == 0)
        r_.add_note("paths: no allocations, " + preload_library().filename().string() +
                    " is not built");
      return;
    }
    scratch_folder counted(o_.work_dir);
    allocation_counter allocations(counted.path() / "counts");
    const auto load = path_.start(o_, counted.path(), allocations.to_be_set());
    load->run(o_.warm_up_s);
    const auto before = allocations.now();
    const auto units = std::max(load->run(o_.seconds / 2), 1.0);
    const auto after = allocations.now();
    add("allocations", (after.allocations - before.allocations) / units, "");
    add("allocated", (after.bytes - before.bytes) / units, "bytes");
    load->judge(r_);
  }

 private:
  void watched(const std::filesystem::path& folder, std::size_t round) {
    const auto load = path_.start(o_, folder, {});
    load->run(o_.warm_up_s);
    auto& server = load->server();
    const auto cpu = server.cpu_seconds();
    const auto threads = cpu_by_thread(server.pid());
    auto units = std::max(load->run(o_.seconds), 1.0);
    add("CPU", 1e6 * (server.cpu_seconds() - cpu) / units, "µs");
    for (const auto& [name, ns] : cpu_by_thread(server.pid())) {
      const auto at = threads.find(name);
      const auto us = (ns - (at == threads.end() ? 0 : at->second)) / 1e3 / units;
      if (us * units > o_.seconds * 1e4) add("of it in " + name, us, "µs");
    }
    std::string why;
    const auto calls = system_call_counter::attach(server.pid(), folder, why);
    if (!calls) {
      if (round == 0) r_.add_note("paths: no system calls: " + why);
    } else {
      calls->begin();
      units = std::max(load->run(o_.seconds / 2), 1.0);
      const auto counts = calls->end();
      for (const auto* first : {"system calls", "task switches"})
        if (const auto at = counts.find(first); at != counts.end())
          add(first, at->second / units, "");
      for (const auto& [name, count] : counts) {
        if (name == "system calls" || name == "task switches") continue;
        if (count / units >= told_from) add("of them " + name, count / units, "");
      }
    }
    load->judge(r_);
  }

  void add(const std::string& metric, double value, const char* unit) {
    const std::string per = path_.unit;
    r_.add({"paths", path_.name, metric, *unit ? unit + (" " + per) : per}, "soma", value);
  }

  const options& o_;
  const hot_path& path_;
  report& r_;
};

}  // namespace

void run_paths(const options& o, report& r) {
  if (!o.with_soma) return;
  for (const auto& path : hot_paths()) {
    if (std::string(path.name).find(o.only_path) == std::string::npos) continue;
    path_costs costs(o, path, r);
    for (std::size_t round = 0; round < o.rounds; ++round) costs.measure(round);
  }
}

}  // namespace soma::bench
