#include "replication/replica_host.hpp"

#include <utility>

#include "core/may_block.hpp"
#include "core/thread_name.hpp"
#include "core/uuid.hpp"
#include "kafka/topics.hpp"
#include "observability/log.hpp"
#include "replication/replica_host_parts.hpp"

namespace soma::replication {
namespace {

constexpr std::chrono::milliseconds polled_every{20};
constexpr std::size_t read_at_once = 256;
constexpr std::int64_t ticked_every_ms = 25;
constexpr std::chrono::milliseconds leases_looked_at_every{25};
constexpr std::chrono::milliseconds look_waits{1'000};
// From the moment at which nobody here may act any more to the first question whether all rest …
constexpr std::int64_t rests_asked_after_ms = 50;
// … or, where nobody can be asked, to the owner's last record.
constexpr std::int64_t effects_end_within_ms = 250;
// Between two claims because of records that could not be delivered.
constexpr std::int64_t claims_again_after_ms = 500;

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
  if (how_.checks_topic)
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
  leases_thread_ = std::thread([this] { watch_leases(); });
  errands_thread_ = std::thread([this] { run_errands(); });
  thread_ = std::thread([this] { run(); });
  return {};
}

replica_host::~replica_host() {
  {
    const std::lock_guard lock(errands_mutex_);
    ending_ = true;
  }
  errands_any_.notify_all();
  for (auto* one : {&thread_, &leases_thread_, &errands_thread_})
    if (one->joinable()) one->join();
  consumer_.reset();
  producer_.reset();  // its calls use what is left
  for (const auto& one : parts_) {
    std::map<std::uint64_t, waiting> left;
    {
      const std::lock_guard lock(one->mutex);
      left.swap(one->asked);
    }
    for (auto& [token, who] : left) who.then({token, cluster::append_outcome::unknown, {}, {}}, {});
  }
}

// ---- the thread ----

void replica_host::run() {
  name_this_thread("replicas");
  this_thread_may_block();
  std::int64_t ticked_ms = 0;
  while (!ending_) {
    (void)consumer_->poll(polled_every, read_at_once,
                          [this](const kafka::read_from_log& one) { on_read(one); });
    if (failed_generation_ == generation_) remake_producer();
    take_orders();
    if (const auto now = clocks_now().monotonic_ms; now - ticked_ms >= ticked_every_ms) {
      ticked_ms = now;
      tick_all();
    }
  }
}

void replica_host::on_read(const kafka::read_from_log& one) {
  if (ending_ || one.partition >= parts_.size()) return;
  auto& of = *parts_[one.partition];
  if (of.halted) return;
  told out;
  {
    const std::lock_guard lock(of.mutex);
    using kind = kafka::read_from_log::kind;
    if (one.what == kind::halted || one.what == kind::denied) {
      doubt(of, "the log cannot be read on (" + std::string(one.why) + ")",
            one.what == kind::halted);
    } else if (one.what == kind::record) {
      on_record(of, one, out);
    } else if (!of.verified) {
      doubt(of, "the log ends before the place up to which it was read", false);
    } else {
      of.doubts.reset();
      of.in_doubt = false;
      of.replica->at_end(true);
      of.at_end = true;
    }
    if (!of.replica->owns() && !of.doubts && !of.aside) {
      auto then = of.replica->tick(clocks_now());
      take(of, then, out);
    }
    look_at(of, out);
  }
  say(of, out);
}

// ---- a log that cannot be read on ----

// Nothing is written to a log that may be another, and nothing is said to be lost before it was
// looked at for a time.
void replica_host::doubt(part& of, std::string why, bool halted) {
  if (of.replica->stopped()) return;
  of.halted = of.halted || halted;
  of.replica->at_end(false);
  of.at_end = false;
  if (of.doubts) return;
  log(log_level::warn, "cluster.log_in_doubt", {{"partition", of.number}, {"what", why}});
  of.doubts.emplace(how_.doubts, std::move(why));
  of.in_doubt = true;
}

void replica_host::look_into(part& of, cluster::clocks now, told& out) {
  std::optional<kafka::seen_log> seen;
  {
    const std::lock_guard lock(of.view_mutex);
    seen = std::exchange(of.looked, std::nullopt);
  }
  if (!seen) return;
  const auto& state = of.replica->state();
  const auto place = of.verified ? state.next : state.last;
  switch (of.doubts->looked(now.monotonic_ms, *seen, place, !of.verified)) {
    case log_doubt::verdict::wait: return;
    case log_doubt::verdict::begin_again:
      if (consumer_->begin(of.number, place)) of.halted = false;
      return;
    case log_doubt::verdict::lost: break;
  }
  auto why = of.doubts->why();
  of.doubts.reset();
  of.in_doubt = false;
  of.halted = true;
  consumer_->halt(of.number);
  stop(of, cluster::reason::other_changelog, std::move(why), out);
}

void replica_host::stop(part& of, stop_reason why, std::string detail, told& out) {
  if (of.replica->stopped()) return;
  log(log_level::error, "cluster.partition_stopped",
      {{"partition", of.number}, {"reason", cluster::to_string(why)}, {"what", detail}});
  auto then = of.replica->stop(
      {.what = cluster::verdict::stopped, .why = why, .detail = std::move(detail)});
  take(of, then, out);
}

// ---- time ----

void replica_host::tick_all() {
  for (const auto& one : parts_) {
    told out;
    {
      const std::lock_guard lock(one->mutex);
      const auto now = clocks_now();
      tick(*one, now, out);
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
    say(*one, out);
  }
}

void replica_host::tick(part& of, cluster::clocks now, told& out) {
  auto& replica = *of.replica;
  if (of.gives_up && !replica.owns()) of.gives_up.reset();
  // Signs of life would keep others from taking what cannot be carried out here.
  if (of.aside) return try_again(of, now.monotonic_ms, out);
  if (of.doubts) return look_into(of, now, out);
  // Of what was put before the last claim nobody asks any more.
  auto failed = of.failed_tag.load();
  if (failed == replica.claims_put() + 1 && now.monotonic_ms >= of.claims_again_from_ms) {
    of.failed_tag.compare_exchange_strong(failed, 0);
    of.claims_again_from_ms = now.monotonic_ms + claims_again_after_ms;
    auto then = replica.delivery_failed(now);
    take(of, then, out);
  }
  tick_giving_up(of, now, out);
  if (of.gives_up && now.monotonic_ms - of.gives_up->since_ms >= how_.rules.lease_ms) return;
  auto then = replica.tick(now);
  take(of, then, out);
}

// Whoever owns next acts at once behind a release, so none is written while anything runs here.
// Where that does not end in time, silence does: the next owner waits for the lease.
void replica_host::tick_giving_up(part& of, cluster::clocks now, told& out) {
  if (!of.gives_up) return;
  const auto waited_ms = now.monotonic_ms - of.gives_up->since_ms;
  bool rests = false;
  {
    const std::lock_guard lock(rests_mutex_);
    rests = rests_ ? waited_ms >= rests_asked_after_ms && rests_(of.number)
                   : waited_ms >= effects_end_within_ms;
  }
  cluster::actions last;
  // Nobody took it: it is this node's as before.
  const bool nobodys_wish =
      waited_ms >= how_.rules.lease_ms + 3 * cluster::lease_wait_ms(how_.rules);
  if ((rests && of.replica->give_up(now, of.gives_up->to, last)) || nobodys_wish)
    of.gives_up.reset();
  take(of, last, out);
}

void replica_host::look_at(part& of, told& out) {
  count_flight(of);
  const auto now = clocks_now();
  const auto& replica = *of.replica;
  const auto& state = replica.state();
  cluster::partition_view seen;
  seen.partition = of.number;
  seen.owner = state.owner;
  seen.epoch = state.epoch;
  seen.released = state.released;
  seen.owned_here = replica.owns();
  // An incarnation that is begun while a claim is on its way is of an epoch that is over.
  seen.may_act = replica.may_act(now) && !of.gives_up && !replica.reclaiming();
  seen.next = state.next;
  seen.end = std::max<cluster::log_offset>(consumer_->known_end(of.number), state.next);
  if (const auto& stopped = replica.stopped())
    seen.stopped = std::string(cluster::to_string(stopped->why)) + ": " + stopped->detail;
  of.owned_epoch = seen.owned_here && !replica.reclaiming() ? seen.epoch : 0;
  const std::lock_guard lock(of.view_mutex);
  if (!same_news(of.view, seen) || of.lapse_untold) out.news = true;
  of.lapse_untold = false;
  of.view = std::move(seen);
  of.acts_until_ms = replica.acts_until_ms(now);
}

void replica_host::say(part& of, told& out) {
  if (!out.applied.empty() || !out.derived.empty()) {
    const std::lock_guard lock(told_mutex_);
    if (applied_)
      for (const auto& one : out.applied) applied_(one.op, one.last);
    if (derived_)
      for (const auto& [tag, judged] : out.derived) derived_(tag, judged);
  }
  if (out.news) tell(of);
  for (auto& [then, answer] : out.answers)
    then(answer, out.refused && answer.offset == out.refused_at ? out.refused : std::nullopt);
}

// Of two threads that tell, each tells what is so then.
void replica_host::tell(part& of) {
  const std::lock_guard lock(watcher_mutex_);
  if (!watcher_) return;
  cluster::partition_view seen;
  {
    const std::lock_guard held(of.view_mutex);
    seen = of.view;
  }
  watcher_(seen);
}

// ---- beside it ----

// Effects end with their lease, whatever the other thread waits for.
void replica_host::watch_leases() {
  name_this_thread("leases");
  while (!ending_) {
    std::this_thread::sleep_for(leases_looked_at_every);
    const auto now = clocks_now().monotonic_ms;
    for (const auto& one : parts_) {
      bool lapsed = false;
      {
        const std::lock_guard lock(one->view_mutex);
        one->see_lapse(now);
        lapsed = std::exchange(one->lapse_untold, false);
      }
      if (lapsed) tell(*one);
    }
  }
}

void replica_host::run_errands() {
  name_this_thread("kafka_errands");
  this_thread_may_block();
  for (;;) {
    std::deque<std::function<void()>> taken;
    {
      std::unique_lock lock(errands_mutex_);
      errands_any_.wait_for(lock, std::chrono::milliseconds(how_.doubts.looked_at_every_ms),
                            [this] { return ending_ || !errands_.empty(); });
      taken.swap(errands_);
      if (taken.empty() && ending_) return;
    }
    for (const auto& one : taken) one();
    for (const auto& one : parts_) {
      if (ending_ || !one->in_doubt) continue;
      const auto seen = consumer_->look(one->number, look_waits);
      const std::lock_guard lock(one->view_mutex);
      one->looked = seen;
    }
  }
}

void replica_host::errand(std::function<void()> what) {
  {
    const std::lock_guard lock(errands_mutex_);
    errands_.push_back(std::move(what));
  }
  errands_any_.notify_one();
}

}  // namespace soma::replication
