// The facts of a partition in memory: the twin of what a store keeps, for tests and simulation, and
// the words of what a counted atom changes. One thread at a time. Grows with the log.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "cluster/partition_core.hpp"

namespace soma::cluster {

class fact_table final : public partition_facts {
 public:
  result<known_head> head(const session_key& session) const override;
  result<std::optional<kept_key>> key(std::string_view key) const override;
  result<std::optional<log_offset>> version(std::string_view collection,
                                            std::string_view key) const override;
  result<std::optional<source_tag>> last_of(std::uint32_t source_partition) const override;

  // What an atom that was counted at `offset` changes. `behind`: the state that its application
  // left.
  void carry_out(const partition_state& behind, log_offset offset, const atom& one,
                 const judgement& judged);
  void pass(const source_tag& tag) { sources_[tag.partition] = tag; }

 private:
  std::unordered_map<session_key, known_head> heads_;
  std::unordered_map<std::string, kept_key> keys_;
  std::map<std::pair<std::string, std::string>, log_offset> versions_;
  std::map<std::uint32_t, source_tag> sources_;
};

}  // namespace soma::cluster
