#include "tools/builtin/memory_tools.hpp"

#include <boost/json.hpp>
#include <set>

#include "core/json_text.hpp"
#include "core/json_writer.hpp"

namespace soma::tools {
namespace {

constexpr std::size_t items_usual = 5, items_max = 50;

tool_outcome failed(const error& why) {
  return {"error", {}, failure{std::string(why.code), why.detail, why.retry_after_s > 0}};
}

class memory_save final : public tool {
 public:
  memory_save(memory_notes& notes, work_pool& pool) : notes_(notes), pool_(pool) {}
  bool idempotent(const boost::json::object&) const override { return false; }

  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    auto work = [this, session = request.session, text = text_of(request.inputs, "text")] {
      auto id = notes_.save(session, text);
      if (!id) return failed(id.error());
      std::string out;
      json_writer(out).begin_object().field("memory_id", *id).end_object();
      return tool_outcome{"success", std::move(out), {}};
    };
    return pool_.start(std::move(work), std::move(sink));
  }

 private:
  memory_notes& notes_;
  work_pool& pool_;
};

class memory_recall final : public tool {
 public:
  memory_recall(memory_notes& notes, work_pool& pool) : notes_(notes), pool_(pool) {}
  bool idempotent(const boost::json::object&) const override { return true; }

  std::unique_ptr<running_tool> start(tool_request request, tool_sink sink) override {
    auto limit = items_usual;
    if (const auto* given = request.inputs.if_contains("limit"); given && given->is_int64())
      limit = std::min(items_max,
                       static_cast<std::size_t>(std::max<std::int64_t>(1, given->get_int64())));
    auto work = [this, tenant = request.session.tenant, query = text_of(request.inputs, "query"),
                 limit] { return run(tenant, query, limit); };
    return pool_.start(std::move(work), std::move(sink));
  }

 private:
  tool_outcome run(const tenant_id& tenant, const std::string& query, std::size_t limit) {
    auto found = notes_.recall(tenant, query, limit);
    if (!found) return failed(found.error());
    std::string out;
    json_writer w(out);
    w.begin_object().key("items").begin_array();
    for (const auto& note : *found) {
      w.begin_object().field("memory_id", note.memory_id).key("score").real(note.score);
      w.field("text", note.text).end_object();
    }
    w.end_array().end_object();
    return {"success", std::move(out), {}};
  }

  memory_notes& notes_;
  work_pool& pool_;
};

std::set<std::string> words_of(std::string_view text) {
  std::set<std::string> words;
  std::string word;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x80 || (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z')) {
      word += c;
    } else if (u >= 'A' && u <= 'Z') {
      word += static_cast<char>(c - 'A' + 'a');
    } else if (!word.empty()) {
      words.insert(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.insert(std::move(word));
  return words;
}

}  // namespace

double word_score(std::string_view query, std::string_view text) {
  const auto wanted = words_of(query), there = words_of(text);
  if (wanted.empty()) return 0;
  std::size_t found = 0;
  for (const auto& word : wanted) found += there.count(word);
  return static_cast<double>(found) / static_cast<double>(wanted.size());
}

std::unique_ptr<tool> make_memory_save(memory_notes& notes, work_pool& pool) {
  return std::make_unique<memory_save>(notes, pool);
}

std::unique_ptr<tool> make_memory_recall(memory_notes& notes, work_pool& pool) {
  return std::make_unique<memory_recall>(notes, pool);
}

}  // namespace soma::tools
