// What SomaBrain knows of a question, beside what is found here.
#include "memory/memories.hpp"

namespace soma::memory {
namespace {

constexpr std::size_t asked_max = 50;  // of it
constexpr std::int64_t ms_least = 10;  // less is no time to answer in

index_row row_of(const item& it, const std::string& session) {
  index_row row;
  row.session = session;
  row.id = it.memory_id;
  row.kind = it.kind;
  row.message_id = it.message_id;
  row.owner = it.owner;
  row.state = it.state;
  row.pinned = it.pinned;
  row.expires_at_ms = it.expires_at_ms;
  for (const auto& tag : it.tags) row.tags += (row.tags.empty() ? "\n" : "") + tag + '\n';
  return row;
}

}  // namespace

void memories::ask_also(std::shared_ptr<remote_recall> whom) {
  const std::lock_guard lock(afar_mutex_);
  afar_ = std::move(whom);
}

std::string memories::rank_from_afar(const viewer& who, const search_question& question,
                                     std::int64_t ms,
                                     const std::function<bool(const index_row&)>& passes,
                                     ranking& into,
                                     std::unordered_map<std::string, std::string>& sessions) const {
  std::shared_ptr<remote_recall> whom;
  {
    const std::lock_guard lock(afar_mutex_);
    whom = afar_;
  }
  if (!whom) return {};
  if (ms < ms_least) return "there was no time to ask SomaBrain";
  auto said = whom->ask(who.tenant, question.query, asked_max, ms);
  if (said.ids.size() > asked_max) said.ids.resize(asked_max);
  for (auto& id : said.ids) {
    if (id.find('\n') != std::string::npos) continue;
    // What is not known here is not told: it was forgotten, or never was.
    auto session = log_.get_document(id_collection, id_key(who.tenant, id));
    if (!session || !*session) continue;
    const auto it = read(who.tenant, **session, id);
    if (!it || !*it || !passes(row_of(**it, **session))) continue;
    sessions.emplace(id, std::move(**session));
    into.ids.push_back(std::move(id));
  }
  return said.why;
}

}  // namespace soma::memory
