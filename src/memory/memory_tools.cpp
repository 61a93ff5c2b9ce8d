#include "memory/memory_tools.hpp"

#include <boost/json.hpp>

#include "core/json_text.hpp"
#include "core/json_writer.hpp"

namespace soma::memory {
namespace {

constexpr std::size_t items_usual = 5, items_max = 50;

tools::tool_outcome failed(const error& why) {
  return {"error", {}, failure{std::string(why.code), why.detail, why.retry_after_s > 0}};
}

class memory_save final : public tools::tool {
 public:
  memory_save(notes& kept, tools::work_pool& pool) : notes_(kept), pool_(pool) {}
  bool idempotent(const boost::json::object&) const override { return false; }

  std::unique_ptr<tools::running_tool> start(tools::tool_request request,
                                             tools::tool_sink sink) override {
    auto work = [this, session = request.session, text = text_of(request.inputs, "text")] {
      auto id = notes_.save(session, text);
      if (!id) return failed(id.error());
      std::string out;
      json_writer(out).begin_object().field("memory_id", *id).end_object();
      return tools::tool_outcome{"success", std::move(out), {}};
    };
    return pool_.start(std::move(work), std::move(sink));
  }

 private:
  notes& notes_;
  tools::work_pool& pool_;
};

class memory_recall final : public tools::tool {
 public:
  memory_recall(notes& kept, tools::work_pool& pool) : notes_(kept), pool_(pool) {}
  bool idempotent(const boost::json::object&) const override { return true; }

  std::unique_ptr<tools::running_tool> start(tools::tool_request request,
                                             tools::tool_sink sink) override {
    auto limit = items_usual;
    if (const auto* given = request.inputs.if_contains("limit"); given && given->is_int64())
      limit = std::min(items_max,
                       static_cast<std::size_t>(std::max<std::int64_t>(1, given->get_int64())));
    auto work = [this, tenant = request.session.tenant, query = text_of(request.inputs, "query"),
                 limit] { return run(tenant, query, limit); };
    return pool_.start(std::move(work), std::move(sink));
  }

 private:
  tools::tool_outcome run(const tenant_id& tenant, const std::string& query, std::size_t limit) {
    auto found = notes_.recall(tenant, query, limit);
    if (!found) return failed(found.error());
    std::string out;
    json_writer w(out);
    w.begin_object().key("items").begin_array();
    for (const auto& note : *found) {
      w.begin_object().field("memory_id", note.id).key("score").real(note.score);
      w.field("text", note.text).end_object();
    }
    w.end_array().end_object();
    return {"success", std::move(out), {}};
  }

  notes& notes_;
  tools::work_pool& pool_;
};

}  // namespace

std::unique_ptr<tools::tool> make_memory_save(notes& kept, tools::work_pool& pool) {
  return std::make_unique<memory_save>(kept, pool);
}

std::unique_ptr<tools::tool> make_memory_recall(notes& kept, tools::work_pool& pool) {
  return std::make_unique<memory_recall>(kept, pool);
}

}  // namespace soma::memory
