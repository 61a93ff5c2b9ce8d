#include "memory/vector_set.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <mutex>

#include "core/fingerprint.hpp"
#include "memory/vector_graph.hpp"

namespace soma::memory {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr std::string_view magic = "vec1";

// Four at once, as every machine of 64 bits has it; the compiler would not reorder sums by itself.
using lane [[gnu::vector_size(16)]] = float;

lane lane_at(const float* from) {
  lane out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
T take(std::string_view& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return value;
}

std::uint64_t print_of(std::span<const float> v) {
  return fingerprint({reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float)});
}

}  // namespace

float dot(std::span<const float> a, std::span<const float> b) {
  lane sums[4] = {};
  const auto n = std::min(a.size(), b.size());
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (std::size_t k = 0; k < 4; ++k)
      sums[k] += lane_at(a.data() + i + 4 * k) * lane_at(b.data() + i + 4 * k);
  const lane all = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  float sum = (all[0] + all[1]) + (all[2] + all[3]);
  for (; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

bool make_unit(std::vector<float>& v) {
  double squares = 0;
  for (const float x : v) squares += static_cast<double>(x) * x;
  if (!std::isfinite(squares) || squares <= 0) return false;
  const auto by = static_cast<float>(1 / std::sqrt(squares));
  if (!std::isfinite(by)) return false;
  for (float& x : v) x *= by;
  return true;
}

std::string encode(const stored_vector& v) {
  std::string out(magic);
  append(out, v.model);
  append(out, v.text);
  append(out, static_cast<std::uint32_t>(v.values.size()));
  out.append(reinterpret_cast<const char*>(v.values.data()), v.values.size() * sizeof(float));
  return out;
}

bool decode_vector(std::string_view bytes, stored_vector& out) {
  constexpr auto head = magic.size() + 2 * sizeof(std::uint64_t) + sizeof(std::uint32_t);
  if (bytes.size() < head || !bytes.starts_with(magic)) return false;
  bytes.remove_prefix(magic.size());
  out.model = take<std::uint64_t>(bytes);
  out.text = take<std::uint64_t>(bytes);
  const auto count = take<std::uint32_t>(bytes);
  if (bytes.size() != count * sizeof(float)) return false;
  out.values.resize(count);
  if (count > 0) std::memcpy(out.values.data(), bytes.data(), bytes.size());
  return true;
}

vector_set::vector_set(std::size_t dimension, std::size_t exact_max)
    : dimension_(dimension), exact_max_(exact_max) {}
vector_set::~vector_set() = default;

std::size_t vector_set::size() const {
  const std::shared_lock lock(mutex_);
  return places_.size();
}

std::size_t vector_set::bytes() const {
  const std::shared_lock lock(mutex_);
  return bytes_of(ids_.size(), dimension_, exact_max_);
}

std::size_t vector_set::bytes_of(std::size_t count, std::size_t dimension, std::size_t exact_max) {
  constexpr std::size_t id_bytes = 160;  // twice, in a table
  const auto one = dimension * sizeof(float) + id_bytes;
  return count * (count > exact_max ? one + vector_graph::bytes_of_point(dimension) : one);
}

void vector_set::put(std::string_view id, std::span<const float> unit, bool replaces) {
  const std::unique_lock lock(mutex_);
  std::string name(id);
  if (const auto there = places_.find(name); there != places_.end()) {
    if (!replaces) return;
    remove(there->second);
    if (is_sparse()) compact();
  }
  places_.emplace(name, ids_.size());
  ids_.push_back(std::move(name));
  values_.insert(values_.end(), unit.begin(), unit.end());
}

void vector_set::erase(std::string_view id) {
  const std::unique_lock lock(mutex_);
  if (const auto there = places_.find(std::string(id)); there != places_.end()) {
    remove(there->second);
    if (is_sparse()) compact();
  }
}

void vector_set::remove(std::size_t i) {
  const auto print = print_of(at(i));
  places_.erase(ids_[i]);
  ids_[i].clear();
  std::fill_n(values_.begin() + static_cast<std::ptrdiff_t>(i * dimension_), dimension_, 0.0f);
  if (i >= graphed_) return;
  const auto of = points_.find(point_of_[i]);
  if (of == points_.end() || --of->second.there > 0) return;
  graph_->remove(of->first);
  same_.erase(print);
  points_.erase(of);
}

// False: there is no memory for it.
bool vector_set::graph_one(std::size_t i) {
  const auto unit = at(i);
  const auto print = print_of(unit);
  const auto [known, fresh] = same_.try_emplace(print, i);
  if (fresh && !graph_->add(i, unit)) {
    same_.erase(known);
    return false;
  }
  auto& of = points_[known->second];
  of.members.push_back(i);
  ++of.there;
  point_of_[i] = known->second;
  return true;
}

void vector_set::compact() {
  std::size_t to = 0;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i].empty()) continue;
    if (to != i) {
      std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(i * dimension_), dimension_,
                  values_.begin() + static_cast<std::ptrdiff_t>(to * dimension_));
      ids_[to] = std::move(ids_[i]);
      places_[ids_[to]] = to;
    }
    ++to;
  }
  ids_.resize(to);
  values_.resize(to * dimension_);
  graph_.reset();
  points_.clear();
  same_.clear();
  graphed_ = 0;
}

bool vector_set::grow(std::size_t count) {
  const std::unique_lock lock(mutex_);
  if (places_.size() <= exact_max_) return false;
  if (!graph_) graph_ = std::make_unique<vector_graph>(dimension_);
  point_of_.resize(ids_.size());
  for (; count > 0 && graphed_ < ids_.size(); --count, ++graphed_)
    if (!ids_[graphed_].empty() && !graph_one(graphed_)) return false;
  return graphed_ < ids_.size();
}

near_vectors vector_set::nearest(std::span<const float> unit, std::size_t count) const {
  near_vectors out;
  const std::shared_lock lock(mutex_);
  if (unit.size() != dimension_ || count == 0) return out;
  std::vector<std::pair<float, std::size_t>> scored;
  const auto score = [&](std::size_t i) {
    if (!ids_[i].empty()) scored.emplace_back(dot(unit, at(i)), i);
  };
  std::size_t from = 0;
  // What the graph does not have yet is looked through, if it is not too much.
  if (graph_ && ids_.size() - graphed_ <= exact_max_ && places_.size() > exact_max_ &&
      count < places_.size()) {
    out.approximate = true;
    for (const auto number : graph_->near(unit, count))
      for (const auto i : points_.at(number).members) score(i);
    from = graphed_;
  }
  scored.reserve(scored.size() + ids_.size() - from);
  for (auto i = from; i < ids_.size(); ++i) score(i);
  const auto end = scored.begin() + static_cast<std::ptrdiff_t>(std::min(count, scored.size()));
  std::partial_sort(scored.begin(), end, scored.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : ids_[a.second] < ids_[b.second];
  });
  for (auto one = scored.begin(); one != end; ++one)
    out.found.push_back({ids_[one->second], one->first});
  return out;
}

}  // namespace soma::memory
