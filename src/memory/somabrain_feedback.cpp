#include "memory/somabrain_feedback.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>

#include "core/fingerprint.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "storage/node_rows.hpp"

namespace soma::memory {
namespace {

namespace json = boost::json;
using outbox::attempt;
using outbox::row_outcome;

constexpr std::string_view mark_collection = "memory.somabrain", mark_key = "feedback";
static_assert(storage::is_of_node(mark_collection));
constexpr std::size_t characters_max = 1024, metadata_bytes_max = 8000;

// So many characters of it.
std::string_view head_of(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80;
    if (begins && characters-- == 0) break;
  }
  return text.substr(0, at);
}

std::string metadata_of(const rating& of, const json::object& said, bool with_words) {
  std::string out;
  json_writer w(out);
  w.begin_object().field("message_id", of.message_id).field("user", of.user);
  w.field("rating", text_of(said, "rating"));
  if (with_words) {
    w.key("tags").begin_array();
    if (const auto* tags = said.if_contains("tags"); tags && tags->is_array())
      for (const auto& tag : tags->get_array())
        if (tag.is_string()) w.string(tag.get_string());
    w.end_array().field("comment", head_of(text_of(said, "comment"), characters_max));
  }
  w.end_object();
  return out;
}

json::object object_of(std::string_view text) {
  boost::system::error_code ec;
  auto value = json::parse({text.data(), text.size()}, ec);
  return ec || !value.is_object() ? json::object() : std::move(value.get_object());
}

// Whether it was taken.
attempt read_answer(const outbox::http_answer& got) {
  if (got.status < 200 || got.status > 299) return not_taken(got);
  const auto document = object_of(got.body);
  const auto* accepted = document.if_contains("accepted");
  attempt out;
  if (!accepted || !accepted->is_bool()) {
    out.how = attempt::kind::away;
    out.why = "it answered what SomaBrain does not";
  } else if (!accepted->get_bool()) {
    out.how = attempt::kind::refused;
    out.why = "it says that it did not accept the rating";
  }
  return out;
}

}  // namespace

std::string_view to_string(feedback_support of) {
  switch (of) {
    case feedback_support::taken: return "taken";
    case feedback_support::not_taken: return "not_taken";
    case feedback_support::unknown: break;
  }
  return "unknown";
}

std::string rating_body(const rating& of, const rated_turn& turn) {
  const auto said = object_of(turn.data_json);
  auto metadata = metadata_of(of, said, true);
  if (metadata.size() > metadata_bytes_max) metadata = metadata_of(of, said, false);
  const auto asked = head_of(turn.query, characters_max);
  std::string out;
  json_writer w(out);
  w.begin_object().field("session_id", of.key.session.value);
  w.field("query", asked).field("prompt", asked);
  w.field("response_text", head_of(turn.response, characters_max));
  w.key("utility").real(text_of(said, "rating") == "helpful" ? 1 : 0);
  w.key("metadata").raw(metadata).field("tenant_id", of.key.tenant.value).end_object();
  return out;
}

somabrain_feedback::somabrain_feedback(storage::event_log& log, somabrain& to, std::string_view url,
                                       std::int64_t deadline_ms,
                                       std::function<std::int64_t()> now_ms)
    : log_(log),
      to_(to),
      url_(fingerprint_text(fingerprint(url))),
      deadline_ms_(deadline_ms),
      now_ms_(std::move(now_ms)) {
  const auto kept = log_.get_document(mark_collection, mark_key);
  if (!kept || !*kept) return;
  const std::string_view text = **kept;
  const auto first = text.find('\n'), second = text.find('\n', first + 1);
  if (second == std::string_view::npos || text.substr(second + 1) != url_) return;
  std::int64_t at = 0;
  std::from_chars(text.data() + first + 1, text.data() + second, at);
  learned_ms_ = at;
  support_ =
      text.starts_with("not_taken\n") ? feedback_support::not_taken : feedback_support::taken;
}

bool somabrain_feedback::is_asked() const {
  return support() != feedback_support::not_taken || now_ms_() - learned_ms_ >= ask_again_ms;
}

void somabrain_feedback::learn(feedback_support what) {
  const std::lock_guard one_at_a_time(learning_);
  const auto now = now_ms_();
  if (support() == what && now - learned_ms_ < ask_again_ms) return;
  support_ = what;
  learned_ms_ = now;
  // Where this is not written, the next start asks again.
  (void)log_.put_document(mark_collection, mark_key,
                          std::string(to_string(what)) + '\n' + std::to_string(now) + '\n' + url_);
}

attempt somabrain_feedback::send(const std::vector<rating>& ratings) {
  using clock = std::chrono::steady_clock;
  const auto until = clock::now() + std::chrono::milliseconds(deadline_ms_);
  attempt out;
  out.rows.assign(ratings.size(), row_outcome::open);
  const auto ended = [&](attempt why) {
    why.rows = std::move(out.rows);
    return why;
  };
  for (std::size_t i = 0; i < ratings.size(); ++i) {
    const auto& one = ratings[i];
    result<std::optional<rated_turn>> turn = std::optional<rated_turn>();
    if (is_asked()) turn = read_rated(log_, one);
    if (!turn) {
      attempt why;
      why.how = attempt::kind::away;
      why.why = "the store: " + turn.error().detail;
      return ended(std::move(why));
    }
    if (!*turn) {  // it goes nowhere, or there is nothing to say any more
      out.rows[i] = row_outcome::done;
      continue;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
    const auto got = to_.post("/context/feedback", one.key.tenant, rating_body(one, **turn), left);
    if (got.status == 422 || got.status == 404 || got.status == 405) {
      learn(feedback_support::not_taken);
      out.rows[i] = row_outcome::done;
      continue;
    }
    auto why = read_answer(got);
    if (why.how == attempt::kind::answered) {
      learn(feedback_support::taken);
      out.rows[i] = row_outcome::done;
    } else if (why.how == attempt::kind::refused) {
      out.rows[i] = row_outcome::refused;
      out.why = std::move(why.why);
    } else {
      return ended(std::move(why));
    }
  }
  return out;
}

}  // namespace soma::memory
