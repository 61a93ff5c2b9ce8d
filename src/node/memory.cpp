#include "node/memory.hpp"

#include "core/time.hpp"
#include "node/memory_index_place.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

bool is_replicated(const config& settings) {
  return !settings.text("somabrain.base_url").empty();
}

memory::remembering remembering_of(const config& settings) {
  constexpr std::int64_t day_ms = 24ll * 3600 * 1000;
  return {is_replicated(settings), settings.number("memory.messages_ttl_days") * day_ms};
}

memory::wal_options wal_options_of() {
  memory::wal_options options;
  options.on_notice = [](const std::string& what) {
    log(log_level::warn, "memory.wal", {{"what", what}});
  };
  return options;
}

memory::indexer_options index_options_of(const config& settings, const std::string& path,
                                         node_feeds& feeds, std::function<void()> on_rows,
                                         memory::vectors& vectors, const memory::memory_wal* wal) {
  memory::indexer_options options;
  options.path = path;
  options.on_changed = [&feeds, &vectors](const tenant_id& tenant) {
    vectors.changed();
    feeds.memory_changed(tenant);
  };
  options.on_gone = [&vectors](const tenant_id& tenant, const std::vector<std::string>& ids) {
    return vectors.gone(tenant, ids);
  };
  options.on_rows = std::move(on_rows);
  options.replicated = is_replicated(settings);
  if (wal) options.taken_by_others = [wal] { return wal->taken(); };
  options.on_notice = [](const std::string& what) {
    log(log_level::warn, "memory.index", {{"what", what}});
  };
  return options;
}

memory::vector_options vector_options_of(const config& settings, memory::embedder& asks) {
  memory::vector_options options;
  options.asks = &asks;
  options.bytes_max = static_cast<std::size_t>(settings.number("memory.vectors_bytes_max"));
  options.exact_max = static_cast<std::size_t>(settings.number("memory.vectors_exact_max"));
  options.on_notice = [](const std::string& what) {
    log(log_level::warn, "memory.vectors", {{"what", what}});
  };
  return options;
}

memory::upkeep_options upkeep_options() {
  memory::upkeep_options options;
  options.on_notice = [](const std::string& what) {
    log(log_level::warn, "memory.upkeep", {{"what", what}});
  };
  return options;
}

memory::memory_limits limits_of(const config& settings) {
  memory::memory_limits limits;
  limits.items_max = static_cast<std::size_t>(settings.number("memory.items_max"));
  limits.bytes_max = static_cast<std::uint64_t>(settings.number("memory.bytes_max"));
  limits.recall_ms = static_cast<int>(settings.number("memory.recall_ms"));
  limits.replicated = is_replicated(settings);
  return limits;
}

}  // namespace

node_memory::node_memory(const config& settings, const std::string& index, node_store& store,
                         node_feeds& feeds, node_models& models)
    : remembering_(remembering_of(settings)),
      embeddings_(models),
      vectors_(store.events(), vector_options_of(settings, embeddings_)),
      wal_(settings.flag("memory.wal")
               ? std::make_unique<memory::memory_wal>(store.events(), wal_options_of())
               : nullptr),
      index_(store.events(),
             index_options_of(
                 settings, index, feeds, [this] { tell_of_rows(); }, vectors_, wal())),
      sight_(feeds.facts(), store.events()),
      memories_(store.events(), index_, limits_of(settings), now_ms, &vectors_, &sight_),
      knowledge_(store.events(), memories_,
                 {static_cast<std::size_t>(settings.number("memory.passages_max")),
                  remembering_.replicated, settings.number("uploads.unclaimed_h") * 3'600'000},
                 now_ms),
      upkeep_(memories_, knowledge_, upkeep_options()),
      replicator_(store.events(), memories_, now_ms),
      recaller_(memories_) {
  vectors_.start(index_);
}

void node_memory::on_rows(std::function<void()> told) {
  const std::lock_guard lock(told_mutex_);
  told_ = std::move(told);
}

void node_memory::tell_of_rows() {
  if (wal_) wal_->wake();
  const std::lock_guard lock(told_mutex_);
  if (told_) told_();
}

result<std::unique_ptr<node_memory>> node_memory::open(const config& settings, node_store& store,
                                                       node_feeds& feeds, node_models& models) {
  auto index = place_memory_index(settings);
  if (!index) return index.error();
  const auto taken = memory::take_over_notes(store.events(), now_ms());
  if (!taken) return taken.error();
  if (*taken > 0) log(log_level::info, "memory.notes_taken_over", {{"count", *taken}});
  if (!settings.flag("memory.wal"))
    if (auto noted = memory::memory_wal::not_kept(store.events()); !noted) return noted.error();
  std::unique_ptr<node_memory> made(new node_memory(settings, *index, store, feeds, models));
  if (auto read = made->replicator_.open(); !read) return read.error();
  return made;
}

}  // namespace soma
