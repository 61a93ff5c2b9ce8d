#include "replication/replica_host.hpp"

#include <time.h>

#include <utility>

#include "core/checksum.hpp"
#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "core/thread_name.hpp"
#include "core/time.hpp"
#include "core/uuid.hpp"
#include "kafka/topics.hpp"
#include "observability/log.hpp"
#include "replication/atom_body.hpp"
#include "replication/replica_host_parts.hpp"

namespace soma::replication {
namespace {

constexpr std::chrono::milliseconds polled_every{20};
constexpr std::size_t read_at_once = 256;
constexpr std::int64_t ticked_every_ms = 25;
constexpr std::chrono::milliseconds full_disk_looked_at_every{200};
// From the moment at which nobody here may act any more to the owner's last record.
constexpr std::int64_t effects_end_within_ms = 250;

cluster::clocks clocks_now() {
  timespec at{};
  clock_gettime(CLOCK_BOOTTIME, &at);
  return {at.tv_sec * 1000 + at.tv_nsec / 1'000'000, now_ms()};
}

bool same_news(const cluster::partition_view& a, const cluster::partition_view& b) {
  return a.owner == b.owner && a.epoch == b.epoch && a.released == b.released &&
         a.owned_here == b.owned_here && a.may_act == b.may_act && a.stopped == b.stopped;
}

}  // namespace

replica_host::replica_host(host_settings how, storage::replica_store& store)
    : how_(std::move(how)), incarnation_(new_uuid()), store_(store) {}

result<std::unique_ptr<replica_host>> replica_host::open(host_settings how,
                                                         storage::replica_store& store,
                                                         std::chrono::milliseconds wait) {
  std::unique_ptr<replica_host> made(new replica_host(std::move(how), store));
  if (auto begun = made->begin(wait); !begun) return begun.error();
  return made;
}

result<void> replica_host::begin(std::chrono::milliseconds wait) {
  kafka::log_topic topic;
  topic.name = how_.topic;
  topic.partitions = how_.partitions;
  topic.record_bytes_max = cluster::record_bytes_max;
  topic.single_broker = how_.single_broker;
  if (auto there = kafka::ensure_topic(how_.client, topic, wait); !there) return there.error();
  auto consumer = kafka::log_consumer::make(how_.client, {how_.topic, cluster::record_bytes_max});
  if (!consumer) return consumer.error();
  consumer_ = std::move(*consumer);
  if (auto made = make_producer(); !made) return made;
  for (std::uint32_t n = 0; n < how_.partitions; ++n) {
    auto one = std::make_unique<part>(store_, n);
    auto state = one->rows.state();
    if (!state) return state.error();
    const auto from = state->last == cluster::nowhere ? state->next : state->last;
    one->verified = state->last == cluster::nowhere;
    one->view.partition = n;
    one->view.next = state->next;
    one->replica.emplace(how_.rules, how_.node, incarnation_, std::move(*state), clocks_now());
    one->replica->may_claim(how_.rank);
    if (how_.founds) {
      cluster::born first;
      first.changelog = new_uuid();
      first.partition = n;
      first.partitions = how_.partitions;
      one->replica->found(std::move(first));
    }
    parts_.push_back(std::move(one));
    if (auto begun = consumer_->begin(n, from); !begun) return begun;
  }
  thread_ = std::thread([this] { run(); });
  return {};
}

replica_host::~replica_host() {
  ending_ = true;
  if (thread_.joinable()) thread_.join();
  consumer_.reset();
  for (const auto& one : parts_) {
    std::map<std::uint64_t, waiting> left;
    {
      const std::lock_guard lock(one->mutex);
      left.swap(one->asked);
    }
    for (auto& [token, who] : left) who.then({token, cluster::append_outcome::unknown, {}, {}}, {});
  }
}

result<void> replica_host::make_producer() {
  const auto generation = ++generation_;
  kafka::record_producer::options options;
  options.topic = how_.topic;
  options.record_bytes_max = cluster::record_bytes_max;
  options.deliver_within = std::chrono::milliseconds(how_.rules.commit_timeout_ms);
  options.failed = [this, generation](const std::string& why) {
    if (generation != generation_ || ending_) return;
    log(log_level::warn, "cluster.producer_failed", {{"why", why}});
    failed_generation_ = generation;
  };
  auto made = kafka::record_producer::make(how_.client, std::move(options));
  if (!made) return made.error();
  std::shared_ptr<kafka::record_producer> before;
  const std::lock_guard lock(producer_mutex_);
  before = std::exchange(producer_, std::move(*made));
  return {};
}

// ---- the thread ----

void replica_host::run() {
  name_this_thread("replicas");
  this_thread_may_block();
  std::int64_t ticked_ms = 0;
  while (!ending_) {
    (void)consumer_->poll(polled_every, read_at_once,
                          [this](const kafka::read_from_log& one) { on_read(one); });
    if (failed_generation_ == generation_) remake_producer(nullptr, {});
    if (const auto now = clocks_now().monotonic_ms; now - ticked_ms >= ticked_every_ms) {
      ticked_ms = now;
      tick_all();
    }
  }
}

void replica_host::on_read(const kafka::read_from_log& one) {
  if (ending_ || one.partition >= parts_.size()) return;
  auto& of = *parts_[one.partition];
  told out;
  {
    const std::lock_guard lock(of.mutex);
    using kind = kafka::read_from_log::kind;
    if (one.what == kind::lost) {
      stop(of, cluster::reason::other_changelog,
           "the log cannot be read on: " + std::string(one.why), out);
    } else if (one.what == kind::record) {
      on_record(of, one, out);
    } else if (!of.verified) {
      stop(of, cluster::reason::other_changelog,
           "the log ends before the place up to which it was read", out);
    } else {
      of.replica->at_end(true);
      of.at_end = true;
    }
    if (!of.replica->owns()) {
      auto then = of.replica->tick(clocks_now());
      take(of, then, out);
    }
    look_at(of, out);
  }
  say(out);
}

void replica_host::on_record(part& of, const kafka::read_from_log& one, told& out) {
  auto& replica = *of.replica;
  if (replica.stopped()) return;
  if (!of.verified) {
    if (!cluster::same_log(replica.state(), one.offset, one.bytes))
      return stop(of, cluster::reason::other_changelog,
                  "changelog.mismatch: the record that was read last is another by now", out);
    of.verified = true;
    return;
  }
  if (one.offset < replica.state().next) return;
  const bool at_end = one.offset + 1 >= consumer_->known_end(of.number);
  replica.at_end(at_end);
  of.at_end = at_end;
  const auto claim_before = replica.state().claim;
  auto read = replica.read(clocks_now(), of.rows, one.offset, one.bytes);
  if (read.judged.what == cluster::verdict::stopped) return take(of, read.then, out);
  const auto& state = replica.state();
  if (!state.changelog.empty() &&
      (state.partition != of.number || state.partitions != how_.partitions))
    return stop(of, cluster::reason::other_changelog,
                "the log is of another partition, or of a cluster with another number of them",
                out);
  const bool claimed = state.claim != claim_before && !state.owner.empty();
  if (!carry_out(of, one, read, claimed, out)) return;
  take(of, read.then, out);
}

// False: it cannot be, and the partition has stopped.
bool replica_host::carry_out(part& of, const kafka::read_from_log& one,
                             const cluster::reading& what, bool claimed, told& out) {
  const auto& state = of.replica->state();
  storage::judged_write write;
  write.epoch = state.epoch;
  write.place = of.rows.place(state);
  atom_body body;
  const auto refuse = [&](cluster::reason why, const error& e) {
    stop(of, why, e.detail, out);
    return false;
  };
  if (claimed)  // what was being staged under an older claim can never be published
    write.ends_stages = [this, number = of.number](const session_key& key) {
      return cluster::partition_of(key, how_.partitions) == number;
    };
  if (what.apply) {
    auto rows = of.rows.changes(state, one.offset, *what.apply, what.judged);
    if (!rows) return refuse(cluster::reason::facts_unreadable, rows.error());
    write.rows = std::move(*rows);
    // Documents alone need none.
    auto decoded = what.apply->body.empty()
                       ? result<atom_body>(atom_body(tenant_rows()))
                       : decode_body(what.apply->body, what.apply->session, what.apply->epoch);
    if (!decoded)
      return refuse(decoded.error().code == codes::storage_format ? cluster::reason::format_unknown
                                                                  : cluster::reason::unreadable,
                    decoded.error());
    body = std::move(*decoded);
    write.append = std::get_if<storage::append_op>(&body);
    write.staged = std::get_if<storage::staged_events>(&body);
    if (const auto* gone = std::get_if<discarded_stage>(&body)) write.discarded = &gone->key;
    if (auto* plain = std::get_if<tenant_rows>(&body)) {
      write.idempotency = std::move(plain->idempotency);
      write.outbox = std::move(plain->outbox);
    }
    for (const auto& d : what.apply->documents)
      write.documents.push_back({d.collection, d.key, d.value});
  }
  for (;;) {
    const auto done = store_.apply(write);
    disk_full_ = !done && done.error().code == codes::storage_full;
    if (done) break;
    if (!done.error().code.starts_with("storage.")) {
      out.refused = done.error();
      out.refused_at = one.offset;
      return true;
    }
    // Applying waits for room: what counts cannot be left out.
    if (!disk_full_ || ending_) return refuse(cluster::reason::facts_unreadable, done.error());
    std::this_thread::sleep_for(full_disk_looked_at_every);
  }
  if (write.append) {
    auto& op = std::get<storage::append_op>(body);
    const event_id last{write.epoch, op.expected_seq + op.events.size()};
    out.applied.push_back({std::move(op), last});
  }
  return true;
}

void replica_host::stop(part& of, cluster::reason why, std::string detail, told& out) {
  if (of.replica->stopped()) return;
  auto then = of.replica->stop({.what = cluster::verdict::stopped, .why = why, .detail = detail});
  log(log_level::error, "cluster.partition_stopped",
      {{"partition", of.number}, {"reason", cluster::to_string(why)}, {"what", detail}});
  take(of, then, out);
}

void replica_host::tick_all() {
  for (const auto& one : parts_) {
    told out;
    {
      const std::lock_guard lock(one->mutex);
      const auto now = clocks_now();
      auto then = one->replica->tick(now);
      take(*one, then, out);
      if (one->gives_up_to && now.monotonic_ms >= one->gives_up_from_ms) {
        cluster::actions last;
        if (!one->replica->owns() || one->replica->give_up(now, *one->gives_up_to, last))
          one->gives_up_to.reset();
        take(*one, last, out);
      }
      // Whoever has waited so long is not kept any longer; what becomes of it is not known.
      while (!one->asked.empty() && one->asked.begin()->second.until_ms <= now.monotonic_ms) {
        auto late = one->asked.extract(one->asked.begin());
        out.answers.emplace_back(
            std::move(late.mapped().then),
            cluster::append_answer{
                late.key(), cluster::append_outcome::unknown, {}, cluster::nowhere});
      }
      look_at(*one, out);
    }
    say(out);
  }
}

// Under the partition's lock: its records go out in their order.
void replica_host::take(part& of, cluster::actions& what, told& out) {
  for (auto& answer : what.answers) {
    const auto found = of.asked.find(answer.token);
    if (found == of.asked.end()) continue;
    out.answers.emplace_back(std::move(found->second.then), std::move(answer));
    of.asked.erase(found);
  }
  if (what.new_producer) {
    out.wants_producer = &of;
    for (auto& record : what.produce) out.by_new_producer.push_back(std::move(record));
  } else {
    send(of, what.produce);
  }
}

void replica_host::send(part& of, const std::vector<std::string>& records) {
  if (records.empty()) return;
  std::shared_ptr<kafka::record_producer> producer;
  {
    const std::lock_guard lock(producer_mutex_);
    producer = producer_;
  }
  for (const auto& record : records) (void)producer->send(of.number, record);
}

// What the one before had under way is void for every partition: each claims anew. Whoever writes
// meanwhile writes under a claim that ends.
void replica_host::remake_producer(part* first, std::vector<std::string> records) {
  if (auto made = make_producer(); !made) {
    log(log_level::error, "cluster.no_producer", {{"why", made.error().detail}});
    failed_generation_ = generation_.load();  // tried again
    return;
  }
  for (const auto& one : parts_) {
    told out;
    {
      const std::lock_guard lock(one->mutex);
      if (one.get() == first) {
        send(*one, records);
      } else if (one->replica->owns()) {
        auto then = one->replica->delivery_failed(clocks_now());
        then.new_producer = false;  // it is there
        take(*one, then, out);
      }
      look_at(*one, out);
    }
    say(out);
  }
}

void replica_host::look_at(part& of, told& out) {
  const auto now = clocks_now();
  const auto& state = of.replica->state();
  cluster::partition_view seen;
  seen.partition = of.number;
  seen.owner = state.owner;
  seen.epoch = state.epoch;
  seen.released = state.released;
  seen.owned_here = of.replica->owns();
  seen.may_act = of.replica->may_act(now) && !of.gives_up_to;
  seen.next = state.next;
  seen.end = std::max<cluster::log_offset>(consumer_->known_end(of.number), state.next);
  if (const auto& stopped = of.replica->stopped())
    seen.stopped = std::string(cluster::to_string(stopped->why)) + ": " + stopped->detail;
  of.owned_epoch = seen.owned_here ? seen.epoch : 0;
  const std::lock_guard lock(of.view_mutex);
  if (!same_news(of.view, seen)) out.news = seen;
  of.view = std::move(seen);
  of.acts_until_ms = of.replica->acts_until_ms(now);
}

void replica_host::say(told& out) {
  if (!out.applied.empty() || out.news) {
    const std::lock_guard lock(told_mutex_);
    if (applied_)
      for (const auto& one : out.applied) applied_(one.op, one.last);
    if (out.news && watcher_) watcher_(*out.news);
  }
  for (auto& [then, answer] : out.answers)
    then(answer, out.refused && answer.offset == out.refused_at ? out.refused : std::nullopt);
  if (out.wants_producer) remake_producer(out.wants_producer, std::move(out.by_new_producer));
}

// ---- asked by others ----

cluster::partition_view replica_host::look(std::uint32_t partition) const {
  const auto& of = *parts_.at(partition);
  const std::lock_guard lock(of.view_mutex);
  auto seen = of.view;
  // A lease ends by itself, whatever the thread waits for.
  seen.may_act = seen.may_act && clocks_now().monotonic_ms < of.acts_until_ms;
  return seen;
}

void replica_host::may_claim(std::uint32_t partition, std::optional<std::uint32_t> rank) {
  auto& of = *parts_.at(partition);
  const std::lock_guard lock(of.mutex);
  of.replica->may_claim(rank);
}

void replica_host::node_down(const std::string& node) {
  for (const auto& one : parts_) {
    const std::lock_guard lock(one->mutex);
    one->replica->node_down(node, clocks_now());
  }
}

void replica_host::give_up(std::uint32_t partition, std::string to) {
  auto& of = *parts_.at(partition);
  const std::lock_guard lock(of.mutex);
  if (!of.replica->owns() || of.gives_up_to) return;
  of.gives_up_to = std::move(to);
  of.gives_up_from_ms = clocks_now().monotonic_ms + effects_end_within_ms;
}

cluster::admission replica_host::submit(std::uint32_t partition, cluster::atom one, answered then) {
  return write(partition, std::move(one),
               [then = std::move(then)](const cluster::append_answer& answer,
                                        const std::optional<error>&) { then(answer); });
}

cluster::admission replica_host::write(std::uint32_t partition, cluster::atom one, written then) {
  if (disk_full_) return cluster::admission::full;
  auto& of = *parts_.at(partition);
  const std::lock_guard lock(of.mutex);
  // Else its flight would never land.
  if (of.gives_up_to) return cluster::admission::not_owner;
  const auto now = clocks_now();
  const auto token = ++of.last_token;
  cluster::actions out;
  const auto taken = of.replica->submit(now, of.rows, token, std::move(one), out);
  if (taken != cluster::admission::taken) return taken;
  of.asked.emplace(token,
                   waiting{now.monotonic_ms + how_.rules.commit_timeout_ms + how_.rules.lease_ms,
                           std::move(then)});
  send(of, out.produce);
  return taken;
}

void replica_host::watch(watcher who) {
  const std::lock_guard lock(told_mutex_);
  watcher_ = std::move(who);
}

void replica_host::on_applied(storage::session_log::applied told) {
  const std::lock_guard lock(told_mutex_);
  applied_ = std::move(told);
}

const cluster::partition_facts& replica_host::facts(std::uint32_t partition) const {
  return parts_.at(partition)->rows;
}

std::uint32_t replica_host::epoch_of(std::uint32_t partition) const {
  return parts_.at(partition)->owned_epoch;
}

std::uint64_t replica_host::digest(std::uint32_t partition) const {
  const auto& of = *parts_.at(partition);
  const std::lock_guard lock(of.mutex);
  const auto& state = of.replica->state();
  return mixed(state.digest, state.outcomes);
}

bool replica_host::settled(std::chrono::milliseconds wait) const {
  const auto until = std::chrono::steady_clock::now() + wait;
  for (;;) {
    bool all = true;
    for (const auto& one : parts_) {
      const std::lock_guard lock(one->view_mutex);
      const auto& view = one->view;
      const bool somebodys = view.owned_here || (!view.owner.empty() && view.owner != how_.node);
      all = all && (view.stopped || (one->verified && one->at_end && somebodys));
    }
    if (all) return true;
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace soma::replication
