// Documents that are facts of one node: how far its own index has read, what its own log of changes
// says. Where several nodes share their documents these are in no log; each has its own, as a
// process by itself has. A batch writes either only such documents or none of them. Pure.
#pragma once

#include <array>
#include <string_view>

namespace soma::storage {

// Of the process itself: that its disk was tried, that its index is to be built anew.
inline constexpr std::string_view node_collection = "node";

// Whoever keeps a collection of a node adds its name here.
inline constexpr std::array<std::string_view, 5> node_collections = {
    node_collection,
    "memory.wal",  // numbers of changes as this node has given them
    "memory.wal.at",    "memory.wal.state",
    "memory.somabrain",  // what SomaBrain was seen to take
};

constexpr bool is_of_node(std::string_view collection) {
  for (const auto one : node_collections)
    if (one == collection) return true;
  return false;
}

}  // namespace soma::storage
