#include "app/session_stager.hpp"

#include <unordered_set>

#include "actors/event_writer.hpp"
#include "actors/session_info.hpp"
#include "app/on_lane.hpp"
#include "core/codes.hpp"
#include "core/time.hpp"
#include "storage/attachment_rows.hpp"

namespace soma::app {

namespace asio = boost::asio;

namespace {

// Of one write to the store while a copy is staged.
constexpr std::size_t stage_bytes = 1024 * 1024;

}  // namespace

struct session_stager::work {
  explicit work(copy_options options) : copy(std::move(options)) {}

  void add(const event& e) {
    ready.push_back({e.meta.id.seq, e.type(), encode(e)});
    if (const auto* said = std::get_if<soma::body::message_user>(&e.body))
      for (const auto& a : said->attachments)
        if (named.insert(a.id).second) storage::add_attachment_use(uses, e.meta.key, a.id);
    ready_bytes += ready.back().json.size();
  }

  // Fills `ready`; true when the source has no more. What gives no events may take long, so others
  // on the lane have their turn before the next of it.
  result<bool> fill(const source& next) {
    const taker take = [this](event e) { add(copy.add(std::move(e))); };
    while (ready_bytes < stage_bytes) {
      const auto before = ready_bytes;
      auto end = next(take);
      if (!end) return end.error();
      if (!*end && ready_bytes == before) return false;
      if (!*end) continue;
      for (const auto& e : copy.close(now_ms())) add(e);
      return true;
    }
    return false;
  }

  session_copy copy;
  std::vector<storage::encoded_event> ready;
  std::size_t ready_bytes = 0;
  std::vector<storage::document_row> uses;  // of attachments, by the events so far
  std::unordered_set<std::string> named;    // those attachments
};

session_stager::session_stager(services& s, std::size_t io_thread, copy_options options,
                               lane& reads)
    : s_(s),
      lane_(reads),
      bridge_(*s.bridges[io_thread]),
      to_(options.to),
      epoch_(options.epoch),
      work_(std::make_shared<work>(std::move(options))) {}

asio::awaitable<result<void>> session_stager::copy_all(source next) {
  if (epoch_ == 0)
    co_return error(codes::cluster_not_owner, "another node owns the copy, or none does", 1);
  for (bool end = false; !end;) {
    auto fill = [work = work_, next] { return work->fill(next); };
    const auto turn = long_turn_of(to_.tenant);
    auto filled = co_await on_lane(lane_, turn, fill);
    if (!filled) co_return filled.error();
    end = *filled;
    if (work_->ready.empty()) continue;
    if (const auto full = s_.node.refuses_more(to_.tenant)) co_return *full;
    auto staged = co_await stage_ready();
    if (!staged) co_return staged.error();
  }
  co_return result<void>();
}

asio::awaitable<result<void>> session_stager::stage_ready() {
  auto events =
      std::make_shared<const std::vector<storage::encoded_event>>(std::move(work_->ready));
  work_->ready.clear();
  work_->ready_bytes = 0;
  return run_on_writer(
      [to = to_, events](storage::event_log& log) { return log.stage(to, *events); });
}

asio::awaitable<result<void>> session_stager::run_on_writer(
    std::function<result<void>(storage::event_log&)> what) {
  actors::storage_job job;
  job.run = std::move(what);
  job.of = to_;
  auto outcome = co_await bridge_.ask<actors::storage_outcome>(s_.node.writer, std::move(job));
  if (!outcome) co_return outcome.error();
  co_return outcome->done;
}

asio::awaitable<result<void>> session_stager::keep_uses(use_filter which) {
  auto filter = [work = work_, which = std::move(which), to = to_]() -> result<void> {
    work->uses.clear();
    for (const auto& id : work->named) {
      const auto kept = which(id);
      if (!kept) return kept.error();
      if (*kept) storage::add_attachment_use(work->uses, to, id);
    }
    return {};
  };
  const auto turn = long_turn_of(to_.tenant);
  co_return co_await on_lane(lane_, turn, std::move(filter));
}

storage::session_info session_stager::info() const {
  return actors::info_of(work_->copy.state());
}

event_id session_stager::last_id() const {
  return {epoch_, work_->copy.state().seq};
}

asio::awaitable<result<void>> session_stager::publish(
    storage::session_info info, storage::idempotency_record record,
    std::vector<storage::document_row> documents) {
  storage::append_op op;
  op.key = to_;
  op.epoch = epoch_;
  op.expected_seq = work_->copy.state().seq;
  op.info = std::move(info);
  op.compact_seq = work_->copy.state().compact_seq;
  op.publish_staged = true;
  op.documents = std::move(work_->uses);
  for (auto& one : documents) op.documents.push_back(std::move(one));
  if (!record.key.empty()) op.idempotency.push_back(std::move(record));
  auto append = actors::append_of(s_.node, std::move(op));
  auto outcome = co_await bridge_.ask<actors::append_outcome>(s_.node.writer, std::move(append));
  if (!outcome) co_return outcome.error();
  if (!outcome->head) co_return outcome->head.error();
  co_return result<void>();
}

asio::awaitable<void> session_stager::discard() {
  // Named first: g++ 12 frees a temporary twice that is made inside a co_await.
  std::function<result<void>(storage::event_log&)> drop = [to = to_](storage::event_log& log) {
    return log.discard_staged(to);
  };
  // What stays behind after a failure is removed by the next start.
  (void)co_await run_on_writer(std::move(drop));
}

}  // namespace soma::app
