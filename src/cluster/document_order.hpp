// How documents that several partitions write get one order. Pure.
//
//   - Documents are what the log of one partition (documents_partition) makes of them, and no other
//   log changes them. So what a node has of them follows from how far it has read that log alone.
//   - A record of another partition that brings documents leaves an atom with them *waiting*, at
//   every node that reads it, until it reads what was derived from it.
//   - Whoever owns the partition of documents writes what waits at it into that log, with a
//   source_tag: once and in its source's order, since the log takes nothing else. Whoever owns it
//   next goes on where the log stands.
//   - It writes what waits before anything of its own: what was made of a document that somebody
//   saw stands behind it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "cluster/partition_core.hpp"

namespace soma::cluster {

// Whether what a record brings is still to be derived, by what was read of the partition of
// documents.
result<bool> waits(const partition_facts& documents, std::uint32_t source, log_offset offset);

// How far an owner has derived, what is in flight included.
class derived_so_far {
 public:
  // Of the claim under which what follows is sent: what was in flight under another is forgotten.
  void under(std::uint32_t epoch);
  void forget() { sent_.clear(); }  // as when something of it was not written
  // Behind this record of the source it goes on.
  result<log_offset> of(const partition_facts& documents, std::uint32_t source) const;
  // The tag of what is derived from `offset` next, which is behind `of`.
  source_tag send(std::uint32_t source, log_offset before, log_offset offset);

 private:
  std::uint32_t epoch_ = 0;
  std::map<std::uint32_t, log_offset> sent_;
};

}  // namespace soma::cluster
