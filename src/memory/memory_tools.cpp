#include "memory/memory_tools.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "core/codes.hpp"
#include "core/json_text.hpp"
#include "core/json_writer.hpp"
#include "core/time.hpp"
#include "memory/ranking.hpp"

namespace soma::memory {
namespace {

constexpr std::size_t items_usual = 5, items_max = 50;
constexpr std::size_t text_bytes_max = 4096;  // of one item: the answer is bounded as a whole, too

tools::tool_outcome failed(const error& why) {
  return {"error", {}, failure{std::string(why.code), why.detail, why.retry_after_s > 0}};
}

viewer viewer_of(const tools::tool_request& request) {
  viewer who;
  who.tenant = request.session.tenant;
  who.user = user_id(request.user_id);
  return who;
}

std::vector<std::string> texts_of(const boost::json::object& inputs, std::string_view name) {
  std::vector<std::string> out;
  if (const auto* all = inputs.if_contains(name); all && all->is_array())
    for (const auto& one : all->get_array())
      if (one.is_string()) out.emplace_back(one.get_string());
  return out;
}

// A tool whose work is one function of its request.
template <class Work>
class memory_tool final : public tools::tool {
 public:
  memory_tool(tools::work_pool& pool, bool idempotent, Work work)
      : pool_(pool), idempotent_(idempotent), work_(std::move(work)) {}
  bool idempotent(const boost::json::object&) const override { return idempotent_; }

  std::unique_ptr<tools::running_tool> start(tools::tool_request request,
                                             tools::tool_sink sink) override {
    return pool_.start([this, request = std::move(request)] { return work_(request); },
                       std::move(sink));
  }

 private:
  tools::work_pool& pool_;
  const bool idempotent_;
  const Work work_;
};

template <class Work>
std::unique_ptr<tools::tool> made(tools::work_pool& pool, bool idempotent, Work work) {
  return std::make_unique<memory_tool<Work>>(pool, idempotent, std::move(work));
}

}  // namespace

// Saying it twice keeps it once, so a call may be run again.
std::unique_ptr<tools::tool> make_memory_save(memories& kept, tools::work_pool& pool) {
  return made(pool, true, [&kept](const tools::tool_request& request) {
    new_note note;
    note.text = text_of(request.inputs, "text");
    note.tags = texts_of(request.inputs, "tags");
    if (const auto* given = request.inputs.if_contains("importance"); given && given->is_number())
      note.importance = given->to_number<double>();
    if (const auto* given = request.inputs.if_contains("ttl_s"); given && given->is_int64())
      note.expires_at_ms = now_ms() + std::max<std::int64_t>(1, given->get_int64()) * 1000;
    note.session_id = request.session.session.value;
    note.tool_call_id = request.call.tool_call_id;
    const auto saved = kept.save(viewer_of(request), note);
    if (!saved) return failed(saved.error());
    std::string out;
    json_writer(out).begin_object().field("memory_id", saved->what.memory_id).end_object();
    return tools::tool_outcome{"success", std::move(out), {}};
  });
}

std::unique_ptr<tools::tool> make_memory_recall(memories& kept, tools::work_pool& pool) {
  return made(pool, true, [&kept](const tools::tool_request& request) {
    search_question asked;
    asked.query = text_of(request.inputs, "query");
    asked.filter.kinds = texts_of(request.inputs, "kinds");
    asked.limit = items_usual;
    asked.once_each = true;
    if (const auto* given = request.inputs.if_contains("limit"); given && given->is_int64())
      asked.limit = std::min(
          items_max, static_cast<std::size_t>(std::max<std::int64_t>(1, given->get_int64())));
    const auto found = kept.search(viewer_of(request), asked);
    if (!found) return failed(found.error());
    std::string out;
    json_writer w(out);
    w.begin_object().key("items").begin_array();
    for (const auto& one : found->items) {
      const auto& it = one.what;
      w.begin_object().field("memory_id", it.memory_id).key("score").real(one.score);
      w.field("text", excerpt(it.text, asked.query, text_bytes_max)).field("kind", it.kind);
      w.field_if("session_id", it.session_id).field_if("message_id", it.message_id);
      w.field_if("attachment_id", it.attachment_id);
      if (!it.place_json.empty()) w.key("place").raw(it.place_json);
      w.field("created_at", format_rfc3339(it.created_at_ms)).end_object();
    }
    w.end_array().field_bool("degraded", found->degraded).end_object();
    return tools::tool_outcome{"success", std::move(out), {}};
  });
}

std::unique_ptr<tools::tool> make_memory_forget(memories& kept, tools::work_pool& pool) {
  return made(pool, true, [&kept](const tools::tool_request& request) {
    const auto gone = kept.forget(viewer_of(request), text_of(request.inputs, "memory_id"), {});
    // A call that is run again finds it gone.
    if (!gone && gone.error().code != codes::memory_not_found) return failed(gone.error());
    std::string out;
    json_writer(out).begin_object().field_bool("forgotten", gone.has_value()).end_object();
    return tools::tool_outcome{"success", std::move(out), {}};
  });
}

}  // namespace soma::memory
