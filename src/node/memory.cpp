#include "node/memory.hpp"

#include "core/time.hpp"
#include "observability/log.hpp"

namespace soma {
namespace {

memory::indexer_options index_options_of(const config& settings, node_feeds& feeds) {
  memory::indexer_options options;
  options.path = settings.text("storage.data_dir") + "/memory.sqlite";
  options.on_changed = [&feeds](const tenant_id& tenant) { feeds.memory_changed(tenant); };
  options.on_notice = [](const std::string& what) {
    log(log_level::warn, "memory.index", {{"what", what}});
  };
  return options;
}

memory::memory_limits limits_of(const config& settings) {
  memory::memory_limits limits;
  limits.items_max = static_cast<std::size_t>(settings.number("memory.items_max"));
  limits.recall_ms = static_cast<int>(settings.number("memory.recall_ms"));
  return limits;
}

}  // namespace

node_memory::node_memory(const config& settings, node_store& store, node_feeds& feeds)
    : index_(store.events(), index_options_of(settings, feeds)),
      memories_(store.events(), index_, limits_of(settings), now_ms),
      recaller_(memories_) {}

result<std::unique_ptr<node_memory>> node_memory::open(const config& settings, node_store& store,
                                                       node_feeds& feeds) {
  const auto taken = memory::take_over_notes(store.events(), now_ms());
  if (!taken) return taken.error();
  if (*taken > 0) log(log_level::info, "memory.notes_taken_over", {{"count", *taken}});
  return std::unique_ptr<node_memory>(new node_memory(settings, store, feeds));
}

}  // namespace soma
