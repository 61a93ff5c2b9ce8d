#include "memory/vector_graph.hpp"

#include <hnswlib/hnswlib.h>

#include <algorithm>
#include <exception>

namespace soma::memory {
namespace {

// Neighbours of a point, and how widely they are looked for: recall of about 0.98 of the first ten
// among some hundred thousand.
constexpr std::size_t neighbours = 16, looked_at_to_add = 120, looked_at_to_find = 160;
constexpr std::size_t points_first = 8192;

}  // namespace

struct vector_graph::parts {
  explicit parts(std::size_t dimension)
      : space(dimension), graph(&space, points_first, neighbours, looked_at_to_add) {
    graph.setEf(looked_at_to_find);
  }
  hnswlib::InnerProductSpace space;
  hnswlib::HierarchicalNSW<float> graph;
  std::size_t room = points_first, removed = 0, count = 0;
};

vector_graph::vector_graph(std::size_t dimension) : parts_(std::make_unique<parts>(dimension)) {}
vector_graph::~vector_graph() = default;

bool vector_graph::add(std::size_t number, std::span<const float> unit) try {
  auto& p = *parts_;
  if (p.count == p.room) {
    p.graph.resizeIndex(p.room * 2);
    p.room *= 2;
  }
  p.graph.addPoint(unit.data(), number);
  ++p.count;
  return true;
} catch (const std::exception&) {
  return false;
}

void vector_graph::remove(std::size_t number) {
  parts_->graph.markDelete(number);
  ++parts_->removed;
}

std::vector<std::size_t> vector_graph::near(std::span<const float> unit, std::size_t count) const {
  const auto there = parts_->count - parts_->removed;
  std::vector<std::size_t> out;
  if (there == 0) return out;
  auto found = parts_->graph.searchKnn(unit.data(), std::min(count, there));
  for (; !found.empty(); found.pop()) out.push_back(found.top().second);
  return out;
}

std::size_t vector_graph::bytes_of_point(std::size_t dimension) {
  return dimension * sizeof(float) + (2 * neighbours + 8) * sizeof(unsigned) + 64;
}

}  // namespace soma::memory
