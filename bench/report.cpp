#include "report.hpp"

#include <algorithm>
#include <boost/json/src.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <stdexcept>

#include "machine.hpp"
#include "number_text.hpp"

namespace soma::bench {
namespace {

double median_of(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const auto n = values.size();
  return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

std::string grouped(double value) {
  char text[64];
  const double size = std::fabs(value);
  if (std::isnan(value)) return "–";
  std::snprintf(text, sizeof text, size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.2f", value);
  return size < 10000 ? text : value < 0 ? '-' + with_commas(text + 1) : with_commas(text);
}

std::string with_spread(const std::vector<double>& rounds) {
  auto text = grouped(median_of(rounds));
  if (rounds.size() < 2) return text;
  const auto [low, high] = std::minmax_element(rounds.begin(), rounds.end());
  return text + " (" + grouped(*low) + " … " + grouped(*high) + ")";
}

bool same(const metric_name& a, const metric_name& b) {
  return a.scenario == b.scenario && a.load == b.load && a.metric == b.metric;
}

}  // namespace

report::row* report::find(const metric_name& name) {
  const auto at =
      std::find_if(rows_.begin(), rows_.end(), [&](const row& r) { return same(r.name, name); });
  return at == rows_.end() ? nullptr : &*at;
}

void report::add(const metric_name& name, const std::string& system, double value) {
  row* r = find(name);
  if (r == nullptr) r = &rows_.emplace_back(row{name, {}});
  for (auto& s : r->systems) {
    if (s.system == system) return s.rounds.push_back(value);
  }
  r->systems.push_back({system, {value}});
}

double report::median(const metric_name& name, const std::string& system) const {
  return median_of(rounds_of(name, system));
}

std::vector<metric_name> report::names() const {
  std::vector<metric_name> all;
  for (const auto& r : rows_) all.push_back(r.name);
  return all;
}

std::vector<double> report::rounds_of(const metric_name& name, const std::string& system) const {
  for (const auto& r : rows_) {
    if (!same(r.name, name)) continue;
    for (const auto& s : r.systems) {
      if (s.system == system) return s.rounds;
    }
  }
  return {};
}

void report::add_target(target t) {
  if (!std::isnan(t.measured)) targets_.push_back(std::move(t));
}

void report::take_checks(const report& other, const std::string& prefix) {
  for (const auto& c : other.checks_) add_check(prefix + c.text, c.count, c.example);
}

void report::add_check(std::string text, std::uint64_t count, std::string example) {
  for (auto& c : checks_) {
    if (c.text != text) continue;
    c.count += count;
    if (c.example.empty()) c.example = std::move(example);
    return;
  }
  checks_.push_back({std::move(text), count, std::move(example)});
}

bool report::correct() const {
  return std::all_of(checks_.begin(), checks_.end(), [](const check& c) { return c.count == 0; });
}

bool report::reached() const {
  return std::all_of(targets_.begin(), targets_.end(), [](const target& t) { return t.reached(); });
}

std::string report::tables() const {
  std::string out;
  std::string scenario, load;
  std::vector<std::string> columns;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const auto& r = rows_[i];
    if (r.name.scenario != scenario)
      out += "\n## " + (scenario = r.name.scenario) + "\n", load = "";
    if (r.name.load != load) {
      load = r.name.load;
      columns.clear();
      for (const auto& other : rows_) {
        if (other.name.scenario != scenario || other.name.load != load) continue;
        for (const auto& s : other.systems) {
          if (std::find(columns.begin(), columns.end(), s.system) == columns.end()) {
            columns.push_back(s.system);
          }
        }
      }
      // soma leads wherever it was measured, whichever system happened to go first.
      std::stable_partition(columns.begin(), columns.end(),
                            [](const std::string& c) { return c == "soma"; });
      out += "\n### " + load + "\n\n| |";
      std::string rule = "|---|";
      for (const auto& c : columns) out += " " + c + " |", rule += "---:|";
      for (std::size_t c = 1; c < columns.size(); ++c) {
        out += " " + columns[0] + " / " + columns[c] + " |", rule += "---:|";
      }
      out += "\n" + rule + "\n";
    }
    out += "| " + r.name.metric + ", " + r.name.unit + " |";
    for (const auto& c : columns) {
      const auto at = std::find_if(r.systems.begin(), r.systems.end(),
                                   [&](const series& s) { return s.system == c; });
      out += " " + (at == r.systems.end() ? "–" : with_spread(at->rounds)) + " |";
    }
    for (std::size_t c = 1; c < columns.size(); ++c) {
      const auto ratio = median(r.name, columns[0]) / median(r.name, columns[c]);
      out += " " + (std::isfinite(ratio) ? grouped(ratio) : "–") + " |";
    }
    out += "\n";
  }
  return out;
}

std::string report::verdicts() const {
  std::string out;
  if (!targets_.empty())
    out += "\n## Targets\n\n| target | measured | limit | |\n|---|---:|---:|---|\n";
  for (const auto& t : targets_) {
    out += "| " + t.text + " | " + grouped(t.measured) + " " + t.unit + " | " +
           (t.kind == bound::at_least ? "≥ " : "≤ ") + grouped(t.limit) + " " + t.unit + " | " +
           (t.reached() ? "reached" : "**missed**") + " |\n";
  }
  if (!checks_.empty()) out += "\n## Correctness\n\n| must be zero | counted |\n|---|---:|\n";
  for (const auto& c : checks_) {
    out += "| " + c.text + " | " + (c.count ? "**" + std::to_string(c.count) + "**" : "0") + " |\n";
  }
  for (const auto& c : checks_) {
    if (c.count && !c.example.empty()) out += "\n" + c.text + ", the first: `" + c.example + "`\n";
  }
  return out;
}

std::string report::markdown(const std::string& command) const {
  return markdown(command, tables());
}

std::string report::markdown(const std::string& command, const std::string& inside) const {
  std::string out = "# Benchmark results\n\nWritten by `" + command +
                    "`; how to read it: [README.md](README.md).\n\n| | |\n|---|---|\n";
  for (const auto& [name, value] : describe_machine()) out += "| " + name + " | " + value + " |\n";
  out += verdicts() + inside;
  if (!notes_.empty()) out += "\n## Notes\n\n";
  for (const auto& n : notes_) out += "- " + n + "\n";
  return out;
}

std::string report::json(const std::string& command) const {
  namespace json = boost::json;
  json::object machine;
  for (const auto& [name, value] : describe_machine()) machine[name] = value;
  json::array metrics, targets, checks;
  for (const auto& r : rows_) {
    json::object systems;
    for (const auto& s : r.systems) {
      systems[s.system] = {{"median", median_of(s.rounds)},
                           {"rounds", json::array(s.rounds.begin(), s.rounds.end())}};
    }
    metrics.push_back({{"scenario", r.name.scenario},
                       {"load", r.name.load},
                       {"metric", r.name.metric},
                       {"unit", r.name.unit},
                       {"systems", std::move(systems)}});
  }
  for (const auto& t : targets_) {
    json::value measured = std::isfinite(t.measured) ? json::value(t.measured) : json::value();
    targets.push_back({{"text", t.text},
                       {"measured", std::move(measured)},
                       {"bound", t.kind == bound::at_least ? "at_least" : "at_most"},
                       {"limit", t.limit},
                       {"unit", t.unit},
                       {"reached", t.reached()}});
  }
  for (const auto& c : checks_) checks.push_back({{"text", c.text}, {"count", c.count}});
  return json::serialize(json::object{{"command", command},
                                      {"machine", std::move(machine)},
                                      {"correct", correct()},
                                      {"metrics", std::move(metrics)},
                                      {"targets", std::move(targets)},
                                      {"checks", std::move(checks)},
                                      {"notes", json::array(notes_.begin(), notes_.end())}}) +
         "\n";
}

std::string figure_text(const std::vector<double>& rounds) {
  return grouped(median_of(rounds));
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

}  // namespace soma::bench
