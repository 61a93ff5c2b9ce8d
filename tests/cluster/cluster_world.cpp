#include "cluster_world.hpp"

#include <algorithm>

namespace soma::testing {

using namespace soma::cluster;
namespace {

constexpr std::uint32_t source_partition = 7;
constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::size_t first_source = 1'000'000, newest = 4;
constexpr int calm_ticks_max = 3000;
constexpr std::uint64_t look_ticks_max = 20;

session_key key_of(const std::string& session) {
  return {tenant_id("t"), session_id(session)};
}

}  // namespace

cluster_world::cluster_world(std::uint64_t seed, world_faults planted)
    : random_(seed), faults_(planted) {
  rules_.lease_ms = std::array{300, 600, 1000, 2000}[pick(4)];
  rules_.commit_timeout_ms = 500 + 100 * static_cast<std::int64_t>(pick(5));
  rules_.reclaim_ms = 200;
  rules_.reclaim_ms_max = 800;
  rules_.stagger_ms = 10;
  for (int i = 0; i < nodes; ++i) {
    auto& n = all_[i];
    n.index = i;
    n.name = std::string(1, static_cast<char>('A' + i));
    n.rate = chance(500) ? 0.98 : 1.02;
    n.monotonic_from = static_cast<std::int64_t>(pick(1'000'000));
    n.wall_from = 1'700'000'000'000 + static_cast<std::int64_t>(pick(2000));
    if (chance(200)) n.wall_from += chance(500) ? hour_ms : -hour_ms;
    start(n);
  }
}

clocks cluster_world::now(const node& n) const {
  const auto passed = static_cast<std::int64_t>(tick_ * tick_ms * n.rate);
  return {n.monotonic_from + passed, n.wall_from + passed};
}

void cluster_world::run() {
  const int steps =
      200 + static_cast<int>(pick(150) + static_cast<std::uint64_t>(rules_.lease_ms) / tick_ms);
  for (; tick_ < steps; ++tick_) step(false);
  for (auto& n : all_) n.paused = n.down = n.cut = 0;
  const int from = tick_;
  for (; !at_rest(); ++tick_) {
    cluster_invariants::require(tick_ < from + calm_ticks_max, "in calm all comes to rest");
    step(true);
  }
  last_look();
}

void cluster_world::step(bool calm) {
  deliver(calm);
  const auto first = pick(nodes);
  for (std::size_t i = 0; i < nodes; ++i) act(all_[(first + i) % nodes], calm);
}

// ---- the network and the log ----

void cluster_world::deliver(bool calm) {
  std::vector<int> failed;
  while (!wire_.empty() && wire_.front().due <= tick_) {
    auto one = std::move(wire_.front());
    wire_.pop_front();
    // A record that was written may be reported as lost, one that was lost may not be reported.
    const auto& from = all_[one.from];
    if (one.reported_lost && one.producer == from.producer && from.replica && from.paused == 0 &&
        !calm) {
      failed.push_back(one.from);
      if (faults_.sends_again) resend_.push_back(one.bytes);
    }
    if (one.lost) continue;
    log_.push_back({end_, std::move(one.bytes)});
    end_ += 1 + (chance(30) ? static_cast<log_offset>(pick(3)) : 0);  // Kafka leaves holes
  }
  for (const auto from : failed) {
    auto& n = all_[from];
    if (!n.replica) continue;
    // Some failures take their producer along, others only what they are of.
    if (faults_.sends_again || chance(500)) new_producer(n);
    carry_out(n, n.replica->delivery_failed(now(n)));
  }
}

void cluster_world::new_producer(node& n) {
  ++n.producer;
  // What its producer had not handed over is gone; the rest is on its way.
  const auto keeps = static_cast<int>(pick(8));
  std::erase_if(
      wire_, [&](const on_the_way& one) { return one.from == n.index && one.due > tick_ + keeps; });
  last_due_[n.index] = tick_;
  for (auto& bytes : resend_) wire_.push_back({tick_ + 1, n.index, n.producer, bytes});
  resend_.clear();
}

void cluster_world::carry_out(node& n, const actions& what) {
  const bool calm = n.paused < 0;
  for (const auto& bytes : what.produce) {
    static constexpr std::array<int, 8> delays = {1, 1, 1, 1, 2, 3, 8, 30};
    int due = tick_ + (calm ? 1 : delays[pick(delays.size())]);
    // A producer keeps its order while it lives.
    due = last_due_[n.index] = std::max(due, last_due_[n.index]);
    on_the_way one{due, n.index, n.producer, bytes, false, false};
    if (!calm) {
      one.lost = n.cut > 0 || chance(25);
      one.reported_lost = one.lost ? chance(800) : chance(10);
    }
    wire_.push_back(one);
    if (!calm && chance(30)) {  // a copy, perhaps much later
      one.due += static_cast<int>(pick(40));
      one.lost = one.reported_lost = false;
      wire_.push_back(one);
    }
  }
  std::stable_sort(wire_.begin(), wire_.end(),
                   [](const auto& a, const auto& b) { return a.due < b.due; });
  for (const auto& answer : what.answers) answered(n, answer);
}

void cluster_world::told_nothing(node& n, std::size_t attempt) {
  invariants_.tell_nothing_written(attempt);
  n.heads.clear();
  n.relayed = 0;
}

void cluster_world::answered(node& n, const append_answer& answer) {
  const auto attempt = static_cast<std::size_t>(answer.token - 1);
  auto& op = operations_[attempts_[attempt].operation];
  if (faults_.answers_by_delivery &&
      invariants_.told_of(attempt) != cluster_invariants::told::nothing)
    return;
  const bool asks_again = op.kind != op_kind::derived && op.kind != op_kind::document;
  switch (answer.what) {
    case append_outcome::written:
      ++counts_.written;
      op.settled = true;
      told_written_.push_back(attempt);
      return invariants_.tell_written(attempt, answer.offset, answer.judged.seq);
    case append_outcome::refused: {
      const auto why = answer.judged.why;
      if (why == reason::key_exists) {
        op.settled = true;
        n.refused.insert(op.session);
        invariants_.tell_kept(attempt, answer.judged.kept.offset);
        return n.heads.clear();
      }
      if (why == reason::head_differs)
        cluster_invariants::require(n.refused.count(op.session) != 0,
                                    "an owner writes nothing that its own order refuses");
      n.refused.insert(op.session);
      op.again = !op.settled && asks_again && why == reason::head_differs;
      return told_nothing(n, attempt);
    }
    case append_outcome::not_written:
      ++counts_.not_written;
      op.again = !op.settled && asks_again;
      return told_nothing(n, attempt);
    case append_outcome::unknown: throw violation("no node stops in an honest log");
  }
}

// ---- nodes ----

void cluster_world::start(node& n) {
  partition_state state;
  if (!n.disk.state.changelog.empty()) {
    auto again = decode_partition_state(encode(n.disk.state));
    cluster_invariants::require(again && *again == n.disk.state, "a state is stored whole");
    state = *again;
  }
  n.facts = n.disk.facts;
  n.read_at = n.disk.read_at;
  n.shown = n.disk.shown;
  if (state.last != nowhere)
    for (const auto& one : log_)
      if (one.offset == state.last)
        cluster_invariants::require(same_log(state, one.offset, one.bytes), "the log is the same");
  n.incarnation = next_incarnation_++;
  n.replica = std::make_unique<partition_replica>(
      rules_, n.name, "i" + std::to_string(n.incarnation), state, now(n));
  n.replica->may_claim(static_cast<std::uint32_t>(n.index));
  if (n.index == 0 || chance(300)) n.replica->found({"log" + n.name, 3, 64, 4, format_first});
  ++n.producer;
  n.heads.clear();
  n.relayed = 0;
}

void cluster_world::kill(node& n) {
  ++counts_.kills;
  n.replica.reset();
  n.gate = {};
  n.questions.clear();
  n.look.reset();
  n.moving = false;
  n.down = 1 + static_cast<int>(pick(60));
  const auto handed_over = static_cast<int>(pick(8));
  std::erase_if(wire_, [&](const on_the_way& one) {
    return one.from == n.index && one.due > tick_ + handed_over;
  });
  // Whoever asked it with a key asks another; without one nobody knows.
  for (auto& op : operations_)
    if (!op.key.empty() && !op.settled) op.again = true;
}

void cluster_world::save(node& n) {
  n.disk.state = n.replica->state();
  n.disk.facts = n.facts;
  n.disk.read_at = n.read_at;
  n.disk.shown = n.shown;
}

void cluster_world::disturb(node& n) {
  if (n.replica && chance(2)) return kill(n);
  if (chance(6)) {
    ++counts_.pauses;
    n.paused = 5 + static_cast<int>(pick(120));
  }
  if (n.cut > 0) --n.cut;
  if (chance(4)) n.cut = 1 + static_cast<int>(pick(40));
  if (chance(4)) n.wall_from += static_cast<std::int64_t>(pick(2001)) - 1000;
  if (n.replica && chance(6)) {  // the network is cut around it
    n.cut = static_cast<int>(chance(500) ? pick(60) : 100 + pick(150));
    for (auto& other : all_)
      if (other.replica && other.index != n.index) other.replica->node_down(n.name, now(other));
  }
  if (n.replica && chance(8)) {  // a link is gone, the node behind it may well live
    const auto& other = all_[pick(nodes)];
    if (other.index != n.index) n.replica->node_down(other.name, now(n));
  }
}

void cluster_world::act(node& n, bool calm) {
  if (!calm) {
    if (n.paused > 0) {
      --n.paused;
      return;
    }
    disturb(n);
    if (n.paused > 0) return;
  } else {
    n.paused = -1;  // nothing more goes wrong
  }
  if (!n.replica) {
    if (n.down-- > 0) return;
    start(n);
  }
  take_effects(n);  // of who wakes up, before it has read anything
  if (n.cut == 0) {
    const auto at_once = calm ? 50 : pick(5) * pick(4);
    for (std::size_t i = 0; i < at_once && n.read_at < log_.size() && n.replica; ++i) read(n);
    if (!n.replica) return;
  }
  n.replica->at_end(n.read_at == log_.size());
  if (chance(30)) save(n);
  carry_out(n, n.replica->tick(now(n)));
  take_effects(n);
  work(n, calm);
  ask_readers(n, calm);
}

void cluster_world::take_effects(node& n) {
  if (!n.replica->may_act(now(n))) return;
  ++counts_.effects;
  invariants_.acts(n.index, n.replica->state().epoch, tick_);
}

void cluster_world::begin_claim(node& n) {
  n.heads.clear();
  n.refused.clear();
  n.relayed = 0;
  n.moving = false;
}

void cluster_world::read(node& n) {
  const auto& record = log_[n.read_at];
  const auto before = n.replica->state().time_ms;
  const auto claim_before = n.replica->state().claim;
  if (faults_.state_before_facts && chance(20)) {
    n.replica->read(now(n), n.facts, record.offset, record.bytes);
    n.disk.state = n.replica->state();
    n.disk.facts = n.facts;
    n.disk.shown = n.shown;
    n.disk.read_at = n.read_at + 1;
    return kill(n);
  }
  const auto got = n.replica->read(now(n), n.facts, record.offset, record.bytes);
  ++n.read_at;
  const auto& state = n.replica->state();
  cluster_invariants::require(got.judged.what != verdict::stopped,
                              "no node stops in an honest log");
  cluster_invariants::require(state.time_ms >= before, "time never goes back");
  if (n.index == 0) {
    ++counts_.records;
    if (got.judged.what == verdict::voided) ++counts_.voided;
    if (got.judged.what == verdict::refused) ++counts_.refused;
    if (got.judged.why == reason::gap_or_copy) ++counts_.gaps;
    if (state.claim != claim_before) ++counts_.claims;
    if (state.released && state.last == record.offset) ++counts_.releases;
  }
  if (got.apply) {
    const auto& one = *got.apply;
    n.facts.carry_out(state, record.offset, one, got.judged);
    shown_event e;
    e.attempt = static_cast<std::size_t>(std::stoull(one.body));
    e.offset = record.offset;
    e.session = one.session.session.value;
    e.seq = got.judged.seq;
    e.epoch = e.session.empty() ? 0 : state.epoch;
    if (one.expected)
      cluster_invariants::require(e.seq == *one.expected + one.events,
                                  "a guarded write stands where its writer saw it");
    e.removed = one.removes;
    if (!one.documents.empty()) {
      e.document = one.documents.front().key;
      e.version_before = one.documents.front().expected.value_or(nowhere);
    }
    if (one.source) e.source = one.source->offset;
    invariants_.show(n.shown++, e);
  }
  if (state.claim != claim_before) begin_claim(n);
  carry_out(n, got.then);
}

// ---- clients ----

std::size_t cluster_world::new_operation() {
  operation op;
  const auto number = operations_.size();
  const auto what = pick(100);
  op.kind = what < 65   ? op_kind::message
            : what < 80 ? op_kind::document
            : what < 95 ? op_kind::derived
                        : op_kind::removal;
  if (op.kind == op_kind::message || op.kind == op_kind::removal) {
    op.session = std::string(1, static_cast<char>('u' + pick(6)));
    op.guarded = chance(700);
    if (chance(600)) op.key = "k" + std::to_string(number);
  }
  if (op.kind == op_kind::document) op.document = "d" + std::to_string(pick(2));
  operations_.push_back(std::move(op));
  return number;
}

atom cluster_world::make_atom(node& n, const operation& op, std::size_t attempt) {
  atom one;
  one.body = std::to_string(attempt);
  one.epoch = n.replica->state().epoch;
  if (!op.session.empty()) {
    one.session = key_of(op.session);
    one.events = 1;
    one.removes = op.kind == op_kind::removal;
    if (op.guarded) {
      const auto folded = n.heads.find(op.session);
      one.expected = folded != n.heads.end() ? folded->second : n.facts.head(one.session)->seq;
    }
  }
  if (!op.key.empty()) one.keys.push_back({op.key, 24 * hour_ms});
  if (!op.document.empty())
    one.documents.push_back({"profiles", op.document,
                             n.facts.version("profiles", op.document)->value_or(nowhere), "v"});
  if (op.kind == op_kind::derived) {
    const auto before = op.source - 1;
    one.source = source_tag{source_partition, op.source, before == 0 ? nowhere : before};
  }
  return one;
}

void cluster_world::submit(node& n, std::size_t number) {
  auto& op = operations_[number];
  op.again = false;
  ++op.attempts;
  auto asked = number;
  if (op.kind == op_kind::derived) {
    // The relay goes on behind what is applied, and behind what it has sent. A row of the source
    // is one thing that is asked for, whoever sends it.
    const auto last = *n.facts.last_of(source_partition);
    op.source = n.relayed = std::max(n.relayed, last ? last->offset : 0) + 1;
    asked = first_source + static_cast<std::size_t>(op.source);
  }
  const auto attempt = invariants_.new_attempt(asked);
  attempts_.push_back({number, n.index, n.incarnation});
  actions out;
  const auto one = make_atom(n, op, attempt);
  if (n.replica->submit(now(n), n.facts, attempt + 1, one, out) != admission::taken) {
    told_nothing(n, attempt);
    op.again = !op.settled && op.kind == op_kind::message && op.attempts < 50;
    return;
  }
  if (op.guarded && !op.session.empty()) n.heads[op.session] = *one.expected + 1;
  if (!op.guarded) n.heads.erase(op.session);
  carry_out(n, out);
  if (faults_.answers_by_delivery && chance(300)) {
    op.settled = true;
    invariants_.promise(attempt);
  }
}

void cluster_world::work(node& n, bool calm) {
  auto& replica = *n.replica;
  if (!replica.owns()) return;
  if (n.moving) {
    actions out;
    if (replica.give_up(now(n), n.move_to, out)) n.moving = false;
    return carry_out(n, out);
  }
  for (std::size_t i = 0; i < operations_.size(); ++i)
    if (operations_[i].again && chance(calm ? 900 : 300)) submit(n, i);
  if (calm) return;
  if (chance(10)) {
    n.moving = true;
    n.move_to = chance(800) ? all_[pick(nodes)].name : std::string();
  }
  while (chance(350)) submit(n, new_operation());
  if (!operations_.empty() && chance(150)) {  // a client that does not wait
    const auto eager = pick(operations_.size());
    if (!operations_[eager].key.empty()) submit(n, eager);
  }
}

// ---- readers ----

void cluster_world::ask_readers(node& n, bool calm) {
  const auto shows = [&](std::size_t attempt) {
    return static_cast<std::int64_t>(n.shown) > invariants_.place_of(attempt);
  };
  const auto next = n.replica->state().next;
  auto step = n.gate.applied(n.read_at == log_.size() ? end_ : next);
  answer_questions(n, step.ready);
  if (n.look && n.look->first <= tick_) {
    step = n.gate.end_is(n.look->second, next);
    n.look.reset();
    if (step.look) n.look = {tick_ + 1 + static_cast<int>(pick(look_ticks_max)), end_};
    answer_questions(n, step.ready);
  }
  if (calm || told_written_.empty() || !chance(300)) return;
  // A client that was told comes here with its position, and asks without it.
  const auto of = chance(300) ? told_written_.size() : std::min(told_written_.size(), newest);
  const auto attempt = told_written_[told_written_.size() - 1 - pick(of)];
  if (covers(next, invariants_.offset_of(attempt)))
    cluster_invariants::require(shows(attempt), "a node has what it says to have");
  n.questions.push_back({next_question_, attempt});
  step = n.gate.ask(next_question_++);
  if (step.look) n.look = {tick_ + 1 + static_cast<int>(pick(look_ticks_max)), end_};
}

void cluster_world::answer_questions(node& n, const std::vector<std::uint64_t>& ready) {
  for (const auto token : ready)
    std::erase_if(n.questions, [&](const question& one) {
      if (one.token != token) return false;
      ++counts_.absences;
      cluster_invariants::require(
          static_cast<std::int64_t>(n.shown) > invariants_.place_of(one.attempt),
          "nothing is said not to be there that a client was told of");
      return true;
    });
}

// ---- the end ----

bool cluster_world::at_rest() const {
  int owners = 0;
  for (const auto& n : all_) {
    if (!n.replica || n.read_at < log_.size() || n.replica->in_flight() > 0) return false;
    owners += n.replica->may_act(now(n));
  }
  const auto waits = [](const operation& op) { return op.again; };
  return owners == 1 && wire_.empty() && !log_.empty() &&
         std::none_of(operations_.begin(), operations_.end(), waits);
}

void cluster_world::last_look() {
  invariants_.at_rest();
  for (std::size_t attempt = 0; attempt < attempts_.size(); ++attempt)
    if (invariants_.told_of(attempt) == cluster_invariants::told::nothing)
      cluster_invariants::require(
          all_[attempts_[attempt].node].incarnation != attempts_[attempt].incarnation,
          "who lives answers everything");
  // One who reads it all from the beginning, and never was a part of it.
  node auditor;
  auditor.name = "auditor";
  auditor.index = nodes;
  start(auditor);
  while (auditor.read_at < log_.size()) read(auditor);
  cluster_invariants::require(auditor.shown == invariants_.history().size(),
                              "what was shown is in the log");
  for (const auto& n : all_) {
    cluster_invariants::require(n.replica->state() == auditor.replica->state(),
                                "every reader of the log comes to the same");
    cluster_invariants::require(n.shown == auditor.shown, "every reader shows all");
  }
}

}  // namespace soma::testing
