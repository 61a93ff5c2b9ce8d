// A tenant's vectors in memory: in one array, looked through exactly while they are few; past that
// a graph (hnswlib) chooses candidates, which are then ranked exactly, too.
//
// Thread-safe: searches go on beside one another, and wait for a change. Vectors have length 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace soma::memory {

class vector_graph;

// Of two of one length.
float dot(std::span<const float> a, std::span<const float> b);
// False, and nothing is changed: it has no direction, or numbers that are none.
bool make_unit(std::vector<float>& v);

// How a vector is kept: the model's and the text's fingerprints, then little-endian floats. Without
// numbers: the provider refuses the text.
struct stored_vector {
  std::uint64_t model = 0, text = 0;
  std::vector<float> values;
};
std::string encode(const stored_vector& v);
// False: it is none.
bool decode_vector(std::string_view bytes, stored_vector& out);

struct near_vector {
  std::string id;
  float score = 0;  // cosine
};
struct near_vectors {
  std::vector<near_vector> found;  // the nearest first; ties by id
  bool approximate = false;        // a nearer one may be missing
};

class vector_set {
 public:
  // `exact_max`: as many are looked through one by one.
  vector_set(std::size_t dimension, std::size_t exact_max);
  ~vector_set();

  std::size_t dimension() const { return dimension_; }
  std::size_t size() const;
  std::size_t bytes() const;
  // What so many take, at most.
  static std::size_t bytes_of(std::size_t count, std::size_t dimension, std::size_t exact_max);

  // `replaces`: in place of what is there with that id; else that stays.
  void put(std::string_view id, std::span<const float> unit, bool replaces = true);
  void erase(std::string_view id);
  // Adds some to the graph, where one is needed. True: there is more to add.
  bool grow(std::size_t count);

  near_vectors nearest(std::span<const float> unit, std::size_t count) const;

 private:
  std::span<const float> at(std::size_t i) const {
    return {values_.data() + i * dimension_, dimension_};
  }
  void remove(std::size_t i);
  bool is_sparse() const { return ids_.size() > 1024 && places_.size() < ids_.size() / 2; }
  void compact();

  const std::size_t dimension_, exact_max_;
  mutable std::shared_mutex mutex_;
  std::vector<float> values_;
  std::vector<std::string> ids_;  // empty: removed
  std::unordered_map<std::string, std::size_t> places_;
  // Vectors that are the same are one point: many of them would be a knot that no way leads out of.
  struct point {
    std::vector<std::size_t> members;
    std::size_t there = 0;  // of them, not removed
  };
  bool graph_one(std::size_t i);

  std::unique_ptr<vector_graph> graph_;
  std::unordered_map<std::size_t, point> points_;  // by their number, that of the first member
  std::unordered_map<std::uint64_t, std::size_t> same_;  // by a vector's fingerprint: its point
  std::vector<std::size_t> point_of_;                    // of each that is in the graph
  std::size_t graphed_ = 0;                              // as many of the array are in the graph
};

}  // namespace soma::memory
