// The rule in C++ against the rule in Python (partition_rule.py): the same verdict on every record,
// and the same history. Logs are written anew by partition_logs.py where there is a Python, from a
// seed of their own; a few are kept beside this file. SOMA_SEED replays one, SOMA_SEEDS says how
// many.
#include <doctest/doctest.h>

#include "support/result_text.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "cluster/fact_table.hpp"
#include "cluster/partition_core.hpp"
#include "support/seed.hpp"

using namespace soma;
using namespace soma::cluster;

namespace {

// Offsets of the specification begin at 0 and know no `born`: here it stands before them.
log_offset place(const std::string& text) {
  return text == "-" ? 0 : std::stoll(text) + 1;
}

struct replay {
  partition_state state;
  fact_table facts;
  std::vector<std::string> history;
  std::size_t told = 0;  // lines of the specification's history compared so far

  replay() { put(0, {1, born{"log", 0, 1, 0, 1}}); }

  judgement put(log_offset offset, const record& one) {
    auto judged = apply(state, facts, offset, encode(one));
    const auto* under = std::get_if<owned>(&one.what);
    if (judged.what != verdict::counted || !under) return judged;
    const auto& what = std::get<atom>(under->what);
    facts.carry_out(state, offset, what, judged);
    std::istringstream names(what.body);
    auto seq = judged.seq - what.events;
    for (std::string name; std::getline(names, name, ',');)
      history.push_back(what.session.session.value + " " + std::to_string(++seq) + " " +
                        std::to_string(state.epoch) + " " + name);
    return judged;
  }

  // As partition_logs.py words it.
  std::string claim_line(std::istringstream& in) {
    std::string offset, replaces, owner, tag;
    in >> offset >> replaces >> owner >> tag;
    const auto judged =
        put(place(offset),
            {1, claim{"log", place(replaces), state.epoch + 1, owner, tag, state.claim_digest}});
    return (judged.what == verdict::counted ? "counted " : "void ") + std::to_string(state.epoch) +
           (judged.what == verdict::stopped ? " stopped" : "");
  }
  std::string atom_line(std::istringstream& in) {
    std::string offset, of, n, time, session, expected, key, events;
    in >> offset >> of >> n >> time >> session >> expected >> key >> events;
    atom one;
    one.session = {tenant_id("t"), session_id(session)};
    one.epoch = state.epoch;
    if (expected != "-") one.expected = std::stoull(expected);
    if (key != "-") one.keys.push_back({key, 1ll << 60});
    if (events != "-") {
      one.body = events;
      one.events = 1 + static_cast<std::uint32_t>(std::count(events.begin(), events.end(), ','));
    }
    const auto judged =
        put(place(offset),
            {1, owned{place(of), std::stoull(n), std::stoll(time), state.digest, std::move(one)}});
    switch (judged.what) {
      case verdict::counted: return "counted " + std::to_string(judged.seq);
      case verdict::voided: return "void";
      case verdict::stopped: return "stopped: " + judged.detail;
      case verdict::refused: break;
    }
    if (judged.why == reason::head_differs) return "refused head " + std::to_string(judged.seq);
    return "refused exists " + judged.kept.session.session.value + " " +
           std::to_string(judged.kept.seq);
  }
};

struct compared {
  std::size_t logs = 0, records = 0, events = 0;
};

// Stops at the first difference of a log.
compared compare(std::istream& lines) {
  compared sum;
  std::string name, line;
  replay log;
  const auto whole = [&] { CHECK_MESSAGE(log.told == log.history.size(), "events of " << name); };
  while (std::getline(lines, line)) {
    std::istringstream in(line);
    std::string what, got, expected;
    in >> what;
    if (what == "log") {
      whole();
      in >> name;
      log = replay();
      ++sum.logs;
      continue;
    }
    if (what == "claim") got = log.claim_line(in);
    if (what == "atom") got = log.atom_line(in);
    if (what == "history") {
      got = log.told < log.history.size() ? log.history[log.told] : "nothing";
      ++log.told;
      ++sum.events;
    } else {
      ++sum.records;
    }
    std::getline(in >> std::ws, expected);
    INFO(name << ": " << line);
    REQUIRE(got == expected);
  }
  whole();
  return sum;
}

struct lines_of {
  std::string text;
  int status = -1;
};

lines_of output_of(const std::string& command) {
  lines_of out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return out;
  char buffer[65536];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe))
    out.text.append(buffer, size);
  out.status = ::pclose(pipe);
  return out;
}

}  // namespace

TEST_CASE("partition rule: judges the kept logs as the specification does") {
  std::ifstream kept(SOMA_CLUSTER_TESTS "/partition_logs.txt");
  REQUIRE(kept);
  const auto sum = compare(kept);
  CHECK(sum.logs == 4);
  CHECK(sum.records > 300);
}

TEST_CASE("partition rule: judges fresh logs as the specification does") {
  if (output_of("python3 --version 2>&1").status != 0) {
    MESSAGE("skipped: there is no python3");
    return;
  }
  const auto seed = testing::seed_of("partition rule") % 1'000'000'000;
  const auto count = testing::number_from_environment("SOMA_SEEDS", 60);
  const auto written = output_of("python3 " SOMA_CLUSTER_TESTS "/partition_logs.py " +
                                 std::to_string(seed) + " " + std::to_string(count));
  REQUIRE(written.status == 0);
  std::istringstream lines(written.text);
  const auto sum = compare(lines);
  MESSAGE(sum.logs << " logs, " << sum.records << " records, " << sum.events << " events");
  CHECK(sum.logs == 2 * count);
}
