#include "cluster/fact_table.hpp"

namespace soma::cluster {

result<known_head> fact_table::head(const session_key& session) const {
  const auto found = heads_.find(session);
  return found == heads_.end() ? known_head{} : found->second;
}

result<std::optional<kept_key>> fact_table::key(std::string_view key) const {
  const auto found = keys_.find(std::string(key));
  if (found == keys_.end()) return std::optional<kept_key>();
  return std::optional(found->second);
}

result<std::optional<log_offset>> fact_table::version(std::string_view collection,
                                                      std::string_view key) const {
  const auto found = versions_.find({std::string(collection), std::string(key)});
  if (found == versions_.end()) return std::optional<log_offset>();
  return std::optional(found->second);
}

result<std::optional<source_tag>> fact_table::last_of(std::uint32_t source_partition) const {
  const auto found = sources_.find(source_partition);
  if (found == sources_.end()) return std::optional<source_tag>();
  return std::optional(found->second);
}

void fact_table::carry_out(const partition_state& behind, log_offset offset, const atom& one,
                           const judgement& judged) {
  if (!one.session.session.empty()) heads_[one.session] = {judged.seq, one.removes};
  for (const auto& use : one.keys)
    keys_[use.key] = {one.session, judged.seq, behind.time_ms, offset};
  for (const auto& document : one.documents) {
    if (document.only_looked_at) continue;
    std::pair name(document.collection, document.key);
    if (document.value) {
      versions_[std::move(name)] = offset;
    } else {
      versions_.erase(name);
    }
  }
  if (one.source) sources_[one.source->partition] = *one.source;
}

}  // namespace soma::cluster
