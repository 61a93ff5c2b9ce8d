#include "compare.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "event_loop.hpp"
#include "paired.hpp"

namespace soma::bench {
namespace {

std::string text_of(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// How far the rounds of one build lie apart: half of them are within this share of the middle.
double spread_of(std::vector<double> values) {
  if (values.size() < 2) return 0;
  std::sort(values.begin(), values.end());
  const auto middle = values[values.size() / 2];
  for (auto& v : values) v = std::fabs(v - middle);
  std::sort(values.begin(), values.end());
  return middle > 0 ? values[values.size() / 2] / middle : 0;
}

// Less is better, but for what is counted by the second.
bool more_is_better(const metric_name& name) {
  return name.unit.ends_with("/s");
}

std::string verdict_of(const metric_name& name, const paired_ratio& p) {
  if (p.confidence == 0) return "too few rounds";
  if (!p.beyond_noise()) return "–";
  return (p.ratio > 1) == more_is_better(name) ? "**better**" : "**worse**";
}

void one_round(const options& o, const scenario& s, report& into, report& checks) {
  try {
    s.run(o, into);
  } catch (const std::exception& e) {
    throw_if_interrupted();
    std::fprintf(stderr, "%s: %s\n", s.name, e.what());
    checks.add_check(std::string(s.name) + ": a round was not measured", 1, e.what());
  }
}

}  // namespace

std::string compare_builds(const options& o, const comparison& c, report& checks) {
  options with_base = o, with_changed = o;
  with_base.soma = c.base;
  with_base.with_peers = with_changed.with_peers = false;
  with_base.rounds = with_changed.rounds = 1;
  report base, changed;
  for (const auto* s : c.scenarios) {
    for (std::size_t round = 0; round < o.rounds; ++round) {
      std::fprintf(stderr, "%s, round %zu of %zu …\n", s->name, round + 1, o.rounds);
      if (round % 2 == 0) one_round(with_base, *s, base, checks);
      one_round(with_changed, *s, changed, checks);
      if (round % 2) one_round(with_base, *s, base, checks);
    }
  }
  checks.take_checks(base, "base: ");
  checks.take_checks(changed, "changed: ");

  std::string out, load;
  for (const auto& name : changed.names()) {
    const auto before = base.rounds_of(name, "soma"), after = changed.rounds_of(name, "soma");
    // A round that failed on one side leaves no pairs to tell.
    if (before.empty() || before.size() != after.size()) continue;
    if (const auto heading = name.scenario + ", " + name.load; heading != load) {
      load = heading;
      out += "\n### " + heading +
             "\n\n| | base | changed | ratio | interval | spread of rounds | |\n"
             "|---|---:|---:|---:|---|---:|---|\n";
    }
    const auto p = compare_rounds(before, after);
    const auto interval = p.confidence == 0
                              ? std::string("–")
                              : text_of("%.3f", p.low) + " … " + text_of("%.3f", p.high);
    out += "| " + name.metric + ", " + name.unit + " | " + figure_text(before) + " | " +
           figure_text(after) + " | " + text_of("%.3f", p.ratio) + " | " + interval + " | " +
           text_of("%.0f %%", 100 * std::max(spread_of(before), spread_of(after))) + " | " +
           verdict_of(name, p) + " |\n";
  }
  return out;
}

}  // namespace soma::bench
