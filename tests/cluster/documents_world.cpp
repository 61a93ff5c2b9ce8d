#include "documents_world.hpp"

#include <algorithm>
#include <sstream>

#include "cluster/planted_bug.hpp"

namespace soma::testing {

using namespace soma::cluster;

namespace {

constexpr int steps = 250, calm_ticks_max = 3000;
constexpr std::uint32_t first_source = 1;  // its partition; that of documents is 0

void require(bool held, const char* what) {
  cluster_invariants::require(held, what);
}

}  // namespace

documents_world::documents_world(std::uint64_t seed) : random_(seed) {
  rules_.lease_ms = 300;
  rules_.commit_timeout_ms = 400;
  rules_.reclaim_ms = 100;
  rules_.reclaim_ms_max = 200;
  rules_.stagger_ms = 10;
  turn_.fill(nowhere);
  for (int i = 0; i < nodes; ++i) {
    all_[i].index = i;
    all_[i].name = std::string(1, static_cast<char>('A' + i));
    start(all_[i]);
  }
}

void documents_world::run() {
  for (; tick_ < steps; ++tick_) step(false);
  calm_ = true;
  for (auto& n : all_) n.down = 0;
  for (const int from = tick_; !at_rest(); ++tick_) {
    require(tick_ < from + calm_ticks_max, "in calm all comes to rest");
    step(true);
  }
  last_look();
}

void documents_world::step(bool calm) {
  while (!wire_.empty() && wire_.front().due <= tick_) {
    auto one = std::move(wire_.front());
    wire_.pop_front();
    if (!one.lost) {
      log_.push_back({static_cast<log_offset>(log_.size()), std::move(one.bytes)});
    } else if (auto& n = all_[one.from]; n.replica && !calm && chance(700)) {
      // Some failures take along what its producer had not handed over.
      if (chance(500))
        std::erase_if(wire_, [&](const on_the_way& later) {
          return later.from == n.index && later.due > tick_ + 1;
        });
      carry_out(n, n.replica->delivery_failed(now()), calm);
    }
  }
  const auto first = pick(nodes);
  for (std::size_t i = 0; i < nodes; ++i) act(all_[(first + i) % nodes], calm);
}

void documents_world::start(node& n) {
  n.has = n.disk;
  n.so_far = {};
  n.replica = std::make_unique<partition_replica>(
      rules_, n.name, "i" + std::to_string(incarnation_++), n.has.state, now());
  n.replica->may_claim(static_cast<std::uint32_t>(n.index));
  if (n.index == 0) n.replica->found({"log", 0, 3, 1, format_first});
}

void documents_world::kill(node& n) {
  ++counts_.kills;
  n.replica.reset();
  n.down = 1 + static_cast<int>(pick(40));
  std::erase_if(wire_,
                [&](const on_the_way& one) { return one.from == n.index && one.due > tick_ + 2; });
}

void documents_world::act(node& n, bool calm) {
  if (!n.replica) {
    if (n.down-- > 0) return;
    start(n);
  }
  if (!calm && chance(4)) return kill(n);
  if (!calm && chance(10))  // a false alarm
    n.replica->node_down(all_[pick(nodes)].name, now());
  // One log is read now, another later, as it comes.
  for (auto left = calm ? 50 : pick(4); left > 0 && n.has.read_at < log_.size(); --left)
    read_documents(n);
  for (int s = 0; s < sources; ++s)
    for (auto left = calm ? 50 : pick(3) * pick(3); left > 0 && n.has.read_of[s] < logs_[s].size();
         --left)
      read_source(n, s);
  n.replica->at_end(n.has.read_at == log_.size());
  if (chance(60)) n.disk = n.has;
  carry_out(n, n.replica->tick(now()), calm);
  if (!calm && chance(150)) bring(n);
  if (!n.replica->owns()) return;
  if (chance(400)) (void)derive(n, false);
  if (!calm && chance(150)) write(n);
}

// ---- reading ----

void documents_world::change(documents& all, const atom& one) const {
  for (const auto& d : one.documents) {
    if (d.only_looked_at) continue;
    if (d.value)
      all[d.key] = *d.value;
    else
      all.erase(d.key);
  }
}

void documents_world::read_documents(node& n) {
  const auto& record = log_[n.has.read_at];
  const auto claim_before = n.replica->state().claim;
  const auto got = n.replica->read(now(), n.has.facts, record.offset, record.bytes);
  require(got.judged.what != verdict::stopped, "no node stops in an honest log");
  const auto& state = n.replica->state();
  n.has.state = state;
  const auto place = n.has.read_at++;
  const bool first = place == history_.size();
  if (first && state.claim != claim_before) ++counts_.claims;
  if (first && got.judged.why == reason::source_hole) ++counts_.holes;
  if (first && got.judged.why == reason::source_seen) ++counts_.seen;
  const auto before = n.has.all;
  auto tag = got.passed;
  if (got.apply) {
    change(n.has.all, *got.apply);
    n.has.facts.carry_out(state, record.offset, *got.apply, got.judged);
    tag = got.apply->source;
    if (first && !tag) ++counts_.written;
    if (first) judge_written(n, *got.apply, before);
  }
  if (got.passed) n.has.facts.pass(*got.passed);
  if (tag) {
    const auto s = tag->partition - first_source;
    n.has.waiting[s].erase(tag->offset);
    if (first) {
      ++(got.apply ? counts_.derived : counts_.refused);
      const auto& log = logs_[s];
      const auto at = std::find_if(log.begin(), log.end(),
                                   [&](const auto& one) { return one.offset > turn_[s]; });
      require(at != log.end() && at->offset == tag->offset,
              "what a session's log brought has its turn, once and in its order");
      turn_[s] = tag->offset;
    }
  }
  if (first) history_.push_back(n.has.all);
  require(history_[place] == n.has.all,
          "who has read the log of documents as far has the same documents");
  carry_out(n, got.then, calm_);
}

// What an owner wrote of its own accord says what it saw, and how far it had read.
void documents_world::judge_written(const node& n, const atom& one, const documents& before) {
  if (one.source) return;
  std::istringstream said(one.body);
  std::string key, seen;
  said >> key >> seen;
  const auto there = before.find(key);
  require(seen == (there == before.end() ? "-" : there->second),
          "what is written under a condition stands on what its writer saw");
  for (int s = 0; s < sources; ++s) {
    log_offset read = nowhere;
    said >> read;
    const auto last = *n.has.facts.last_of(first_source + static_cast<std::uint32_t>(s));
    require((last ? last->offset : nowhere) >= read,
            "what an owner writes stands behind all that it had read");
  }
}

void documents_world::read_source(node& n, int source) {
  const auto& one = logs_[source][n.has.read_of[source]++];
  if (planted(planted_bug::documents_are_written_where_read)) change(n.has.all, one.what);
  if (*waits(n.has.facts, first_source + static_cast<std::uint32_t>(source), one.offset))
    n.has.waiting[source].emplace(one.offset, one.what);
}

// ---- writing ----

// A session's append, whose owner may be anybody; or what a node writes by another partition's log,
// under the condition of what it has read.
void documents_world::bring(node& n) {
  auto& log = logs_[pick(sources)];
  brought one;
  one.offset = (log.empty() ? 0 : log.back().offset) + 1 + static_cast<log_offset>(pick(3));
  for (auto left = 1 + pick(2); left > 0; --left) {
    document_write d{"c", any_key(), {}, {}};
    if (chance(800)) d.value = "s" + std::to_string(next_text_++);
    if (chance(200)) d.expected = n.has.facts.version("c", d.key)->value_or(nowhere);
    one.what.documents.push_back(std::move(d));
  }
  log.push_back(std::move(one));
  ++counts_.brought;
}

bool documents_world::derive(node& n, bool well) {
  // The log rests on nobody's memory: one who hears late of its own claim leaves out what the one
  // before took along, and one who forgets sends again.
  well = well || calm_;
  if (well || chance(800)) n.so_far.under(n.replica->state().epoch);
  if (!well && chance(20)) n.so_far.forget();
  for (int s = 0; s < sources; ++s) {
    const auto source = first_source + static_cast<std::uint32_t>(s);
    auto before = *n.so_far.of(n.has.facts, source);
    for (auto at = n.has.waiting[s].upper_bound(before); at != n.has.waiting[s].end(); ++at) {
      auto one = at->second;
      one.source = source_tag{source, at->first, before};
      if (!submit(n, one, one.source)) return false;
      before = n.so_far.send(source, before, at->first).offset;
    }
  }
  return true;
}

void documents_world::write(node& n) {
  if (!planted(planted_bug::an_owner_writes_before_it_derives) && !derive(n, true)) return;
  atom one;
  const auto key = any_key();
  const auto there = n.has.all.find(key);
  one.documents = {{"c", key, n.has.facts.version("c", key)->value_or(nowhere), {}}};
  if (chance(700)) one.documents[0].value = "w" + std::to_string(next_text_++);
  one.body = key + ' ' + (there == n.has.all.end() ? "-" : there->second);
  for (int s = 0; s < sources; ++s) {
    const auto read = n.has.read_of[s];
    one.body += ' ' + std::to_string(read == 0 ? nowhere : logs_[s][read - 1].offset);
  }
  (void)submit(n, one, {});
}

bool documents_world::submit(node& n, atom one, std::optional<source_tag> derived) {
  actions out;
  sent_.push_back({n.index, derived});
  const auto token = sent_.size();
  const auto taken = n.replica->submit(now(), n.has.facts, token, std::move(one), out);
  carry_out(n, out, calm_);
  return taken == admission::taken;
}

void documents_world::carry_out(node& n, const actions& what, bool calm) {
  for (const auto& bytes : what.produce) {
    int due = tick_ + 1 + (calm ? 0 : static_cast<int>(pick(3) * pick(4)));
    for (const auto& one : wire_)
      if (one.from == n.index) due = std::max(due, one.due);
    wire_.push_back({due, n.index, bytes, !calm && chance(20)});
  }
  std::stable_sort(wire_.begin(), wire_.end(),
                   [](const auto& a, const auto& b) { return a.due < b.due; });
  for (const auto& answer : what.answers) {
    const auto& of = sent_[answer.token - 1];
    // Who is told late that something is missing goes on for a while as if it were not.
    if (of.derived && of.node == n.index &&
        (answer.what == append_outcome::not_written || answer.judged.why == reason::source_hole) &&
        (calm || chance(700)))
      n.so_far.forget();
  }
}

// ---- the end ----

bool documents_world::at_rest() const {
  if (!wire_.empty() || log_.empty()) return false;
  for (const auto& n : all_) {
    if (!n.replica || n.has.read_at < log_.size() || n.replica->in_flight() > 0) return false;
    for (int s = 0; s < sources; ++s)
      if (n.has.read_of[s] < logs_[s].size() || !n.has.waiting[s].empty()) return false;
  }
  return true;
}

void documents_world::last_look() {
  for (int s = 0; s < sources; ++s)
    require(logs_[s].empty() || turn_[s] == logs_[s].back().offset,
            "all that a session's log brought has its turn");
  // Who was never there, and reads one log, then another, in any order.
  for (int order = 0; order < 3; ++order) {
    node n;
    n.index = nodes;
    n.replica =
        std::make_unique<partition_replica>(rules_, "auditor", "none", partition_state{}, now());
    const auto read_sources = [&] {
      for (int s = 0; s < sources; ++s)
        while (n.has.read_of[s] < logs_[s].size()) read_source(n, s);
    };
    if (order == 1) read_sources();
    while (n.has.read_at < log_.size()) {
      if (order == 2)
        for (int s = 0; s < sources; ++s)
          if (n.has.read_of[s] < logs_[s].size() && chance(300)) read_source(n, s);
      read_documents(n);
    }
    read_sources();
    require(n.has.all == all_[0].has.all, "every reader of the logs comes to the same documents");
    for (const auto& waiting : n.has.waiting)
      require(waiting.empty(), "nothing waits at who has read it all");
  }
  for (const auto& n : all_)
    require(n.has.all == all_[0].has.all, "every node has the same documents");
}

}  // namespace soma::testing
