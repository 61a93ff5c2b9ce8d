// hnswlib's graph over vectors of length 1: the only user of that library. Not thread-safe for
// changes; searches may go on beside one another. Points are numbered from 0.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace soma::memory {

class vector_graph {
 public:
  explicit vector_graph(std::size_t dimension);
  ~vector_graph();

  // False: there is no memory for it, and it is not in.
  bool add(std::size_t number, std::span<const float> unit);
  void remove(std::size_t number);
  // Numbers of points that are near, in no order, at most `count`.
  std::vector<std::size_t> near(std::span<const float> unit, std::size_t count) const;

  // Beside the vector itself, of one point, about.
  static std::size_t bytes_of_point(std::size_t dimension);

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace soma::memory
