#include <deque>
#include <set>

#include "app/conversation_json.hpp"
#include "app/file_services.hpp"
#include "app/log_walk.hpp"
#include "app/on_lane.hpp"
#include "app/policy_question.hpp"
#include "app/services.hpp"
#include "app/session_copies.hpp"
#include "app/session_document.hpp"
#include "app/tool_gateway.hpp"
#include "core/codes.hpp"
#include "files/open_file.hpp"

namespace soma::app {
namespace {

namespace asio = boost::asio;

// One thread at a time.
class export_work {
 public:
  // `readable`: whether policy lets the caller have an attachment's bytes; may wait.
  export_work(log_walk walk, files::attachment_store& store, tools::attachment_reader reader,
              std::function<result<bool>(std::string_view)> readable)
      : walk_(std::move(walk)),
        store_(store),
        reader_(std::move(reader)),
        readable_(std::move(readable)) {}

  document_writer document;

  // The next lines; empty after the last event.
  result<std::string> next_of_events() {
    std::string lines;
    auto events = walk_.next();
    if (!events) return events.error();
    for (const auto& e : *events) {
      lines += document.add(e.json);
      note_attachments(e);
    }
    return lines;
  }

  // Opens the next attachment that can be read, for which it may be read whole, and gives its line;
  // empty after the last. Its pieces come before the next one.
  result<std::string> next_attachment() {
    while (!to_come_.empty()) {
      const auto id = std::move(to_come_.front());
      to_come_.pop_front();
      const auto may = readable_(id);
      if (!may) return may.error();
      if (!*may) continue;
      auto a = store_.look(reader_, id);
      if (!a) continue;  // gone, or held back
      auto bytes = store_.open_bytes(*a);
      if (!bytes) continue;  // gone meanwhile, or damaged
      file_ = std::make_shared<files::open_file>(std::move(*bytes));
      left_ = size_ = a->size_bytes;
      return document.add_attachment(attachment_line(*a));
    }
    return std::string();
  }

  // Of the open attachment; empty after the last.
  result<std::string> next_piece() {
    if (left_ == 0) return std::string();
    const auto bytes = std::min<std::uint64_t>(left_, attachment_piece_bytes);
    auto piece = file_->read(size_ - left_, static_cast<std::size_t>(bytes));
    if (piece.empty()) return error(codes::storage_corrupt, "an attachment cannot be read");
    left_ -= piece.size();
    return document.add_attachment(attachment_bytes_line(piece));
  }

 private:
  void note_attachments(const storage::stored_event& stored) {
    if (stored.type != event_type::message_user) return;
    const auto e = decode(stored.json);
    const auto* said = e ? std::get_if<soma::body::message_user>(&e->body) : nullptr;
    if (!said) return;
    for (const auto& a : said->attachments)
      if (seen_.insert(a.id).second) to_come_.push_back(a.id);
  }

  log_walk walk_;
  files::attachment_store& store_;
  const tools::attachment_reader reader_;
  std::function<result<bool>(std::string_view)> readable_;
  std::set<std::string> seen_;
  std::deque<std::string> to_come_;
  std::shared_ptr<files::open_file> file_;
  std::uint64_t size_ = 0, left_ = 0;
};

// Events, then each attachment's line and bytes, then the last line.
class export_steps final : public piece_source {
 public:
  export_steps(services& s, const tenant_id& tenant, std::shared_ptr<export_work> work,
               std::string header, std::shared_ptr<void> place)
      : s_(s),
        turn_(long_turn_of(tenant)),
        work_(std::move(work)),
        header_(std::move(header)),
        place_(std::move(place)) {}

  asio::awaitable<result<std::string>> next() override {
    for (;;) {
      if (at_ == step::header) {
        at_ = step::events;
        co_return work_->document.begin(header_);
      }
      if (at_ == step::over) co_return std::string();
      auto piece = co_await piece_of(at_);
      if (!piece || !piece->empty()) {
        if (piece && at_ == step::attachment) at_ = step::bytes;
        co_return piece;
      }
      if (at_ == step::attachment) {
        at_ = step::over;
        co_return work_->document.end();
      }
      at_ = step::attachment;  // after the events, and after the bytes of each
    }
  }

 private:
  enum class step { header, events, attachment, bytes, over };
  using work_step = result<std::string> (export_work::*)();

  asio::awaitable<result<std::string>> piece_of(step which) {
    const work_step what = which == step::events       ? &export_work::next_of_events
                           : which == step::attachment ? &export_work::next_attachment
                                                       : &export_work::next_piece;
    auto run = [work = work_, what] { return (work.get()->*what)(); };
    auto& where = which == step::events       ? s_.lanes.pages
                  : which == step::attachment ? s_.files.hashes
                                              : s_.files.reads;
    co_return co_await on_lane(where, turn_, run);
  }

  services& s_;
  const std::string turn_;
  const std::shared_ptr<export_work> work_;
  const std::string header_;
  const std::shared_ptr<void> place_;
  step at_ = step::header;
};

}  // namespace

asio::awaitable<result<std::shared_ptr<piece_source>>> export_session(services& s,
                                                                      const admitted& in,
                                                                      session_id session) {
  const auto& who = in.who();
  auto place = s.exports.enter(who.tenant);
  if (!place) co_return error(codes::server_busy, "many sessions are being exported", 1);
  const session_key key{who.tenant, std::move(session)};
  auto head = co_await s.head(key);
  if (!head) co_return head.error();
  log_walk walk(s.node.log, key, head->first_seq, head->seq);
  auto readable = [&tools = s.tools, who](std::string_view id) -> result<bool> {
    const auto said = judge_waiting(tools, who, "attachment.read", id);
    if (said.unavailable) return policy_is_away();
    return said.allow;
  };
  auto work = std::make_shared<export_work>(std::move(walk), s.files.attachments,
                                            attachment_reader_of(who), std::move(readable));
  auto header = conversation_json(key.session, head->info, head->last_id());
  std::shared_ptr<piece_source> steps = std::make_shared<export_steps>(
      s, key.tenant, std::move(work), std::move(header), std::move(place));
  co_return steps;
}

}  // namespace soma::app
