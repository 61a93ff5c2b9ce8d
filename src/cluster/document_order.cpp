#include "cluster/document_order.hpp"

#include <algorithm>

#include "cluster/planted_bug.hpp"

namespace soma::cluster {

result<bool> waits(const partition_facts& documents, std::uint32_t source, log_offset offset) {
  if (planted(planted_bug::what_is_derived_waits_again)) return true;
  const auto last = documents.last_of(source);
  if (!last) return last.error();
  return !*last || (**last).offset < offset;
}

void derived_so_far::under(std::uint32_t epoch) {
  if (epoch != epoch_) sent_.clear();
  epoch_ = epoch;
}

result<log_offset> derived_so_far::of(const partition_facts& documents,
                                      std::uint32_t source) const {
  const auto last = documents.last_of(source);
  if (!last) return last.error();
  const auto applied = *last ? (**last).offset : nowhere;
  const auto found = sent_.find(source);
  return found == sent_.end() ? applied : std::max(applied, found->second);
}

source_tag derived_so_far::send(std::uint32_t source, log_offset before, log_offset offset) {
  sent_[source] = offset;
  return {source, offset, before};
}

}  // namespace soma::cluster
