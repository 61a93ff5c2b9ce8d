// What a run found: metrics by scenario, load and system, the targets they are held against, and
// checks of correctness. Written as JSON for machines and as Markdown for people.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace soma::bench {

struct metric_name {
  std::string scenario;  // "fanout"
  std::string load;      // "1,000 readers, saturated"
  std::string metric;    // "delivered"
  std::string unit;      // "events/s"
};

enum class bound { at_least, at_most };

struct target {
  std::string text;
  double measured = 0;
  bound kind = bound::at_least;
  double limit = 0;
  std::string unit;
  bool reached() const { return kind == bound::at_least ? measured >= limit : measured <= limit; }
};

struct check {  // a count that must be zero: gaps, repeats, refused requests
  std::string text;
  std::uint64_t count = 0;
  std::string example;
};

class report {
 public:
  // One value of one round.
  void add(const metric_name& name, const std::string& system, double value);

  // The median over the rounds; NaN when never measured.
  double median(const metric_name& name, const std::string& system) const;

  // The metrics in the order they came, and their values round by round; empty when never measured.
  std::vector<metric_name> names() const;
  std::vector<double> rounds_of(const metric_name& name, const std::string& system) const;

  void add_target(target t);  // one that was not measured (NaN) is none
  void add_check(std::string text, std::uint64_t count, std::string example = {});
  void take_checks(const report& other, const std::string& prefix);
  void add_note(std::string text) { notes_.push_back(std::move(text)); }

  bool correct() const;  // every check counted zero
  bool reached() const;  // every target

  // The tables alone; the first system of a load is the one ratios are made of.
  std::string tables() const;
  // A page of its own: the machine, the command, tables, targets, checks, notes.
  std::string markdown(const std::string& command) const;
  // The same, with `inside` in place of its own tables.
  std::string markdown(const std::string& command, const std::string& inside) const;
  std::string json(const std::string& command) const;

 private:
  struct series {
    std::string system;
    std::vector<double> rounds;
  };
  struct row {
    metric_name name;
    std::vector<series> systems;
  };

  row* find(const metric_name& name);
  std::string verdicts() const;

  std::vector<row> rows_;
  std::vector<target> targets_;
  std::vector<check> checks_;
  std::vector<std::string> notes_;
};

// The median, as a person reads it.
std::string figure_text(const std::vector<double>& rounds);

void write_file(const std::filesystem::path& path, const std::string& text);

}  // namespace soma::bench
