#include "actors/event_writer.hpp"

#include <caf/send.hpp>
#include <chrono>
#include <mutex>
#include <utility>

#include "core/codes.hpp"
#include "core/may_block.hpp"
#include "core/time.hpp"

namespace soma::actors {
namespace {

constexpr auto housekeeping_every = std::chrono::minutes(10);
constexpr std::size_t expired_at_once = 500;  // bounds what a commit waits for
// Of a session, handed to a log that answers later and not answered: past it larger ones gather.
constexpr std::size_t batches_in_flight_max = 4;

// Bytes an append weighs in the writer's queue.
std::size_t weight(const storage::append_op& op) {
  std::size_t bytes = 256 + (op.snapshot ? op.snapshot->size() : 0);
  for (const auto& e : op.events) bytes += e.json.size();
  return bytes;
}

// What was thrown out of the middle of a commit may be on the disk or not: nothing is acknowledged
// any more. Whoever waits is told, should the process live on.
std::vector<result<std::uint64_t>> commit_all(node_services& node,
                                              const std::vector<storage::append_op>& ops) {
  try {
    return node.log.commit(ops);
  } catch (const std::exception&) {
    node.root_died("event_writer");
    return std::vector<result<std::uint64_t>>(
        ops.size(), result<std::uint64_t>(error(codes::storage_unavailable, "the commit failed")));
  }
}

}  // namespace

append_request append_of(node_services& node, storage::append_op op) {
  auto queued = std::make_shared<const queued_bytes>(node.queued_bytes, weight(op));
  return {std::move(op), std::move(queued)};
}

void publish(node_services& node, const storage::append_op& op, event_id last) {
  if (const auto feed = node.feeds.find(op.key); feed && !op.events.empty()) {
    std::vector<feed_frame> frames;
    frames.reserve(op.events.size());
    for (const auto& e : op.events)
      frames.push_back(make_feed_frame({last.epoch, e.seq}, e.type, e.json));
    feed->publish(frames, op.first_seq);
  }
  if (op.remove) node.feeds.finish(op.key, feed_end::deleted);
  if (op.remove)
    node.sessions.session_changed(op.key, nullptr, last);
  else if (op.info)
    node.sessions.session_changed(op.key, &*op.info, last);
}

void event_writer_state::commit() {
  if (batch.empty()) return;
  if (later) return hand_over();
  std::vector<storage::append_op> ops;
  ops.reserve(batch.size());
  for (auto& one : batch) ops.push_back(std::move(one.request.op));
  const auto begin = std::chrono::steady_clock::now();
  auto results = commit_all(*node, ops);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::size_t good = 0, events = 0, bytes = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    batch[i].request.queued.reset();
    if (!results[i]) continue;
    ++good;
    events += ops[i].events.size();
    bytes += weight(ops[i]);
  }
  if (good > 0) node->probe.committed(good, events, bytes, took.count());
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (results[i])
      publish(*node, ops[i], {node->log.epoch(), ops[i].expected_seq + ops[i].events.size()});
    batch[i].answer.deliver(append_outcome(std::move(results[i])));
  }
  batch.clear();
  batch_bytes = 0;
}

// ---- a log that answers later ----

struct event_writer_state::answers {
  std::mutex mutex;
  std::vector<std::shared_ptr<handed_over>> ready;
};

event_writer_state::~event_writer_state() {
  const error gone(codes::storage_unavailable, "the event writer is gone");
  const auto refuse = [&](std::vector<waiting>& asked) {
    for (auto& one : asked) one.answer.deliver(append_outcome(result<std::uint64_t>(gone)));
    asked.clear();
  };
  refuse(batch);
  for (auto& [key, of] : sessions) {
    for (const auto& one : of.in_flight) refuse(one->asked);
    refuse(of.waits);
  }
  for (auto& one : jobs) one.answer.deliver(storage_outcome(result<void>(gone)));
}

void event_writer_state::hand_over() {
  std::vector<of_session*> fresh;
  for (auto& one : batch) {
    auto& of = sessions[one.request.op.key];
    if (of.waits.empty()) fresh.push_back(&of);
    of.waits.push_back(std::move(one));
  }
  batch.clear();
  batch_bytes = 0;
  for (auto* of : fresh) hand_over(*of);
}

void event_writer_state::hand_over(of_session& of) {
  if (of.waits.empty() || of.in_flight.size() >= batches_in_flight_max) return;
  auto one = std::make_shared<handed_over>();
  std::vector<storage::append_op> ops;
  ops.reserve(of.waits.size());
  for (auto& asked : of.waits) {
    one->events.push_back(asked.request.op.events.size());
    one->bytes.push_back(weight(asked.request.op));
    ops.push_back(std::move(asked.request.op));
  }
  one->key = ops.front().key;
  one->asked = std::exchange(of.waits, {});
  one->since = std::chrono::steady_clock::now();
  of.in_flight.push_back(one);
  // Keeps its address alone: nobody waits for the log's answers once the writer has ended.
  node->log.submit(std::move(ops),
                   [one, told = later, writer = self](std::vector<result<std::uint64_t>> results) {
                     bool first = false;
                     {
                       const std::lock_guard lock(told->mutex);
                       one->results = std::move(results);
                       first = told->ready.empty();
                       told->ready.push_back(one);
                     }
                     if (!first) return;
                     if (auto there = caf::actor_cast<caf::strong_actor_ptr>(writer))
                       caf::anon_send(caf::actor_cast<event_writer_actor>(there), flush_batch{});
                   });
}

// Of a session in the order in which they were handed over.
void event_writer_state::take_answers() {
  std::vector<std::shared_ptr<handed_over>> ready;
  {
    const std::lock_guard lock(later->mutex);
    ready.swap(later->ready);
  }
  for (const auto& one : ready) one->answered = true;
  for (const auto& one : ready) {
    const auto at = sessions.find(one->key);
    if (at == sessions.end()) continue;  // answered along with one before it
    auto& of = at->second;
    while (!of.in_flight.empty() && of.in_flight.front()->answered) {
      answer(*of.in_flight.front());
      of.in_flight.pop_front();
    }
    hand_over(of);
    if (of.in_flight.empty() && of.waits.empty()) sessions.erase(at);
  }
  run_jobs();
}

void event_writer_state::answer(handed_over& one) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - one.since;
  std::size_t good = 0, events = 0, bytes = 0;
  for (std::size_t i = 0; i < one.asked.size(); ++i) {
    one.asked[i].request.queued.reset();
    if (one.results[i]) {
      ++good;
      events += one.events[i];
      bytes += one.bytes[i];
    }
    one.asked[i].answer.deliver(append_outcome(std::move(one.results[i])));
  }
  one.asked.clear();
  if (good > 0) node->probe.committed(good, events, bytes, took.count());
}

void event_writer_state::run_jobs() {
  std::vector<waiting_job> left;
  for (auto& one : std::exchange(jobs, {})) {
    const bool waits = one.job.of ? sessions.count(*one.job.of) > 0 : !sessions.empty();
    if (waits)
      left.push_back(std::move(one));
    else
      one.answer.delegate(runner, std::move(one.job));
  }
  jobs = std::move(left);
}

namespace {

storage_outcome carried_out(storage_job& job, storage::event_log& log) {
  try {
    return storage_outcome(job.run(log));
  } catch (const std::exception& e) {
    return storage_outcome(result<void>(error(codes::internal, e.what())));
  }
}

job_runner_actor::behavior_type job_runner(job_runner_actor::pointer, node_services* node) {
  this_thread_may_block();
  return {[node](storage_job& job) { return carried_out(job, node->log); }};
}

}  // namespace

event_writer_actor::behavior_type event_writer(
    event_writer_actor::stateful_pointer<event_writer_state> self, node_services* node) {
  this_thread_may_block();
  self->state.node = node;
  if (node->log.answers_later()) {
    self->state.later = std::make_shared<event_writer_state::answers>();
    self->state.self = self->address();
    self->state.runner = self->spawn<caf::detached + caf::linked>(job_runner, node);
    node->log.on_applied(
        [node](const storage::append_op& op, event_id last) { publish(*node, op, last); });
  }
  self->delayed_send(self, housekeeping_every, housekeeping{});
  return {
      [self](append_request& request) {
        auto& state = self->state;
        auto answer = self->make_response_promise<append_outcome>();
        state.batch_bytes += weight(request.op);
        state.batch.push_back({std::move(request), answer});
        if (state.batch_bytes >= state.node->limits.batch_bytes) {
          state.commit();
        } else if (!state.flush_queued) {
          state.flush_queued = true;
          self->send(self, flush_batch{});
        }
        return answer;
      },
      [self](storage_job& job) {
        // What was asked before must be in the log before.
        auto& state = self->state;
        state.commit();
        auto answer = self->make_response_promise<storage_outcome>();
        if (state.later) {
          state.jobs.push_back({std::move(job), answer});
          state.take_answers();
        } else {
          answer.deliver(carried_out(job, state.node->log));
        }
        return answer;
      },
      [self](const flush_batch&) {
        self->state.flush_queued = false;
        if (self->state.later) self->state.take_answers();
        self->state.commit();
      },
      [self](const housekeeping&) {
        const auto old_ms = now_ms() - self->state.node->limits.idempotency_ttl_ms;
        // A failure here costs disk space only; the next round tries again.
        const auto expired = self->state.node->log.expire_idempotency(old_ms, expired_at_once);
        if (expired && *expired == expired_at_once)
          self->send(self, housekeeping{});  // appends that wait meanwhile go first
        else
          self->delayed_send(self, housekeeping_every, housekeeping{});
      },
  };
}

}  // namespace soma::actors
